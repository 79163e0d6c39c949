/* specs.c: limits, devices, hosts, networks, files of variables; see specs.h. Ports and mounts are
 * in files of their own. */
#include "cli/specs.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>

#include "base/fd.h"
#include "cli/values.h"

#define FILE_MAX (16u << 20)

/* ---- networks ---- */

static NetworkSpec *network_append(NetworkSpecs *specs) {
        GROW(specs->items, specs->count);
        specs->items[specs->count] = (NetworkSpec){};
        return &specs->items[specs->count++];
}

static int network_set(NetworkSpec *spec, const char *field, Error *err) {
        size_t length = strcspn(field, "=");
        _cleanup_free_ char *raw = str_copy_n(field, length);
        const char *key = str_lower(str_trim(raw)), *value = field + length + 1;

        if (!field[length])
                return error_kind(err, ERROR_INVALID, "invalid field %s", field);
        if (str_equal(key, "name"))
                str_replace(&spec->name, value);
        else if (str_equal(key, "alias"))
                strv_add(&spec->aliases, value);
        else if (str_equal(key, "ip"))
                str_replace(&spec->ip, value);
        else if (str_equal(key, "ip6"))
                str_replace(&spec->ip6, value);
        else if (str_equal(key, "mac-address"))
                str_replace(&spec->mac_address, value);
        else if (str_equal(key, "link-local-ip"))
                strv_add(&spec->link_local_ips, value);
        else if (str_equal(key, "driver-opt"))
                return value_map(&spec->driver_opts, value, err);
        else if (str_equal(key, "gw-priority"))
                return number_parse("ParseInt", value, INT32_MIN, INT32_MAX, &spec->gw_priority,
                                    err);
        else
                return error_kind(err, ERROR_INVALID, "invalid field key %s", key);
        return 0;
}

int network_spec_parse(void *member, const char *text, Error *err) {
        NetworkSpec *spec = network_append(member);
        _cleanup_strv_ char **fields = NULL;

        if (!strchr(text, '=')) {
                spec->name = str_copy(text);
                return 0;
        }
        fields = str_split(text, ',');
        for (char **field = fields; *field; field++) {
                int r = network_set(spec, *field, err);

                if (r < 0)
                        return r;
        }
        if (str_empty(spec->name))
                return error_kind(err, ERROR_INVALID, "network name/id is not specified");
        return 0;
}

void network_specs_done(NetworkSpecs *specs) {
        for (size_t i = 0; i < specs->count; i++) {
                NetworkSpec *spec = &specs->items[i];

                free(spec->name);
                free(spec->ip);
                free(spec->ip6);
                free(spec->mac_address);
                (void)strv_free(spec->aliases);
                (void)strv_free(spec->link_local_ips);
                pairs_done(&spec->driver_opts);
        }
        free(specs->items);
        *specs = (NetworkSpecs){};
}

/* ---- limits and devices ---- */

static bool is_ulimit(const char *name) {
        static const char *const names[] = {
                "core",   "cpu",   "data", "fsize",  "locks",  "memlock",    "msgqueue", "nice",
                "nofile", "nproc", "rss",  "rtprio", "rttime", "sigpending", "stack"
        };

        for (size_t i = 0; i < ELEMENTS(names); i++)
                if (str_equal(names[i], name))
                        return true;
        return false;
}

static int parse_limit(const char *text, int64_t *ret, Error *err) {
        return number_parse("ParseInt", text, INT64_MIN, INT64_MAX, ret, err);
}

int ulimit_parse(void *member, const char *text, Error *err) {
        size_t length = strcspn(text, "=");
        _cleanup_free_ char *name = str_copy_n(text, length), *soft_text = NULL;
        JsonArray *all = member;
        Ulimit *found = NULL;
        const char *values, *colon;
        int64_t soft = 0, hard = 0;
        int r;

        if (!text[length] || !text[length + 1])
                return error_kind(err, ERROR_INVALID, "invalid ulimit argument: %s", text);
        if (!is_ulimit(name))
                return error_kind(err, ERROR_INVALID, "invalid ulimit type: %s", name);
        values = text + length + 1;
        colon = strchr(values, ':');
        soft_text = str_copy_n(values, colon ? (size_t)(colon - values) : strlen(values));
        r = parse_limit(soft_text, &soft, err);
        hard = soft;
        if (r == 0 && colon && colon[1])
                r = parse_limit(colon + 1, &hard, err);
        if (r < 0)
                return r;
        if (hard != -1 && (soft > hard || soft == -1))
                return error_kind(err, ERROR_INVALID,
                                  "ulimit soft limit must be less than or equal to hard limit: "
                                  "%lld > %lld",
                                  (long long)soft, (long long)hard);
        for (size_t i = 0; i < all->count; i++)
                if (str_equal(((Ulimit *)all->items)[i].name, name))
                        found = &((Ulimit *)all->items)[i];
        if (!found) {
                found = json_append(all, &ulimit_table);
                found->name = TAKE_PTR(name);
        }
        found->soft = soft;
        found->hard = hard;
        return 0;
}

