/* request.c: the tables of the smaller requests of the Engine API (exec, network, volume), and
 * filters. Their bigger sister is container.c. */
#include "spec/container.h"

#define OMIT JSON_OMIT_EMPTY

static const JsonField exec_fields[] = {
        JSON_FIELD(ExecConfig, "User", JSON_STRING, user, OMIT),
        JSON_FIELD(ExecConfig, "Privileged", JSON_BOOL, privileged, OMIT),
        JSON_FIELD(ExecConfig, "Tty", JSON_BOOL, tty, OMIT),
        JSON_FIELD(ExecConfig, "ConsoleSize", JSON_RAW, console_size, OMIT),
        JSON_FIELD(ExecConfig, "AttachStdin", JSON_BOOL, attach_stdin, OMIT),
        JSON_FIELD(ExecConfig, "AttachStdout", JSON_BOOL, attach_stdout, OMIT),
        JSON_FIELD(ExecConfig, "AttachStderr", JSON_BOOL, attach_stderr, OMIT),
        JSON_FIELD(ExecConfig, "DetachKeys", JSON_STRING, detach_keys, OMIT),
        JSON_FIELD(ExecConfig, "Env", JSON_STRINGS, env, OMIT),
        JSON_FIELD(ExecConfig, "WorkingDir", JSON_STRING, working_dir, OMIT),
        JSON_FIELD(ExecConfig, "Cmd", JSON_WORDS, cmd, 0),
};
const JsonTable exec_config_table = JSON_TABLE(ExecConfig, "exec", exec_fields);

static const JsonField pool_fields[] = {
        JSON_FIELD(IpamPoolSpec, "Subnet", JSON_STRING, subnet, OMIT),
        JSON_FIELD(IpamPoolSpec, "IPRange", JSON_STRING, ip_range, OMIT),
        JSON_FIELD(IpamPoolSpec, "Gateway", JSON_STRING, gateway, OMIT),
        JSON_FIELD(IpamPoolSpec, "AuxiliaryAddresses", JSON_PAIRS, auxiliary, OMIT),
};
static const JsonField address_pool_fields[] = {
        JSON_FIELD(AddressPoolSpec, "Base", JSON_STRING, base, JSON_REQUIRED),
        JSON_FIELD(AddressPoolSpec, "Size", JSON_INT, size, JSON_REQUIRED),
};
const JsonTable address_pool_spec_table =
        JSON_TABLE(AddressPoolSpec, "AddressPool", address_pool_fields);

const JsonTable ipam_pool_spec_table = JSON_TABLE(IpamPoolSpec, "IPAM.Config", pool_fields);

static const JsonField ipam_fields[] = {
        JSON_FIELD(IpamSpec, "Driver", JSON_STRING, driver, 0),
        JSON_FIELD(IpamSpec, "Options", JSON_PAIRS, options, 0),
        JSON_NESTED(IpamSpec, "Config", JSON_ARRAY, config, 0, &ipam_pool_spec_table),
};
const JsonTable ipam_spec_table = JSON_TABLE(IpamSpec, "IPAM", ipam_fields);

static const JsonField reference_fields[] = {
        JSON_FIELD(ConfigReference, "Network", JSON_STRING, network, 0),
};
const JsonTable config_reference_table =
        JSON_TABLE(ConfigReference, "ConfigFrom", reference_fields);

static const JsonField network_fields[] = {
        JSON_FIELD(NetworkCreate, "Name", JSON_STRING, name, 0),
        JSON_FIELD(NetworkCreate, "CheckDuplicate", JSON_BOOL, check_duplicate, OMIT),
        JSON_FIELD(NetworkCreate, "Driver", JSON_STRING, driver, 0),
        JSON_FIELD(NetworkCreate, "Scope", JSON_STRING, scope, OMIT),
        JSON_FIELD(NetworkCreate, "EnableIPv4", JSON_MAYBE_BOOL, enable_ipv4, OMIT),
        JSON_FIELD(NetworkCreate, "EnableIPv6", JSON_BOOL, enable_ipv6, OMIT),
        JSON_NESTED(NetworkCreate, "IPAM", JSON_OBJECT, ipam, OMIT, &ipam_spec_table),
        JSON_FIELD(NetworkCreate, "Internal", JSON_BOOL, internal, 0),
        JSON_FIELD(NetworkCreate, "Attachable", JSON_BOOL, attachable, 0),
        JSON_FIELD(NetworkCreate, "Ingress", JSON_BOOL, ingress, 0),
        JSON_FIELD(NetworkCreate, "ConfigOnly", JSON_BOOL, config_only, 0),
        JSON_NESTED(NetworkCreate, "ConfigFrom", JSON_OBJECT, config_from, OMIT,
                    &config_reference_table),
        JSON_FIELD(NetworkCreate, "Options", JSON_PAIRS, options, 0),
        JSON_FIELD(NetworkCreate, "Labels", JSON_PAIRS, labels, 0),
};
const JsonTable network_create_table = JSON_TABLE(NetworkCreate, "network", network_fields);

