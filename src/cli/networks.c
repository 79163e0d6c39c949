/* networks.c: network create, ls, rm, connect and disconnect. */
#include <errno.h>

#include "base/ip.h"
#include "cli/commands.h"
#include "cli/list.h"
#include "cli/values.h"
#include "spec/container.h"

/* ---- create ---- */

typedef struct CreateOptions {
        bool attachable, config_only, ingress, internal, ipv4, ipv6;
        Pairs aux_addresses, ipam_opts, opts;
        char *config_from, *driver, *ipam_driver, *scope;
        char **gateways, **ip_ranges, **labels, **subnets;
} CreateOptions;

static const Option create_rows[] = {
        { "attachable", 0, OPTION_BOOL, offsetof(CreateOptions, attachable),
          "Let containers be attached by hand" },
        { "aux-address", 0, OPTION_MAP, offsetof(CreateOptions, aux_addresses),
          "Addresses that others use (name=address)" },
        { "config-from", 0, OPTION_STRING, offsetof(CreateOptions, config_from),
          "Network that the configuration is copied from" },
        { "config-only", 0, OPTION_BOOL, offsetof(CreateOptions, config_only),
          "Make a configuration only" },
        { "driver", 'd', OPTION_STRING, offsetof(CreateOptions, driver), "Driver of the network",
          NULL, "\"bridge\"" },
        { "gateway", 0, OPTION_STRINGS, offsetof(CreateOptions, gateways),
          "Gateway of the subnet" },
        { .name = "ingress",
          .type = OPTION_BOOL,
          .help = "Make the swarm's routing mesh",
          .flags = OPTION_REFUSED },
        { "internal", 0, OPTION_BOOL, offsetof(CreateOptions, internal),
          "Let nothing in or out of it" },
        { "ip-range", 0, OPTION_STRINGS, offsetof(CreateOptions, ip_ranges),
          "Part of the subnet that addresses come from" },
        { "ipam-driver", 0, OPTION_STRING, offsetof(CreateOptions, ipam_driver),
          "Driver that hands out addresses", NULL, "\"default\"" },
        { "ipam-opt", 0, OPTION_MAP, offsetof(CreateOptions, ipam_opts), "Options of that driver" },
        { "ipv4", 0, OPTION_BOOL, offsetof(CreateOptions, ipv4), "Give IPv4 addresses", NULL,
          "true" },
        { "ipv6", 0, OPTION_BOOL, offsetof(CreateOptions, ipv6), "Give IPv6 addresses" },
        { "label", 0, OPTION_LABEL, offsetof(CreateOptions, labels), "Set labels" },
        { "opt", 'o', OPTION_MAP, offsetof(CreateOptions, opts), "Options of the driver" },
        { "scope", 0, OPTION_STRING, offsetof(CreateOptions, scope), "Scope of the network" },
        { "subnet", 0, OPTION_STRINGS, offsetof(CreateOptions, subnets),
          "Subnet in CIDR form, one for each segment" },
};

/* An address alone is a subnet of itself. Host bits are the daemon's to complain of. */
static int parse_subnet(const char *text, Subnet *ret) {
        int r;

        if (strchr(text, '/')) {
                r = cidr_parse(text, ret);
                return r == -ERANGE ? 0 : r;
        }
        r = ip_parse(text, &ret->address);
        if (r == 0)
                ret->prefix = ip_width(ret->address.family);
        return r;
}

static bool subnet_contains(const Subnet *subnet, const Subnet *other) {
        return other->prefix >= subnet->prefix && subnet_has(*subnet, other->address);
}

/* The pool whose subnet holds text, or NULL. */
static IpamPoolSpec *pool_for(IpamSpec *ipam, const char *text) {
        Subnet wanted;

        if (parse_subnet(text, &wanted) < 0)
                return NULL;
        for (size_t i = 0; i < ipam->config.count; i++) {
                IpamPoolSpec *pool = (IpamPoolSpec *)ipam->config.items + i;
                Subnet subnet;

                if (pool->subnet && parse_subnet(pool->subnet, &subnet) == 0 &&
                    subnet_contains(&subnet, &wanted))
                        return pool;
        }
        return NULL;
}

static int no_pool(const char *what, const char *text, Error *err) {
        return error_kind(err, ERROR_INVALID, "no matching subnet for %s %s", what, text);
}

