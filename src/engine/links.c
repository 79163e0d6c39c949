/* links.c: --link of containers on the default bridge: the linked one's address in the hosts file,
 * and its ports and variables in the environment, as Docker has had it since before there were
 * networks. On other networks a link is a name in the container's own view, which is net's. In the
 * record a link is
 * "<id>:<alias>", so that it follows a rename. */
#include <ctype.h>

#include "base/log.h"
#include "engine/endpoints.h"
#include "engine/engine-private.h"
#include "engine/links.h"
#include "engine/network-mode.h"
#include "engine/registry.h"
#include "engine/snapshot.h"
#include "engine/state.h"

/* "name" or "name:alias"; both the caller's. */
static int split(const char *text, char **ret_name, char **ret_alias, Error *err) {
        const char *colon = strchr(text, ':');
        const char *slash = strrchr(text, '/');
        const char *alias = !colon ? text : slash && slash > colon ? slash + 1 : colon + 1;

        if (*alias == '/')
                alias++;
        if (str_empty(text) || colon == text || !*alias || (colon && strchr(alias, ':')))
                return error_kind(err, ERROR_INVALID, "bad format for links: %s", text);
        *ret_name = str_copy_n(text, colon ? (size_t)(colon - text) : strlen(text));
        *ret_alias = str_copy(alias);
        return 0;
}

int link_parse(const char *text, Pairs *links, Error *err) {
        _cleanup_free_ char *name = NULL, *alias = NULL;

        int r = split(text, &name, &alias, err);
        if (r == 0)
                pairs_put(links, alias, name);
        return r;
}

/* ---- at create ---- */

#define HOST_CONFLICT                                                                              \
        "conflicting options: host type networking can't be used with links. This would result "   \
        "in "                                                                                      \
        "undefined behavior"

static int resolve_one(Container *container, const char *text, char ***ret, Error *err) {
        _cleanup_free_ char *name = NULL, *alias = NULL;
        _cleanup_container_ Container *target = NULL;

        int r = split(text, &name, &alias, err);
        if (r < 0)
                return r;
        r = container_lookup(container->engine, name, &target, err);
        if (r < 0)
                return error_prefix(err, "could not get container for %s", name);
        if (str_equal(container_network_mode(target), "host"))
                return error_kind(err, ERROR_INVALID, HOST_CONFLICT);
        strv_format(ret, "%s:%s", target->id, alias);
        return 0;
}

int links_resolve(Container *container, Error *err) {
        HostConfig *host = &container->spec.host;
        const char *mode = container_network_mode(container);
        char **resolved = NULL;
        int r = 0;

        if (!host->links)
                return 0;
        if (str_equal(mode, "host"))
                return error_kind(err, ERROR_INVALID, HOST_CONFLICT);
        for (char **link = host->links; r == 0 && *link && str_equal(mode, "bridge"); link++)
                r = resolve_one(container, *link, &resolved, err);
        strv_free(host->links);
        host->links = resolved;
        return r;
}

/* ---- one of them ---- */

typedef struct Link {
        Container *target;
        ContainerSnapshot *snapshot;
        const ContainerEndpoint *place; /* on the default bridge, NULL: it is not there */
        const char *alias;
} Link;

static void link_done(Link *link) {
        snapshot_unref(link->snapshot);
        container_unref(link->target);
        *link = (Link){ 0 };
}
#define _cleanup_link_ _cleanup_(link_done)

static bool is_taken_off(const Container *container, const char *alias) {
        _cleanup_snapshot_ ContainerSnapshot *snapshot = container_snapshot((Container *)container);

        return strv_has(snapshot->state.removed_links, alias);
}

/* False: the linked container, or the link, has been removed. */
static bool link_open(const Container *container, const char *text, Link *ret) {
        _cleanup_free_ char *id = str_copy_n(text, strcspn(text, ":"));
        Link link = { .alias = text + strlen(id) + 1 };

        if (is_taken_off(container, link.alias) ||
            container_lookup(container->engine, id, &link.target, NULL) < 0)
                return false;
        link.snapshot = container_snapshot(link.target);
        const ContainerEndpoint *endpoints = link.snapshot->endpoints.items;
        for (size_t i = 0; i < link.snapshot->endpoints.count; i++)
                if (str_equal(endpoints[i].network_name, "bridge") && endpoints[i].joined)
                        link.place = &endpoints[i];
        *ret = link;
        return true;
}

static bool is_up(const Link *link) {
        return link->snapshot->state.status == CONTAINER_RUNNING ||
               link->snapshot->state.status == CONTAINER_PAUSED;
}

