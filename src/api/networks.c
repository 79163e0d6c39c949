/* networks.c: the calls on networks. */
#include <errno.h>

#include "api/request.h"
#include "base/ip.h"

int on_network_list(ApiRequest *request, Error *err) {
        _cleanup_(filters_done) Filters filters = { 0 };
        _cleanup_buf_ Buf json = { 0 };
        int r = api_filters(request, &filters, err);

        if (r < 0)
                return r;
        r = engine_network_list(request->engine, &filters, &json, err);
        return r < 0 ? r : api_answer(request, 200, &json);
}

int on_network_inspect(ApiRequest *request, Error *err) {
        const char *scope = api_query(request, "scope");
        _cleanup_buf_ Buf json = { 0 };
        int r;

        /* Every network here is local: no other scope has one. */
        if (!str_empty(scope) && !str_equal(scope, "local"))
                return error_kind(err, ERROR_NOT_FOUND, "network %s not found", api_name(request));
        r = engine_network_inspect(request->engine, api_name(request), api_flag(request, "verbose"),
                                   &json, err);
        return r < 0 ? r : api_answer(request, 200, &json);
}

/* A block that is written as one of its addresses becomes what it should be. */
static void mask(char **text) {
        char right[IP_TEXT_MAX];
        Subnet block;

        if (!*text || cidr_parse(*text, &block) != -ERANGE)
                return;
        subnet_format(block, right);
        str_replace(text, right);
}

static void mask_blocks(const IpamSpec *ipam) {
        IpamPoolSpec *pools = ipam->config.items;

        for (size_t i = 0; i < ipam->config.count; i++) {
                mask(&pools[i].subnet);
                mask(&pools[i].ip_range);
        }
}

static int read_create(ApiRequest *request, NetworkCreate *ret, Error *err) {
        _cleanup_json_ json_object *body = NULL;
        json_object *ipam = NULL, *options = NULL;
        int r = api_body_object(request, &body, err);

        if (r >= 0)
                r = json_read(&network_create_table, body, ret, err);
        if (r < 0)
                return r;
        if (ret->ipam && request->version < 45)
                mask_blocks(ret->ipam); /* later ones refuse them, as dockerd 26 does */
        if (request->version >= 44)
                ret->check_duplicate = true; /* earlier ones have it as they ask */
        /* Inspect tells options that are empty from those that nobody gave. */
        if (ret->ipam && json_object_object_get_ex(body, "IPAM", &ipam))
                ret->ipam->has_options =
                        json_object_object_get_ex(ipam, "Options", &options) && options;
        return 0;
}

int on_network_create(ApiRequest *request, Error *err) {
        NetworkCreate create = { 0 };
        _cleanup_free_ char *id = NULL;
        _cleanup_free_ char *warning = NULL;
        _cleanup_buf_ Buf rest = { 0 };
        int r = read_create(request, &create, err);

        if (r >= 0)
                r = engine_network_create(request->engine, &create, &id, &warning, err);
        json_done(&network_create_table, &create);
        if (r < 0)
                return r;
        buf_add_str(&rest, ",\"Warning\":");
        json_add_quoted(&rest, warning ?: "");
        return api_answer_id(request, id, rest.data);
}

typedef struct NetworkMember {
        char *container;
        bool force;
        EndpointSettings *endpoint;
} NetworkMember;

static const JsonField member_fields[] = {
        JSON_FIELD(NetworkMember, "Container", JSON_STRING, container, 0),
        JSON_FIELD(NetworkMember, "Force", JSON_BOOL, force, 0),
        JSON_NESTED(NetworkMember, "EndpointConfig", JSON_OBJECT, endpoint, 0,
                    &endpoint_settings_table),
};
static const JsonTable member_table = JSON_TABLE(NetworkMember, "request", member_fields);

static int read_member(ApiRequest *request, NetworkMember *member, Error *err) {
        int r = api_body(request, &member_table, member, err);

        if (r >= 0 && str_empty(member->container))
                r = error_kind(err, ERROR_INVALID,
                               "the request names no container: set its member 'Container'");
        return r;
}

int on_network_connect(ApiRequest *request, Error *err) {
        NetworkMember member = { 0 };
        int r = read_member(request, &member, err);

        if (request->version < 48 && member.endpoint)
                member.endpoint->gw_priority = 0; /* it came with 1.48 */
        if (request->version < 44 && member.endpoint)
                member.endpoint->ipv6_optional = true; /* as for a container's create */
        if (r >= 0)
                r = engine_network_connect(request->engine, api_name(request), member.container,
                                           member.endpoint, err);
        json_done(&member_table, &member);
        return r < 0 ? r : api_answer_empty(request, 200);
}

int on_network_disconnect(ApiRequest *request, Error *err) {
        NetworkMember member = { 0 };
        int r = read_member(request, &member, err);

        if (r >= 0)
                r = engine_network_disconnect(request->engine, api_name(request), member.container,
                                              member.force, err);
        json_done(&member_table, &member);
        return r < 0 ? r : api_answer_empty(request, 200);
}

int on_network_remove(ApiRequest *request, Error *err) {
        return api_answer_done(request,
                               engine_network_remove(request->engine, api_name(request), err));
}

int on_network_prune(ApiRequest *request, Error *err) {
        return api_prune(request, engine_network_prune, err);
}
