/* list.c: the list of containers. An entry changes with its snapshot only, but for the age in its
 * status; so the rest is rendered once and kept with the snapshot. No container's lock is taken. */
#include "engine/container-health.h"
#include "engine/engine-private.h"
#include "engine/labels.h"
#include "engine/list-filter.h"
#include "engine/registry.h"

#include "base/clock.h"

/* ---- one entry ---- */

static char *command_text(const Container *container) {
        Buf text = { 0 };

        buf_add_str(&text, container->path ?: "");
        for (char **arg = container->args; arg && *arg; arg++)
                buf_format(&text, strchr(*arg, ' ') ? " '%s'" : " %s", *arg);
        return buf_take(&text);
}

static json_object *port_entry(const char *port) {
        json_object *object = json_object_new_object();
        int64_t number = 0;
        const char *slash = strchr(port, '/');
        _cleanup_free_ char *digits =
                slash ? str_copy_n(port, (size_t)(slash - port)) : str_copy(port);

        (void)str_to_int64(digits, &number); /* "80-90/tcp": Docker shows 0, too */
        json_put_int(object, "PrivatePort", number);
        json_put_text(object, "Type", slash ? slash + 1 : "tcp");
        return object;
}

static json_object *ports_document(const Container *container, const ContainerSnapshot *snapshot) {
        json_object *array = json_object_new_array();
        JsonArray ports = { 0 };

        ports_of(container, snapshot, &ports);
        const PortBindings *items = ports.items;
        for (size_t i = 0; i < ports.count; i++) {
                const PortBinding *bindings = items[i].bindings.items;

                if (items[i].bindings.count == 0)
                        (void)json_object_array_add(array, port_entry(items[i].port));
                for (size_t j = 0; j < items[i].bindings.count; j++) {
                        json_object *entry = port_entry(items[i].port);
                        int64_t number = 0;

                        (void)str_to_int64(bindings[j].host_port, &number);
                        json_put_text(entry, "IP", bindings[j].host_ip);
                        json_put_int(entry, "PublicPort", number);
                        (void)json_object_array_add(array, entry);
                }
        }
        port_bindings_done(&ports);
        return array;
}

static json_object *entry_document(const Container *container, const ContainerSnapshot *snapshot) {
        json_object *object = json_object_new_object(), *names = json_object_new_array();
        json_object *networks = json_object_new_object(), *host = json_object_new_object();
        _cleanup_free_ char *name = str_format("/%s", snapshot->name),
                            *command = command_text(container);

        json_put_text(object, "Id", container->id);
        (void)json_object_array_add(names, json_object_new_string(name));
        json_put(object, "Names", names);
        json_put_text(object, "Image", container->spec.config.image);
        json_put_text(object, "ImageID", container->image_id);
        json_put_text(object, "Command", command);
        json_put_int(object, "Created", container->created / NSEC_PER_SEC);
        json_put(object, "Ports", ports_document(container, snapshot));
        json_put(object, "Labels", json_write_pairs(snapshot_labels(container, snapshot)));
        json_put_text(object, "State", status_name(&snapshot->state));
        json_put(networks, "Networks", networks_document(container, snapshot));
        json_put(object, "NetworkSettings", networks);
        json_put(object, "Mounts", mounts_document(container, snapshot));
        json_put_text(host, "NetworkMode", container->spec.host.network_mode);
        json_put(object, "HostConfig", host);
        return object;
}

/* The entry as every version of the API has it, without the closing braces of HostConfig, which is
 * its last member, and of itself; lives as long as the snapshot. */