static int check_subnets(char *const *subnets, Error *err) {
        for (; subnets && *subnets; subnets++)
                for (char *const *other = subnets + 1; *other; other++) {
                        Subnet a, b;

                        if (parse_subnet(*subnets, &a) < 0 || parse_subnet(*other, &b) < 0)
                                continue;
                        if (subnet_contains(&a, &b) || subnet_contains(&b, &a))
                                return error_kind(err, ERROR_INVALID,
                                                  "multiple overlapping subnet configuration is "
                                                  "not supported");
                }
        return 0;
}

static int fill_ipam(const CreateOptions *o, IpamSpec *ipam, Error *err) {
        int r = check_subnets(o->subnets, err);

        if (r < 0)
                return r;
        ipam->driver = str_copy(o->ipam_driver ?: "default");
        pairs_copy(&ipam->options, &o->ipam_opts);
        for (char **text = o->subnets; text && *text; text++) {
                IpamPoolSpec *pool = json_append(&ipam->config, &ipam_pool_spec_table);

                pool->subnet = str_copy(*text);
        }
        if (!o->subnets && (o->gateways || o->ip_ranges))
                return error_kind(err, ERROR_INVALID,
                                  "every ip-range or gateway must have a corresponding subnet");
        for (char **text = o->ip_ranges; text && *text; text++) {
                IpamPoolSpec *pool = pool_for(ipam, *text);

                if (!pool)
                        return no_pool("range", *text, err);
                str_replace(&pool->ip_range, *text);
        }
        for (char **text = o->gateways; text && *text; text++) {
                IpamPoolSpec *pool = pool_for(ipam, *text);

                if (!pool)
                        return no_pool("gateway", *text, err);
                str_replace(&pool->gateway, *text);
        }
        for (size_t i = 0; i < o->aux_addresses.count; i++) {
                const Pair *pair = &o->aux_addresses.items[i];
                IpamPoolSpec *pool = pool_for(ipam, pair->value);

                if (!pool)
                        return no_pool("aux-address", pair->value, err);
                pairs_put(&pool->auxiliary, pair->key, pair->value);
        }
        return 0;
}

static void put_labels(Pairs *pairs, char *const *words) {
        for (; words && *words; words++)
                (void)value_map(pairs, *words, NULL);
}

static int run_create(Cli *cli, const Options *options, Error *err) {
        const CreateOptions *o = options->values;
        NetworkCreate create = { .check_duplicate = true,
                                 .internal = o->internal,
                                 .attachable = o->attachable,
                                 .config_only = o->config_only,
                                 .enable_ipv6 = o->ipv6 };
        _cleanup_json_ json_object *body = NULL, *answer = NULL;
        int r;

        if (options_given(options, "ipv4"))
                create.enable_ipv4 = alloc_copy(&o->ipv4, sizeof(o->ipv4));
        create.name = str_copy(options->arguments[0]);
        create.driver = str_copy(o->driver ?: "bridge");
        create.scope = str_copy(o->scope);
        if (o->config_from) {
                create.config_from = NEW(ConfigReference);
                create.config_from->network = str_copy(o->config_from);
        }
        create.ipam = NEW(IpamSpec);
        pairs_copy(&create.options, &o->opts);
        put_labels(&create.labels, o->labels);
        r = fill_ipam(o, create.ipam, err);
        if (r == 0) {
                body = json_write(&network_create_table, &create);
                r = api_json(cli, "POST", "/networks/create", body, &answer, err);
        }
        json_done(&network_create_table, &create);
        if (r == 0)
                (void)printf("%s\n", json_words(answer, "Id"));
        return r;
}

const Command network_create_command = { "[OPTIONS] NETWORK",
                                         "Create a network",
                                         { create_rows, ELEMENTS(create_rows),
                                           sizeof(CreateOptions) },
                                         run_create,
                                         1,
                                         1 };

/* ---- ls ---- */

typedef struct LsOptions {
        bool no_trunc, quiet;
        char **filters, *format;
} LsOptions;

static const Option ls_rows[] = {
        { "filter", 'f', OPTION_FILTER, offsetof(LsOptions, filters),
          "Show only what fits (\"driver=bridge\")" },
        { "format", 0, OPTION_STRING, offsetof(LsOptions, format),
          "Format: table, json, or a Go template" },
        { "no-trunc", 0, OPTION_BOOL, offsetof(LsOptions, no_trunc), "Do not cut the output" },
        { "quiet", 'q', OPTION_BOOL, offsetof(LsOptions, quiet), "Show IDs only" },
};