static bool is_device_mode(const char *mode) {
        return *mode && strspn(mode, "rwm") == strlen(mode);
}

int device_parse(const char *text, JsonArray *devices, Error *err) {
        _cleanup_strv_ char **parts = str_split(text, ':');
        size_t count = strv_length(parts);
        DeviceMapping *device;
        const char *inside, *mode = "rwm";

        if (count == 0)
                return error_kind(err, ERROR_INVALID, "bad format for path: %s", text);
        if (count > 3)
                return error_kind(err, ERROR_INVALID, "invalid device specification: %s", text);
        inside = parts[0];
        if (count == 2 && is_device_mode(parts[1]))
                mode = parts[1];
        else if (count >= 2)
                inside = *parts[1] ? parts[1] : parts[0];
        if (count == 3)
                mode = parts[2];
        if (count == 3 && !is_device_mode(mode))
                return error_kind(err, ERROR_INVALID, "bad mode specified: %s", mode);
        if (*inside != '/')
                return error_kind(err, ERROR_INVALID, "%s is not an absolute path", inside);
        device = json_append(devices, &device_mapping_table);
        device->path_on_host = str_copy(parts[0]);
        device->path_in_container = str_copy(inside);
        device->cgroup_permissions = str_copy(mode);
        return 0;
}

/* "/dev/sda:100" in two; *ret_path is the caller's, the rest borrowed. */
static int device_value(const char *text, char **ret_path, const char **ret_value, Error *err) {
        const char *colon = strchr(text, ':');

        if (!colon || strchr(colon + 1, ':') || colon == text)
                return error_kind(err, ERROR_INVALID, "bad format: %s", text);
        if (!str_after(text, "/dev/"))
                return error_kind(err, ERROR_INVALID, "bad format for device path: %s", text);
        *ret_path = str_copy_n(text, (size_t)(colon - text));
        *ret_value = colon + 1;
        return 0;
}

int weight_device_parse(void *member, const char *text, Error *err) {
        _cleanup_free_ char *path = NULL;
        WeightDevice *device;
        const char *value;
        int weight, r = device_value(text, &path, &value, err);

        if (r < 0)
                return r;
        if (str_to_int_in(value, 0, 1000, &weight) < 0 || (weight > 0 && weight < 10))
                return error_kind(err, ERROR_INVALID, "invalid weight for device: %s", text);
        device = json_append(member, &weight_device_table);
        device->path = TAKE_PTR(path);
        device->weight = weight;
        return 0;
}

static void throttle_add(JsonArray *devices, char *path, uint64_t rate) {
        ThrottleDevice *device = json_append(devices, &throttle_device_table);

        device->path = path;
        device->rate = rate;
}

int rate_device_parse(void *member, const char *text, Error *err) {
        _cleanup_free_ char *path = NULL;
        const char *value;
        int64_t rate;
        int r = device_value(text, &path, &value, err);

        if (r < 0)
                return r;
        if (str_to_size(value, &rate) < 0 || rate < 0)
                return error_kind(err, ERROR_INVALID,
                                  "invalid rate for device: %s. The correct format is "
                                  "<device-path>:<number>[<unit>]. Number must be a positive "
                                  "integer. Unit is optional and can be kb, mb, or gb",
                                  text);
        throttle_add(member, TAKE_PTR(path), (uint64_t)rate);
        return 0;
}

int count_device_parse(void *member, const char *text, Error *err) {
        _cleanup_free_ char *path = NULL;
        const char *value;
        uint64_t rate;
        int r = device_value(text, &path, &value, err);

        if (r < 0)
                return r;
        if (str_to_uint64(value, &rate) < 0)
                return error_kind(err, ERROR_INVALID,
                                  "invalid rate for device: %s. The correct format is "
                                  "<device-path>:<number>. Number must be a positive integer",
                                  text);
        throttle_add(member, TAKE_PTR(path), rate);
        return 0;
}

/* ---- hosts and streams ---- */

static bool is_address(const char *text) {
        struct in6_addr address;

        return inet_pton(AF_INET, text, &address) == 1 || inet_pton(AF_INET6, text, &address) == 1;
}

