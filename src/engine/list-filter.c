/* list-filter.c: the filters of the list of containers. */
#include "engine/list-filter.h"
#include "engine/container-health.h"
#include "engine/container-limits.h"
#include "engine/engine-private.h"
#include "engine/labels.h"
#include "engine/mounts-change.h"
#include "engine/registry.h"

#include "engine/filters.h"

static const char *const accepted[] = { "ancestor", "before", "exited",  "expose",
                                        "health",   "id",     "is-task", "isolation",
                                        "label",    "name",   "network", "publish",
                                        "since",    "status", "volume",  NULL };

static const char *const statuses[] = { "created",  "running", "paused", "restarting",
                                        "removing", "exited",  "dead",   NULL };
static const char *const healths[] = { HEALTH_STARTING, HEALTH_HEALTHY, HEALTH_UNHEALTHY,
                                       HEALTH_NONE, NULL };

static int invalid(const char *key, const char *value, Error *err) {
        return error_kind(err, ERROR_INVALID, "Invalid filter '%s=%s'", key, value);
}

/* words end with NULL. *ret_wrong: one that is none of them, borrowed; NULL: all are. */
static void words_check(const Filters *filters, const char *key, const char *const *words,
                        const char **ret_wrong) {
        *ret_wrong = NULL;
        for (char *const *value = filters_get(filters, key); value && *value; value++)
                if (!strv_has((char *const *)words, *value))
                        *ret_wrong = *value;
}

/* "80", "80/tcp", "8000-8010/udp" */
static bool port_parse(const char *text, int *ret_first, int *ret_last, char **ret_protocol) {
        const char *slash = strchr(text, '/');
        _cleanup_free_ char *numbers =
                slash ? str_copy_n(text, (size_t)(slash - text)) : str_copy(text);
        char *dash = strchr(numbers, '-');

        if (dash)
                *dash++ = '\0';
        if (str_to_int_in(numbers, 0, 65535, ret_first) < 0)
                return false;
        *ret_last = *ret_first;
        if (dash && str_to_int_in(dash, *ret_first, 65535, ret_last) < 0)
                return false;
        *ret_protocol = str_copy(slash ? slash + 1 : "tcp");
        return true;
}

static int ports_check(const Filters *filters, const char *key, Error *err) {
        for (char *const *value = filters_get(filters, key); value && *value; value++) {
                _cleanup_free_ char *protocol = NULL;
                int first, last;

                if (!port_parse(*value, &first, &last, &protocol))
                        return error_kind(err, ERROR_INVALID, "invalid %s port filter '%s'", key,
                                          *value);
        }
        return 0;
}

static int values_check(const Filters *filters, Error *err) {
        const char *status, *health;

        words_check(filters, "status", statuses, &status);
        words_check(filters, "health", healths, &health);
        if (status)
                return invalid("status", status, err);
        if (health)
                return error_kind(err, ERROR_INVALID, "Unrecognised filter value for health: %s",
                                  health);
        int r = ports_check(filters, "publish", err);
        if (r == 0)
                r = ports_check(filters, "expose", err);
        for (char *const *value = filters_get(filters, "exited"); r == 0 && value && *value;
             value++) {
                int64_t code;

                if (str_to_int64(*value, &code) < 0)
                        r = invalid("exited", *value, err);
        }
        for (char *const *value = filters_get(filters, "is-task"); r == 0 && value && *value;
             value++)
                if (!filter_is_bool(*value))
                        r = invalid("is-task", *value, err);
        return r;
}

static int time_of(Engine *engine, const Filters *filters, const char *key, int64_t *ret,
                   Error *err) {
        for (char *const *ref = filters_get(filters, key); ref && *ref; ref++) {
                _cleanup_container_ Container *container = NULL;

                int r = container_lookup(engine, *ref, &container, err);
                if (r < 0)
                        return r;
                *ret = container->created;
        }
        return 0;
}

int list_filter_new(Engine *engine, const Filters *filters, ListFilter *ret, Error *err) {
        *ret = (ListFilter){ .filters = filters };
        int r = filters_check(filters, accepted, err);
        if (r == 0)
                r = values_check(filters, err);
        if (r == 0)
                r = time_of(engine, filters, "before", &ret->before, err);
        if (r == 0)
                r = time_of(engine, filters, "since", &ret->since, err);
        if (r < 0)
                return r;
        for (char *const *ref = filters_get(filters, "ancestor"); ref && *ref; ref++) {
                Image image = { 0 };

                /* An image that is not there has no containers. */
                if (image_find(engine->images, *ref, &image, NULL) == 0)
                        strv_add(&ret->ancestors, image.id);
                image_done(&image);
        }
        ret->shows_all = filters_get(filters, "status") || filters_get(filters, "exited");
        return 0;
}

void list_filter_done(ListFilter *filter) {
        filter->ancestors = strv_free(filter->ancestors);
}

/* ---- one container ---- */