static const ListColumn columns[] = {
        { "ID", "NETWORK ID" },     { "Name", "NAME" },     { "Driver", "DRIVER" },
        { "Scope", "SCOPE" },       { "IPv4", "IPV4" },     { "IPv6", "IPV6" },
        { "Internal", "INTERNAL" }, { "Labels", "LABELS" }, { "CreatedAt", "CREATED AT" },
};

static const ListKind kind = { "*network.networkContext",
                               "{{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}",
                               "{{.ID}}",
                               "networksFormat",
                               NULL,
                               columns,
                               ELEMENTS(columns) };

/* "2026-11-24 21:49:43.311591684 +0000 UTC" */
static char *created_text(const char *text) {
        char formatted[CLOCK_TEXT_MAX];
        int64_t when;

        if (clock_parse(text, &when) < 0)
                return str_copy(text);
        (void)clock_format(when, formatted);
        formatted[10] = ' ';
        formatted[strlen(formatted) - 1] = '\0';
        return str_format("%s +0000 UTC", formatted);
}

static json_object *make_row(json_object *network, bool whole) {
        json_object *row = json_object_new_object();
        const char *id = json_words(network, "Id");

        row_take(row, "CreatedAt", created_text(json_words(network, "Created")));
        row_put(row, "Driver", json_words(network, "Driver"));
        row_take(row, "ID", whole ? str_copy(id) : short_id(id));
        row_put(row, "IPv4", json_truth(network, "EnableIPv4") ? "true" : "false");
        row_put(row, "IPv6", json_truth(network, "EnableIPv6") ? "true" : "false");
        row_put(row, "Internal", json_truth(network, "Internal") ? "true" : "false");
        row_take(row, "Labels", labels_text(json_member(network, "Labels")));
        row_put(row, "Name", json_words(network, "Name"));
        row_put(row, "Scope", json_words(network, "Scope"));
        return row;
}

static int compare_rows(const void *a, const void *b) {
        return strcmp(json_words(((const ListRow *)a)->fields, "Name"),
                      json_words(((const ListRow *)b)->fields, "Name"));
}

static int run_ls(Cli *cli, const Options *options, Error *err) {
        const LsOptions *o = options->values;
        _cleanup_free_ char *path = str_copy("/networks");
        _cleanup_json_ json_object *all = NULL;
        _cleanup_(list_done) List list = {};
        int r;

        path_filters(&path, o->filters);
        r = api_json(cli, "GET", path, NULL, &all, err);
        if (r < 0)
                return r;
        for (size_t i = 0;
             json_object_is_type(all, json_type_array) && i < json_object_array_length(all); i++) {
                json_object *network = json_object_array_get_idx(all, i);

                list_add(&list, make_row(network, o->no_trunc),
                         json_object_get(json_member(network, "Labels")));
        }
        if (list.count > 0)
                qsort(list.rows, list.count, sizeof(*list.rows), compare_rows);
        return list_print(&kind, list_format(cli, &kind, o->format, o->quiet), NULL, o->quiet,
                          &list, err);
}

const Command network_ls_command = { "[OPTIONS]",
                                     "List networks",
                                     { ls_rows, ELEMENTS(ls_rows), sizeof(LsOptions) },
                                     run_ls,
                                     0,
                                     0 };

/* ---- rm ---- */

typedef struct ForceOption {
        bool force;
} ForceOption;

static const Option rm_rows[] = {
        { "force", 'f', OPTION_BOOL, offsetof(ForceOption, force),
          "A network that is not there is no error" },
};

static int run_rm(Cli *cli, const Options *options, Error *err) {
        const ForceOption *o = options->values;
        bool failed = false;

        for (size_t i = 0; i < options->count; i++) {
                const char *name = options->arguments[i];
                _cleanup_free_ char *path = path_format("/networks/%s", name);
                Error why = {};

                if (api_do(cli, "DELETE", path, &why) == 0) {
                        (void)printf("%s\n", name);
                        continue;
                }
                if (o->force && why.kind == ERROR_NOT_FOUND)
                        continue;
                (void)cli_complain(&why);
                failed = true;
        }
        return failed ? error_kind(err, ERROR_INTERNAL, "exit status 1") : 0;
}

