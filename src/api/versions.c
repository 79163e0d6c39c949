/* versions.c: an answer's document as the version has it that its client speaks. The engine writes
 * the newest with what older ones have besides; a table a document says what is taken out, put in
 * or called otherwise, as dockerd's own routes do it. Engine API, "version history". */
#include "api/versions.h"

static bool applies(const VersionRule *rule, int version) {
        if (rule->since)
                return version < rule->since;
        return rule->put || rule->copy ? version <= rule->until : version > rule->until;
}

/* At the member that the path ends in; "*" stands for every element or member. */
static void edit(json_object *value, const char *path, const VersionRule *rule);

static void edit_all(json_object *value, const char *rest, const VersionRule *rule) {
        if (json_object_is_type(value, json_type_array)) {
                for (size_t i = 0; i < json_object_array_length(value); i++)
                        edit(json_object_array_get_idx(value, i), rest, rule);
        } else if (json_object_is_type(value, json_type_object)) {
                json_object_object_foreach(value, name, member) {
                        (void)name;
                        edit(member, rest, rule);
                }
        }
}

static void edit_member(json_object *object, const char *name, const VersionRule *rule) {
        json_object *from = NULL;

        if (rule->copy) {
                if (json_object_object_get_ex(object, rule->copy, &from))
                        (void)json_object_object_add(object, name, json_object_get(from));
        } else if (rule->put) {
                (void)json_parse_any(rule->put, strlen(rule->put), &from, NULL);
                (void)json_object_object_add(object, name, from);
        } else {
                json_object_object_del(object, name);
        }
}

static void edit(json_object *value, const char *path, const VersionRule *rule) {
        const char *slash = strchr(path, '/');
        _cleanup_free_ char *name = NULL;
        json_object *member = NULL;

        if (slash && slash - path == 1 && *path == '*') {
                edit_all(value, slash + 1, rule);
                return;
        }
        if (!json_object_is_type(value, json_type_object))
                return;
        if (!slash) {
                edit_member(value, path, rule);
                return;
        }
        name = str_copy_n(path, (size_t)(slash - path));
        if (json_object_object_get_ex(value, name, &member))
                edit(member, slash + 1, rule);
}

int version_edit(const VersionRule *rules, size_t count, int version, VersionChange change,
                 Buf *json, Error *err) {
        _cleanup_json_ json_object *document = NULL;
        bool any = change != NULL;

        for (size_t i = 0; i < count; i++)
                any |= applies(&rules[i], version);
        if (!any)
                return 0;
        int r = json_parse_any(json->data, json->length, &document, err);
        if (r < 0)
                return error_prefix(err, "the document in the form of API 1.%d", version);
        for (size_t i = 0; i < count; i++)
                if (applies(&rules[i], version))
                        edit(document, rules[i].path, &rules[i]);
        if (change)
                change(document);
        buf_clear(json);
        buf_add_str(json,
                    json_object_to_json_string_ext(
                            document, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
        return 0;
}

/* ---- containers before 1.45: the short id is an alias on networks of one's own, from the moment
 * on that it is connected, by which compose 1.29 knows whether it is ---- */

static bool has_name(json_object *names, const char *name) {
        for (size_t i = 0;
             json_object_is_type(names, json_type_array) && i < json_object_array_length(names);
             i++)
                if (str_equal(json_object_get_string(json_object_array_get_idx(names, i)), name))
                        return true;
        return false;
}

static void add_alias(json_object *aliases, const char *name) {
        if (!has_name(aliases, name))
                (void)json_object_array_add(aliases, json_object_new_string(name));
}

void version_aliases(json_object *container) {
        const char *id = json_member_string(container, "Id");
        const char *host = json_member_string(json_member(container, "Config"), "Hostname");
        json_object *networks = json_member(json_member(container, "NetworkSettings"), "Networks");
        _cleanup_free_ char *brief = id && strlen(id) > 12 ? str_copy_n(id, 12) : NULL;

        if (!brief || !json_object_is_type(networks, json_type_object))
                return;
        json_object_object_foreach(networks, name, endpoint) {
                json_object *aliases = json_member(endpoint, "Aliases");

                if (str_equal(name, "bridge") || str_equal(name, "host") ||
                    str_equal(name, "none") || str_equal(name, "default") ||
                    !has_name(json_member(endpoint, "DNSNames"), brief))
                        continue;
                if (!json_object_is_type(aliases, json_type_array)) {
                        aliases = json_object_new_array();
                        (void)json_object_object_add(endpoint, "Aliases", aliases);
                }
                add_alias(aliases, brief);
                if (!str_empty(host))
                        add_alias(aliases, host);
        }
}
