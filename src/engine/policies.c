/* policies.c: the network policies of an engine: their record, applying and removing them. A change
 * is in force before it is recorded: a daemon that is killed in between goes back to what was
 * acknowledged, and nothing that was acknowledged is ever not in force. */
#include "engine/policies.h"
#include "engine/engine-private.h"
#include "engine/labels.h"

#include <errno.h>

#include "base/failpoint.h"
#include "base/log.h"
#include "engine/locks.h"

#define PROJECT_LABEL "com.docker.compose.project"

/* ---- containers ---- */

const char *labels_namespace(const Pairs *labels) {
        const char *project = pairs_get(labels, PROJECT_LABEL);

        return str_empty(project) ? POLICY_NAMESPACE : project;
}

void endpoint_lend_labels(const Container *container, Endpoint *endpoint) {
        endpoint->labels = container_labels(container);
        endpoint->namespace = labels_namespace(endpoint->labels);
}

/* ---- the index ---- */

static int compare(const void *left, const void *right) {
        const Policy *a = left, *b = right;
        int r = strcmp(a->namespace, b->namespace);

        return r ?: strcmp(a->name, b->name);
}

static Policy *find(const Policies *policies, const char *namespace, const char *name) {
        for (size_t i = 0; i < policies->count; i++)
                if (str_equal(policies->items[i].namespace, namespace) &&
                    str_equal(policies->items[i].name, name))
                        return &policies->items[i];
        return NULL;
}

/* By way of the document. */
static int copy_one(const Policy *from, Policy *to, Error *err) {
        _cleanup_json_ json_object *document = policy_write(from);

        return policy_read(document, to, err);
}

static int copy_all(const Policies *from, Policies *to, Error *err) {
        int r = 0;

        to->items = NEW_ARRAY(Policy, from->count + 1);
        for (; r == 0 && to->count < from->count; to->count++)
                r = copy_one(&from->items[to->count], &to->items[to->count], err);
        return r;
}

static void list_done(Policies *list) {
        policies_free(list->items, list->count);
        list->items = NULL;
        list->count = 0;
}

/* ---- the record ---- */

static int load_row(void *data, const DbRecord *record, Error *err) {
        Policies *policies = data;
        _cleanup_json_ json_object *document = NULL;
        int r = json_parse_any(record->document, strlen(record->document), &document, err);

        GROW(policies->items, policies->count);
        policies->items[policies->count] = (Policy){ 0 };
        policies->count++;
        if (r == 0)
                r = policy_read(document, &policies->items[policies->count - 1], err);
        return r < 0 ? error_prefix(err, "policy '%s' in the record", record->id) : 0;
}

int policies_new(Engine *engine, Policies **ret, Error *err) {
        Policies *policies = NEW(Policies);
        int r;

        pthread_mutex_init(&policies->lock, NULL);
        r = db_each(engine->db, DB_POLICIES, load_row, policies, err);
        if (r < 0) {
                policies_done(policies);
                return r;
        }
        if (policies->count > 1)
                qsort(policies->items, policies->count, sizeof(Policy), compare);
        *ret = policies;
        return 0;
}

Policies *policies_done(Policies *policies) {
        if (!policies)
                return NULL;
        list_done(policies);
        pthread_mutex_destroy(&policies->lock);
        free(policies);
        return NULL;
}

static int save(Engine *engine, const Policies *list, Error *err) {
        DbRecord *records = NEW_ARRAY(DbRecord, list->count + 1);
        _cleanup_strv_ char **keys = strv_new(list->count);
        _cleanup_strv_ char **texts = strv_new(list->count);
        int r;

        for (size_t i = 0; i < list->count; i++) {
                _cleanup_json_ json_object *document = policy_write(&list->items[i]);

                keys[i] = policy_key(&list->items[i]);
                texts[i] =
                        str_copy(json_object_to_json_string_ext(document, JSON_C_TO_STRING_PLAIN));
                records[i] = (DbRecord){ .id = keys[i], .name = keys[i], .document = texts[i] };
        }
        r = db_replace_all(engine->db, DB_POLICIES, records, list->count, true, err);
        free(records);
        return r;
}

/* ---- changes ---- */

static int put_in_force(Engine *engine, const Policies *list, Error *err) {
        Policies copy = { 0 };
        int r = copy_all(list, &copy, err);

        if (r == 0)
                r = net_set_policies(engine->net, copy.items, copy.count, err);
        if (r < 0)
                list_done(&copy);
        return r;
}

int policies_start(Engine *engine, Error *err) {
        return put_in_force(engine, engine->policies, err);
}

/* Lock held. The list becomes the engine's; on failure it stays the caller's, and all is as before.
 */
static int change(Engine *engine, Policies *list, Error *err) {
        Policies *policies = engine->policies;
        Error why = { 0 };
        int r = failpoint("policy.apply", err);

        if (r == 0)
                r = put_in_force(engine, list, err);
        if (r < 0)
                return r;
        r = failpoint("policy.record", err);
        if (r == 0)
                r = save(engine, list, err);
        if (r < 0) {
                if (put_in_force(engine, policies, &why) < 0)
                        log_error("go back to the network policies before: %s", why.message);
                return r;
        }
        list_done(policies);
        policies->items = list->items;
        policies->count = list->count;
        list->items = NULL;
        list->count = 0;
        return 0;
}