int links_check(const Container *container, Error *err) {
        for (char **text = container->spec.host.links; text && *text; text++) {
                _cleanup_link_ Link link = { 0 };

                if (!link_open(container, *text, &link))
                        continue;
                if (!is_up(&link))
                        return error_kind(err, ERROR_CONFLICT,
                                          "Cannot link to a non running container: /%s AS /%s/%s",
                                          link.snapshot->name, container->name, link.alias);
                if (!link.place)
                        return error_kind(err, ERROR_CONFLICT,
                                          "container %s not attached to default bridge network",
                                          link.target->id);
        }
        return 0;
}

bool links_must_wait(const Container *container) {
        for (char **text = container->spec.host.links; text && *text; text++) {
                _cleanup_link_ Link link = { 0 };

                if (link_open(container, *text, &link) &&
                    link.snapshot->state.status == CONTAINER_RESTARTING)
                        return true;
        }
        return false;
}

json_object *links_document(const Container *container) {
        json_object *array = NULL;

        for (char **text = container->spec.host.links; text && *text; text++) {
                _cleanup_link_ Link link = { 0 };

                if (!link_open(container, *text, &link))
                        continue;
                _cleanup_free_ char *shown =
                        str_format("/%s:/%s/%s", link.snapshot->name, container->name, link.alias);
                if (!array)
                        array = json_object_new_array();
                (void)json_object_array_add(array, json_object_new_string(shown));
        }
        return array;
}

/* ---- the hosts file ---- */

static void add_hosts(const Link *link, const char *address, Buf *buf) {
        const char *hostname = link->target->spec.config.hostname;

        if (!address)
                return;
        buf_format(buf, "%.*s\t%s", (int)strcspn(address, "/"), address, link->alias);
        if (!str_empty(hostname))
                buf_format(buf, " %s", hostname);
        if (!str_equal(link->alias, link->snapshot->name))
                buf_format(buf, " %s", link->snapshot->name);
        buf_add_char(buf, '\n');
}

void links_hosts(const Container *container, Buf *buf) {
        for (char **text = container->spec.host.links; text && *text; text++) {
                _cleanup_link_ Link link = { 0 };

                if (!link_open(container, *text, &link) || !link.place)
                        continue;
                add_hosts(&link, link.place->endpoint.address, buf);
                add_hosts(&link, link.place->endpoint.address6, buf);
        }
}

/* On a worker: those that run and are linked to this one learn its address. */
static void tell(void *data) {
        Container *container = data;

        _cleanup_roster_ Roster *all = containers_all(container->engine);
        for (size_t i = 0; i < all->count; i++) {
                Container *other = all->items[i];
                char **links = other->spec.host.links;
                bool linked = false;
                Error error = { 0 };

                for (; links && *links; links++)
                        linked |= str_after(*links, container->id) != NULL;
                if (!linked)
                        continue;
                CONTAINER_LOCKED(other);
                if (container_is_running(other) && netfiles_update_hosts(other, &error) < 0)
                        log_error("tell container %s of its link's address: %s", other->id,
                                  error.message);
        }
        container_unref(container);
}

void links_tell(Container *container) {
        if (str_equal(container_network_mode(container), "bridge") &&
            atomic_load(&container->engine->linked))
                workers_post(container->engine->workers, tell, container_ref(container));
}

/* ---- removal ---- */

static int no_link(const char *ref, const char *alias, Error *err) {
        return error_kind(err, ERROR_NOT_FOUND, "No such container: %s/%s", ref, alias);
}

static bool has_link(const Container *container, const char *alias) {
        for (char **text = container->spec.host.links; text && *text; text++) {
                _cleanup_link_ Link link = { 0 };

                if (link_open(container, *text, &link) && str_equal(link.alias, alias))
                        return true;
        }
        return false;
}

int engine_link_remove(Engine *engine, const char *ref, const char *alias, Error *err) {
        _cleanup_container_ Container *container = NULL;

        if (container_lookup(engine, ref, &container, NULL) < 0)
                return no_link(ref, alias, err);
        CONTAINER_LOCKED(container);
        int r = container_check_exists(container, "remove a link of", err);
        if (r < 0)
                return r;
        if (!has_link(container, alias))
                return no_link(ref, alias, err);
        char ***removed = &container->state.removed_links;
        strv_add(removed, alias);
        r = container_save(container, container_is_kept(container), err);
        if (r < 0) {
                (void)strv_drop(*removed, alias);
                return r;
        }
        container_publish(container);
        return container_is_running(container) ? netfiles_update_hosts(container, err) : 0;
}

/* ---- the environment ---- */

typedef struct LinkPort {
        int64_t number;
        char protocol[8];
} LinkPort;