static const ListFragment *entry_fragment(const Container *container, ContainerSnapshot *snapshot) {
        ListFragment *expected = NULL, *fragment = atomic_load(&snapshot->list_fragment);
        _cleanup_buf_ Buf text = { 0 };

        if (fragment)
                return fragment;
        json_add_object(&text, entry_document(container, snapshot));
        fragment = alloc_zero(1, sizeof(ListFragment) + text.length - 2);
        fragment->length = text.length - 2;
        memcpy(fragment->text, text.data, fragment->length);
        if (atomic_compare_exchange_strong(&snapshot->list_fragment, &expected, fragment))
                return fragment;
        free(fragment); /* another reader was faster */
        return expected;
}

/* Containers with annotations are few: theirs are written anew each time. */
static void add_annotations(const ListOptions *options, const Container *container, Buf *json) {
        const Pairs *annotations = &container->spec.host.annotations;

        if (!options->annotations || annotations->count == 0)
                return;
        buf_add_str(json, ",\"Annotations\":");
        json_add_object(json, json_write_pairs(annotations));
}

static void add_sizes(Engine *engine, const Container *container, Buf *json) {
        int64_t own = container_size_rw(container), whole = own;
        Image image = { 0 };

        if (image_find(engine->images, container->image_id, &image, NULL) == 0)
                whole += image.size;
        image_done(&image);
        if (own > 0)
                buf_format(json, ",\"SizeRw\":%lld", (long long)own);
        buf_format(json, ",\"SizeRootFs\":%lld", (long long)whole);
}

static bool is_shown(const ListOptions *options, const ListFilter *filter, Container *container,
                     const ContainerSnapshot *snapshot) {
        int64_t status = snapshot->state.status;
        bool active = status == CONTAINER_RUNNING || status == CONTAINER_PAUSED ||
                      status == CONTAINER_RESTARTING;

        if (!active && !options->all && options->limit <= 0 && !filter->shows_all)
                return false;
        return list_filter_matches(filter, container, snapshot);
}

/* Some 64 KiB are as much as a socket and a processor's cache take at once. */
static int hand_over(const ListOptions *options, Buf *json) {
        int r;

        if (!options->take || json->length < (size_t)64 << 10)
                return 0;
        r = options->take(options->data, json);
        buf_clear(json);
        return r;
}

/* After a thousand others a container is in no cache: waiting for memory was half of a list.
 */
static void prefetch_ahead(const Roster *containers, size_t at) {
        const size_t near = at + 4, far = at + 8;

        if (far < containers->count)
                container_prefetch(containers->items[far]);
        if (near < containers->count)
                snapshot_prefetch(containers->items[near]);
}

static int list_all(Engine *engine, const ListOptions *options, const ListFilter *filter,
                    Buf *json) {
        int64_t shown = 0, now = clock_now();
        int r = 0;

        _cleanup_roster_ Roster *containers = containers_all(engine);
        for (size_t i = 0;
             r == 0 && i < containers->count && (options->limit <= 0 || shown < options->limit);
             i++) {
                Container *container = containers->items[i];
                prefetch_ahead(containers, i);
                _cleanup_snapshot_ ContainerSnapshot *snapshot = container_snapshot(container);

                if (!is_shown(options, filter, container, snapshot))
                        continue;
                const char *health = container_health_status(container, snapshot);
                _cleanup_free_ char *status = status_text(&snapshot->state, health, now);
                buf_add_str(json, shown++ ? "," : "");
                const ListFragment *fragment = entry_fragment(container, snapshot);
                buf_add(json, fragment->text, fragment->length);
                add_annotations(options, container, json);
                buf_add_str(json, "},\"Status\":");
                json_add_quoted(json, status);
                if (options->size)
                        add_sizes(engine, container, json);
                buf_add_char(json, '}');
                r = hand_over(options, json);
        }
        return r;
}

int engine_container_list(Engine *engine, const ListOptions *options, Buf *json, Error *err) {
        ListFilter filter;

        int r = list_filter_new(engine, options->filters, &filter, err);
        if (r == 0) {
                buf_add_char(json, '[');
                r = list_all(engine, options, &filter, json);
                buf_add_char(json, ']');
        }
        list_filter_done(&filter);
        return r;
}