typedef struct Outcome {
        char *namespace, *name, *action;
} Outcome;

static const JsonField outcome_fields[] = {
        JSON_FIELD(Outcome, "Namespace", JSON_STRING, namespace, 0),
        JSON_FIELD(Outcome, "Name", JSON_STRING, name, 0),
        JSON_FIELD(Outcome, "Action", JSON_STRING, action, 0),
};
static const JsonTable outcome_table = JSON_TABLE(Outcome, "outcome", outcome_fields);

static bool is_same(const Policy *a, const Policy *b) {
        _cleanup_json_ json_object *left = policy_write(a), *right = policy_write(b);

        return json_object_equal(left, right);
}

/* Puts the policy into the list, over one of its name; says what that comes to. */
static int merge_one(Policies *list, const Policy *policy, const char **ret_action, Error *err) {
        Policy *there = find(list, policy->namespace, policy->name);

        if (there && is_same(there, policy)) {
                *ret_action = "unchanged";
                return 0;
        }
        *ret_action = there ? "configured" : "created";
        if (there) {
                policy_done(there);
        } else {
                list->items = alloc_resize(list->items, list->count + 1, sizeof(Policy));
                there = &list->items[list->count++];
        }
        *there = (Policy){ 0 };
        return copy_one(policy, there, err);
}

static int merge(Policies *list, const Policy *policies, size_t count, Buf *json, bool *ret_changed,
                 Error *err) {
        buf_add_char(json, '[');
        for (size_t i = 0; i < count; i++) {
                const char *action;
                int r = merge_one(list, &policies[i], &action, err);

                if (r < 0)
                        return r;
                const Outcome outcome = { policies[i].namespace, policies[i].name, (char *)action };
                *ret_changed |= !str_equal(action, "unchanged");
                if (i > 0)
                        buf_add_char(json, ',');
                json_add_text(json, &outcome_table, &outcome);
        }
        buf_add_char(json, ']');
        qsort(list->items, list->count, sizeof(Policy), compare);
        return 0;
}

static void lock(Engine *engine) {
        lock_take(&engine->policies->lock, LOCK_POLICIES);
}

static void unlock(Engine *engine) {
        lock_drop(&engine->policies->lock, LOCK_POLICIES);
}

int engine_policy_apply(Engine *engine, const char *text, size_t length, const char *namespace,
                        Buf *json, Error *err) {
        Policies list = { 0 };
        Policy *policies;
        bool changed = false;
        size_t count;
        int r = policy_parse(text, length, str_empty(namespace) ? NULL : namespace, &policies,
                             &count, err);

        if (r < 0)
                return r;
        lock(engine);
        r = copy_all(engine->policies, &list, err);
        if (r == 0)
                r = merge(&list, policies, count, json, &changed, err);
        if (r == 0 && changed)
                r = change(engine, &list, err);
        unlock(engine);
        list_done(&list);
        policies_free(policies, count);
        return r;
}

static int not_found(const char *namespace, const char *name, Error *err) {
        return error_kind(err, ERROR_NOT_FOUND, "No such policy: %s/%s", namespace, name);
}

int engine_policy_remove(Engine *engine, const char *namespace, const char *name, Error *err) {
        Policies list = { 0 };
        Policy *policy;
        int r;

        lock(engine);
        r = copy_all(engine->policies, &list, err);
        policy = r == 0 ? find(&list, namespace, name) : NULL;
        if (r == 0 && !policy)
                r = not_found(namespace, name, err);
        if (r == 0) {
                const size_t at = (size_t)(policy - list.items);

                policy_done(policy);
                memmove(policy, policy + 1, (--list.count - at) * sizeof(*policy));
                r = change(engine, &list, err);
        }
        unlock(engine);
        list_done(&list);
        return r;
}

/* ---- what there is ---- */

static void add_document(const Policy *policy, Buf *json) {
        _cleanup_json_ json_object *document = policy_write(policy);

        buf_add_str(json,
                    json_object_to_json_string_ext(
                            document, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
}

int engine_policy_list(Engine *engine, const char *namespace, Buf *json, Error *err) {
        bool first = true;

        (void)err;
        buf_add_char(json, '[');
        lock(engine);
        for (size_t i = 0; i < engine->policies->count; i++) {
                const Policy *policy = &engine->policies->items[i];

                if (!str_empty(namespace) && !str_equal(policy->namespace, namespace))
                        continue;
                if (!first)
                        buf_add_char(json, ',');
                first = false;
                add_document(policy, json);
        }
        unlock(engine);
        buf_add_char(json, ']');
        return 0;
}

int engine_policy_inspect(Engine *engine, const char *namespace, const char *name, Buf *json,
                          Error *err) {
        const Policy *policy;

        lock(engine);
        policy = find(engine->policies, namespace, name);
        if (policy)
                add_document(policy, json);
        unlock(engine);
        return policy ? 0 : not_found(namespace, name, err);
}