/* Docker's order: TCP first. */
static int compare_ports(const void *left, const void *right) {
        const LinkPort *a = left, *b = right;
        bool a_tcp = str_equal(a->protocol, "tcp"), b_tcp = str_equal(b->protocol, "tcp");

        if (str_equal(a->protocol, b->protocol))
                return a->number < b->number ? -1 : a->number > b->number;
        return a_tcp ? -1 : b_tcp ? 1 : strcmp(a->protocol, b->protocol);
}

/* "80/tcp"; sorted, the caller's. */
static LinkPort *sorted_ports(const Container *target, size_t *ret_count) {
        char **exposed = target->spec.config.exposed_ports;
        size_t most = strv_length(exposed), count = 0;
        LinkPort *ports = NEW_ARRAY(LinkPort, most + 1);

        for (size_t i = 0; i < most; i++) {
                size_t length = strcspn(exposed[i], "/");
                _cleanup_free_ char *number = str_copy_n(exposed[i], length);

                if (str_to_int64(number, &ports[count].number) < 0)
                        continue;
                (void)snprintf(ports[count].protocol, sizeof(ports[count].protocol), "%s",
                               exposed[i][length] ? exposed[i] + length + 1 : "tcp");
                count++;
        }
        if (count > 1)
                qsort(ports, count, sizeof(*ports), compare_ports);
        *ret_count = count;
        return ports;
}

static char *upper(const char *text) {
        char *copy = str_copy(text);

        for (char *c = copy; *c; c++)
                *c = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
        return copy;
}

static void add_port(char ***env, const char *alias, const char *address, const LinkPort *port) {
        _cleanup_free_ char *protocol = upper(port->protocol);
        _cleanup_free_ char *prefix =
                str_format("%s_PORT_%lld_%s", alias, (long long)port->number, protocol);

        strv_format(env, "%s=%s://%s:%lld", prefix, port->protocol, address,
                    (long long)port->number);
        strv_format(env, "%s_ADDR=%s", prefix, address);
        strv_format(env, "%s_PORT=%lld", prefix, (long long)port->number);
        strv_format(env, "%s_PROTO=%s", prefix, port->protocol);
}

/* Ports that follow each other. */
static void add_range(char ***env, const char *alias, const char *address, const LinkPort *first,
                      const LinkPort *last) {
        _cleanup_free_ char *protocol = upper(first->protocol);
        _cleanup_free_ char *prefix =
                str_format("%s_PORT_%lld_%s", alias, (long long)first->number, protocol);

        strv_format(env, "%s_START=%s://%s:%lld", prefix, first->protocol, address,
                    (long long)first->number);
        strv_format(env, "%s_PORT_START=%lld", prefix, (long long)first->number);
        strv_format(env, "%s_END=%s://%s:%lld", prefix, last->protocol, address,
                    (long long)last->number);
        strv_format(env, "%s_PORT_END=%lld", prefix, (long long)last->number);
}

static void add_ports(char ***env, const char *alias, const char *address, const LinkPort *ports,
                      size_t count) {
        size_t first = 0;

        if (count > 0)
                strv_format(env, "%s_PORT=%s://%s:%lld", alias, ports[0].protocol, address,
                            (long long)ports[0].number);
        for (size_t i = 0; i < count; i++) {
                bool more = i + 1 < count && ports[i + 1].number == ports[i].number + 1 &&
                            str_equal(ports[i + 1].protocol, ports[i].protocol);

                add_port(env, alias, address, &ports[i]);
                if (more)
                        continue;
                if (i > first)
                        add_range(env, alias, address, &ports[first], &ports[i]);
                first = i + 1;
        }
}

static void add_variables(char ***env, const char *alias, char *const *variables) {
        for (; variables && *variables; variables++)
                if (strchr(*variables, '=') && !str_after(*variables, "HOME=") &&
                    !str_after(*variables, "PATH="))
                        strv_format(env, "%s_ENV_%s", alias, *variables);
}

char **links_environment(const Container *container) {
        char **env = NULL;

        for (char **text = container->spec.host.links; text && *text; text++) {
                _cleanup_link_ Link link = { 0 };
                size_t count;

                if (!link_open(container, *text, &link) || !link.place ||
                    !link.place->endpoint.address)
                        continue;
                const char *address = link.place->endpoint.address;
                _cleanup_free_ char *alias = upper(link.alias);
                _cleanup_free_ char *bare = str_copy_n(address, strcspn(address, "/"));
                _cleanup_free_ LinkPort *ports = sorted_ports(link.target, &count);
                add_ports(&env, alias, bare, ports, count);
                strv_format(&env, "%s_NAME=/%s/%s", alias, container->name, link.alias);
                add_variables(&env, alias, link.target->spec.config.env);
        }
        return env;
}