static bool name_matches(const ContainerSnapshot *snapshot, char *const *wanted) {
        _cleanup_free_ char *slashed = str_format("/%s", snapshot->name);

        return text_matches(snapshot->name, wanted) || text_matches(slashed, wanted);
}

static bool exit_matches(const ContainerSnapshot *snapshot, char *const *wanted) {
        int64_t code;

        if (!wanted)
                return true;
        if (snapshot->state.status != CONTAINER_EXITED || !snapshot->state.finished_at)
                return false;
        for (; *wanted; wanted++)
                if (str_to_int64(*wanted, &code) == 0 && code == snapshot->state.exit_code)
                        return true;
        return false;
}

static bool volume_matches(const Container *container, const ContainerSnapshot *snapshot,
                           char *const *wanted) {
        const JsonArray *mounts = snapshot_mounts(container, snapshot);
        const MountPoint *points = mounts->items;

        for (size_t i = 0; wanted && i < mounts->count; i++)
                if (strv_has(wanted, points[i].destination) ||
                    (points[i].name && strv_has(wanted, points[i].name)) ||
                    (points[i].source && strv_has(wanted, points[i].source)))
                        return true;
        return !wanted;
}

static bool network_matches(const ContainerSnapshot *snapshot, char *const *wanted) {
        const ContainerEndpoint *endpoints = snapshot->endpoints.items;

        for (size_t i = 0; wanted && i < snapshot->endpoints.count; i++)
                for (char *const *text = wanted; *text; text++)
                        if (str_equal(endpoints[i].network_name, *text) ||
                            (id_prefix_valid(*text) && endpoints[i].network_id &&
                             str_after(endpoints[i].network_id, *text)))
                                return true;
        return !wanted;
}

/* Whether "80/tcp" lies in the range that the filter gives. */
static bool port_in(const char *port, const char *wanted) {
        _cleanup_free_ char *protocol = NULL, *wanted_protocol = NULL;
        int first, last, wanted_first, wanted_last;

        return port_parse(port, &first, &last, &protocol) &&
               port_parse(wanted, &wanted_first, &wanted_last, &wanted_protocol) &&
               str_equal(protocol, wanted_protocol) && first <= wanted_last && wanted_first <= last;
}

static bool exposes(const Container *container, char *const *wanted) {
        for (char *const *text = wanted; text && *text; text++)
                for (char **port = container->spec.config.exposed_ports; port && *port; port++)
                        if (port_in(*port, *text))
                                return true;
        return !wanted;
}

static bool publishes(const Container *container, const ContainerSnapshot *snapshot,
                      char *const *wanted) {
        const HostConfig host_config = snapshot_host(container, snapshot);
        const PortBindings *ports = host_config.port_bindings.items;

        for (char *const *text = wanted; text && *text; text++)
                for (size_t i = 0; i < host_config.port_bindings.count; i++) {
                        const PortBinding *bindings = ports[i].bindings.items;

                        for (size_t j = 0; j < ports[i].bindings.count; j++) {
                                _cleanup_free_ char *host = str_format(
                                        "%s/%s", bindings[j].host_port ?: "",
                                        strchr(ports[i].port, '/') ? strchr(ports[i].port, '/') + 1
                                                                   : "tcp");

                                if (port_in(host, *text))
                                        return true;
                        }
                }
        return !wanted;
}

static bool ancestor_matches(const ListFilter *filter, const Container *container) {
        return !filters_get(filter->filters, "ancestor") ||
               (container->image_id && strv_has(filter->ancestors, container->image_id));
}

static bool health_matches(Container *container, const ContainerSnapshot *snapshot,
                           char *const *wanted) {
        return !wanted || strv_has(wanted, container_health_status(container, snapshot));
}

bool list_filter_matches(const ListFilter *filter, Container *container,
                         const ContainerSnapshot *snapshot) {
        const Filters *filters = filter->filters;
        char *const *status = filters_get(filters, "status");
        char *const *is_task = filters_get(filters, "is-task");

        if (!filters || filters->lists.count == 0)
                return true;
        if ((filter->before && container->created >= filter->before) ||
            (filter->since && container->created <= filter->since))
                return false;
        if (status && !strv_has(status, status_name(&snapshot->state)))
                return false;
        if (is_task && filter_is_true(is_task[0]))
                return false;
        return text_matches(container->id, filters_get(filters, "id")) &&
               name_matches(snapshot, filters_get(filters, "name")) &&
               labels_match(snapshot_labels(container, snapshot), filters_get(filters, "label")) &&
               exit_matches(snapshot, filters_get(filters, "exited")) &&
               volume_matches(container, snapshot, filters_get(filters, "volume")) &&
               network_matches(snapshot, filters_get(filters, "network")) &&
               exposes(container, filters_get(filters, "expose")) &&
               publishes(container, snapshot, filters_get(filters, "publish")) &&
               ancestor_matches(filter, container) &&
               health_matches(container, snapshot, filters_get(filters, "health"));
}