const Command network_rm_command = { "NETWORK [NETWORK...]",
                                     "Remove one or more networks",
                                     { rm_rows, ELEMENTS(rm_rows), sizeof(ForceOption) },
                                     run_rm,
                                     1,
                                     -1 };

/* ---- connect, disconnect ---- */

typedef struct ConnectOptions {
        char **aliases, **links, **link_local_ips, **driver_opts;
        char *ip, *ip6;
        int64_t gw_priority;
} ConnectOptions;

static const Option connect_rows[] = {
        { "alias", 0, OPTION_STRINGS, offsetof(ConnectOptions, aliases),
          "Add a name by which the network knows the container" },
        { "driver-opt", 0, OPTION_STRINGS, offsetof(ConnectOptions, driver_opts),
          "Options of the driver" },
        { "gw-priority", 0, OPTION_INT, offsetof(ConnectOptions, gw_priority),
          "Priority of its gateway: the greatest has the default route" },
        { "ip", 0, OPTION_STRING, offsetof(ConnectOptions, ip),
          "IPv4 address (\"172.30.100.104\")" },
        { "ip6", 0, OPTION_STRING, offsetof(ConnectOptions, ip6),
          "IPv6 address (\"2001:db8::33\")" },
        { "link", 0, OPTION_LIST, offsetof(ConnectOptions, links),
          "Add a link to another container" },
        { "link-local-ip", 0, OPTION_STRINGS, offsetof(ConnectOptions, link_local_ips),
          "Link-local addresses" },
};

static int post_body(Cli *cli, const char *path, json_object *body, Error *err) {
        _cleanup_reply_ HttpReply *reply = NULL;
        _cleanup_buf_ Buf rest = {};
        int r = api_call(cli, "POST", path, body, &reply, err);

        return r < 0 ? r : http_reply_read_all(reply, 1 << 20, &rest, err);
}

static void fill_endpoint(const ConnectOptions *o, EndpointSettings *e) {
        e->aliases = strv_copy(o->aliases);
        e->links = strv_copy(o->links);
        put_labels(&e->driver_opts, o->driver_opts);
        e->gw_priority = o->gw_priority;
        e->ipam = NEW(EndpointIpam);
        e->ipam->ipv4_address = str_copy(o->ip);
        e->ipam->ipv6_address = str_copy(o->ip6);
        e->ipam->link_local_ips = strv_copy(o->link_local_ips);
}

static int run_connect(Cli *cli, const Options *options, Error *err) {
        _cleanup_free_ char *path = path_format("/networks/%s/connect", options->arguments[0]);
        _cleanup_json_ json_object *body = json_object_new_object();
        EndpointSettings endpoint = {};

        fill_endpoint(options->values, &endpoint);
        row_put(body, "Container", options->arguments[1]);
        (void)json_object_object_add(body, "EndpointConfig",
                                     json_write(&endpoint_settings_table, &endpoint));
        json_done(&endpoint_settings_table, &endpoint);
        return post_body(cli, path, body, err);
}

const Command network_connect_command = { "[OPTIONS] NETWORK CONTAINER",
                                          "Connect a container to a network",
                                          { connect_rows, ELEMENTS(connect_rows),
                                            sizeof(ConnectOptions) },
                                          run_connect,
                                          2,
                                          2 };

static const Option disconnect_rows[] = {
        { "force", 'f', OPTION_BOOL, offsetof(ForceOption, force), "Disconnect it by force" },
};

static int run_disconnect(Cli *cli, const Options *options, Error *err) {
        const ForceOption *o = options->values;
        _cleanup_free_ char *path = path_format("/networks/%s/disconnect", options->arguments[0]);
        _cleanup_json_ json_object *body = json_object_new_object();

        row_put(body, "Container", options->arguments[1]);
        (void)json_object_object_add(body, "Force", json_object_new_boolean(o->force));
        return post_body(cli, path, body, err);
}

const Command network_disconnect_command = { "[OPTIONS] NETWORK CONTAINER",
                                             "Disconnect a container from a network",
                                             { disconnect_rows, ELEMENTS(disconnect_rows),
                                               sizeof(ForceOption) },
                                             run_disconnect,
                                             2,
                                             2 };