int extra_host_parse(void *member, const char *text, Error *err) {
        size_t length = strcspn(text, "=");
        _cleanup_free_ char *name = NULL, *address = NULL;

        if (!text[length])
                length = strcspn(text, ":");
        if (length == 0 || !text[length] || !text[length + 1])
                return error_kind(err, ERROR_INVALID, "bad format for add-host: \"%s\"", text);
        name = str_copy_n(text, length);
        address = str_copy(text + length + 1);
        if (*address == '[' && address[strlen(address) - 1] == ']') {
                address[strlen(address) - 1] = '\0';
                memmove(address, address + 1, strlen(address));
        }
        if (!str_equal(address, "host-gateway") && !is_address(address))
                return error_kind(err, ERROR_INVALID, "invalid IP address in add-host: \"%s\"",
                                  address);
        strv_format(member, "%s:%s", name, address);
        return 0;
}

int dns_parse(void *member, const char *text, Error *err) {
        if (!is_address(text))
                return error_kind(err, ERROR_INVALID, "IP address is not correctly formatted: %s",
                                  text);
        strv_add(member, text);
        return 0;
}

int attach_parse(void *member, const char *text, Error *err) {
        _cleanup_free_ char *name = str_lower(str_copy(text));

        if (!str_equal(name, "stdin") && !str_equal(name, "stdout") && !str_equal(name, "stderr"))
                return error_kind(err, ERROR_INVALID, "valid streams are STDIN, STDOUT and STDERR");
        strv_add(member, name);
        return 0;
}

int restart_parse(const char *text, RestartPolicy *ret, Error *err) {
        size_t length = strcspn(text, ":");

        if (length == 0 && text[length])
                return error_kind(err, ERROR_INVALID,
                                  "invalid restart policy format: no policy provided before colon");
        if (text[length] && str_to_int64(text + length + 1, &ret->maximum_retry_count) < 0)
                return error_kind(err, ERROR_INVALID,
                                  "invalid restart policy format: maximum retry count must be an "
                                  "integer");
        ret->name = str_copy_n(text, length);
        return 0;
}

/* ---- files of variables ---- */

static int add_line(const char *path, unsigned number, char *line, bool environment, char ***ret,
                    Error *err) {
        size_t length;
        const char *value;

        line += strspn(line, " \t");
        if (!*line || *line == '#')
                return 0;
        length = strcspn(line, "=");
        if (length == 0)
                return error_kind(err, ERROR_INVALID,
                                  "invalid env file (%s): no variable name on line '%s'", path,
                                  line);
        for (size_t i = 0; i < length; i++)
                if (isspace((unsigned char)line[i]))
                        return error_kind(err, ERROR_INVALID,
                                          "invalid env file (%s): variable '%.*s' contains "
                                          "whitespaces",
                                          path, (int)length, line);
        if (line[length]) {
                strv_add(ret, line);
                return 0;
        }
        value = environment ? getenv(line) : "";
        if (value)
                strv_format(ret, "%s=%s", line, value);
        return 0;
}

static int read_file(const char *path, bool environment, char ***ret, Error *err) {
        _cleanup_free_ char *text = NULL;
        size_t length;
        unsigned number = 0;
        char *line, *rest;
        int r = file_read_at(AT_FDCWD, path, FILE_MAX, &text, &length, NULL);

        if (r < 0)
                return error_kind(err, r == -ENOENT ? ERROR_NOT_FOUND : ERROR_INVALID,
                                  "open %s: %s", path,
                                  r == -ENOENT ? "no such file or directory" : strerror(-r));
        rest = text;
        if (strncmp(rest, "\xEF\xBB\xBF", 3) == 0)
                rest += 3;
        while ((line = strsep(&rest, "\n"))) {
                size_t end = strlen(line);

                if (end > 0 && line[end - 1] == '\r')
                        line[end - 1] = '\0';
                r = add_line(path, ++number, line, environment, ret, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

bool words_name(char *const *words, const char *name) {
        for (; words && *words; words++) {
                const char *rest = str_after(*words, name);

                if (rest && (!*rest || *rest == '='))
                        return true;
        }
        return false;
}

int variables_read(char *const *files, char *const *words, bool environment, char ***ret,
                   Error *err) {
        for (; files && *files; files++) {
                int r = read_file(*files, environment, ret, err);

                if (r < 0)
                        return r;
        }
        for (; words && *words; words++) {
                const char *value = environment && !strchr(*words, '=') ? getenv(*words) : NULL;

                if (value)
                        strv_format(ret, "%s=%s", *words, value);
                else
                        strv_add(ret, *words);
        }
        return 0;
}