static const JsonField volume_fields[] = {
        JSON_FIELD(VolumeCreate, "Name", JSON_STRING, name, OMIT),
        JSON_FIELD(VolumeCreate, "Driver", JSON_STRING, driver, OMIT),
        JSON_FIELD(VolumeCreate, "DriverOpts", JSON_PAIRS, driver_opts, OMIT),
        JSON_FIELD(VolumeCreate, "Labels", JSON_PAIRS, labels, OMIT),
};
const JsonTable volume_create_table = JSON_TABLE(VolumeCreate, "volume", volume_fields);

/* ---- filters ---- */

static int value_wrong(const char *key, Error *err) {
        return error_kind(err, ERROR_INVALID,
                          "invalid filter: '%s' must be a list of strings, or an object whose "
                          "keys are the values",
                          key);
}

static int filter_add(char ***list, const char *key, json_object *value, Error *err) {
        if (!json_object_is_type(value, json_type_string))
                return value_wrong(key, err);
        strv_add(list, json_object_get_string(value));
        return 0;
}

static int filter_values(const char *key, json_object *values, char ***list, Error *err) {
        if (json_object_is_type(values, json_type_object)) {
                json_object_object_foreach(values, value, wanted) {
                        if (json_object_is_type(wanted, json_type_boolean) &&
                            json_object_get_boolean(wanted))
                                strv_add(list, value);
                }
                return 0;
        }
        if (!json_object_is_type(values, json_type_array))
                return value_wrong(key, err);
        for (size_t i = 0; i < json_object_array_length(values); i++) {
                int r = filter_add(list, key, json_object_array_get_idx(values, i), err);

                if (r < 0)
                        return r;
        }
        return 0;
}

int filters_parse(const char *text, Filters *ret, Error *err) {
        _cleanup_json_ json_object *object = NULL;

        if (str_empty(text))
                return 0;
        int r = json_parse_any(text, strlen(text), &object, err);
        if (r < 0)
                return error_prefix(err, "invalid filter");
        if (!object)
                return 0;
        if (!json_object_is_type(object, json_type_object))
                return error_kind(err, ERROR_INVALID, "invalid filter: must be an object");
        json_object_object_foreach(object, key, values) {
                _cleanup_strv_ char **list = NULL;

                r = filter_values(key, values, &list, err);
                if (r < 0)
                        return r;
                /* A key without a value filters nothing. */
                if (list)
                        strv_free(map_put(&ret->lists, key, TAKE_PTR(list)));
        }
        return 0;
}

void filters_add(Filters *filters, const char *key, const char *value) {
        char **list = map_drop(&filters->lists, key);

        strv_add(&list, value);
        (void)map_put(&filters->lists, key, list);
}

static void list_free(void *list) {
        strv_free(list);
}

void filters_done(Filters *filters) {
        map_done(&filters->lists, list_free);
}

char *const *filters_get(const Filters *filters, const char *key) {
        return filters ? map_get(&filters->lists, key) : NULL;
}

int filters_check(const Filters *filters, const char *const *accepted, Error *err) {
        const char *key;
        void *list;

        if (!filters)
                return 0;
        MAP_EACH(&filters->lists, key, list) {
                if (!strv_has((char *const *)accepted, key))
                        return error_kind(err, ERROR_INVALID, "Invalid filter '%s'", key);
        }
        return 0;
}
