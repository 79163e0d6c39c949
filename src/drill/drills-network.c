/* drills-network.c: drills in which containers look for each other where they must not be, and for
 * what is outside of a network that does not lead out. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "drill/drill.h"

#define PATIENCE (10 * NSEC_PER_SEC)

/* Their names have the run's in them: none is in the way of another run's. */
typedef struct Networks {
        char *quiet; /* whose containers may not speak to each other */
        char *open;
} Networks;

static void networks_done(Networks *networks) {
        free(networks->quiet);
        free(networks->open);
}

typedef enum Kind {
        NETWORK_OPEN,
        NETWORK_QUIET,
        NETWORK_INNER, /* "Internal": it does not lead out */
} Kind;

static int make_network(Cli *cli, const char *name, Kind kind, Error *err) {
        _cleanup_json_ json_object *request = json_object_new_object(), *answer = NULL;
        json_object *options = json_object_new_object();

        (void)json_object_object_add(request, "Name", json_object_new_string(name));
        (void)json_object_object_add(request, "Options", options);
        run_label(request);
        (void)json_object_object_add(
                options, "com.docker.network.bridge.enable_icc",
                json_object_new_string(kind == NETWORK_QUIET ? "false" : "true"));
        (void)json_object_object_add(request, "Internal",
                                     json_object_new_boolean(kind == NETWORK_INNER));
        return api_json(cli, "POST", "/networks/create", request, &answer, err);
}

static int remove_network(Cli *cli, const char *name, int r, Error *err) {
        _cleanup_free_ char *path = str_format("/networks/%s", name);
        Error ignored = {};
        int removed = api_do(cli, "DELETE", path, r < 0 ? &ignored : err);

        return r < 0 ? r : removed;
}

/* The guest there, with a variable (NULL: none). */
static json_object *guest_there(const Attempt *attempt, const char *network, const char *guest,
                                const char *name, const char *value) {
        json_object *request = box_request(attempt->image, guest);
        json_object *environment = json_object_new_array();
        _cleanup_free_ char *variable = name ? str_format("%s=%s", name, value) : NULL;

        if (variable)
                (void)json_object_array_add(environment, json_object_new_string(variable));
        (void)json_object_object_add(request, "Env", environment);
        (void)json_object_object_add(box_host(request), "NetworkMode",
                                     json_object_new_string(network));
        return request;
}

/* A container there that goes on; its address is the caller's, too. */
static int begin_guest(const Attempt *attempt, const char *network, const char *guest,
                       char **ret_id, char **ret_address, Error *err) {
        _cleanup_json_ json_object *request = guest_there(attempt, network, guest, NULL, NULL);
        _cleanup_json_ json_object *answer = NULL;
        _cleanup_free_ char *path = NULL;
        json_object *networks;
        int r;

        r = box_begin(attempt->cli, request, ret_id, err);
        if (r < 0)
                return r;
        path = str_format("/containers/%s/json", *ret_id);
        r = api_json(attempt->cli, "GET", path, NULL, &answer, err);
        networks = json_member(json_member(answer, "NetworkSettings"), "Networks");
        *ret_address = str_copy(json_words(json_member(networks, network), "IPAddress"));
        return r;
}

static int begin_peer(const Attempt *attempt, const char *network, char **ret_id,
                      char **ret_address, Error *err) {
        return begin_guest(attempt, network, "wait", ret_id, ret_address, err);
}

/* What a container on the network says that it reaches is added to got. */
static int reach(const Attempt *attempt, const char *network, const char *one, const char *two,
                 Buf *got, Error *err) {
        _cleanup_json_ json_object *request = box_request(attempt->image, "peers");
        json_object *environment = json_object_new_array();
        const char *peers[] = { one, two };
        Attempt own = *attempt;

        for (size_t i = 0; i < ELEMENTS(peers) && peers[i]; i++) {
                _cleanup_free_ char *item = str_format("PEER%zu=%s", i + 1, peers[i]);

                (void)json_object_array_add(environment, json_object_new_string(item));
        }
        (void)json_object_object_add(request, "Env", environment);
        (void)json_object_object_add(box_host(request), "NetworkMode",
                                     json_object_new_string(network));
        own.got = got;
        return box_attempt(&own, request, err);
}

/* On the open network a neighbour is reached, or this tries nothing. */
static int look_around(Attempt *attempt, const Networks *networks, const char *quiet,
                       const char *open, Error *err) {
        _cleanup_buf_ Buf neighbour = {};
        int r = reach(attempt, networks->open, open, NULL, &neighbour, err);

        if (r == 0 && neighbour.length == 0)
                return error_kind(err, ERROR_INTERNAL,
                                  "containers of one network do not reach each other at all");
        return r < 0 ? r : reach(attempt, networks->quiet, quiet, open, attempt->got, err);
}

static int with_peers(Attempt *attempt, const Networks *networks, Error *err) {
        _cleanup_free_ char *quiet = NULL, *quiet_address = NULL, *open = NULL,
                            *open_address = NULL;
        int r = begin_peer(attempt, networks->quiet, &quiet, &quiet_address, err);

        if (r == 0)
                r = begin_peer(attempt, networks->open, &open, &open_address, err);
        if (r == 0)
                r = look_around(attempt, networks, quiet_address, open_address, err);
        if (open)
                r = box_end(attempt->cli, open, r, err);
        return quiet ? box_end(attempt->cli, quiet, r, err) : r;
}

static int run_neighbours(const Drill *drill, Attempt *attempt, Error *err) {
        _cleanup_free_ char *name = run_name();
        _cleanup_(networks_done) Networks networks = { str_format("brig-drill-quiet-%s", name),
                                                       str_format("brig-drill-open-%s", name) };
        int r = make_network(attempt->cli, networks.quiet, NETWORK_QUIET, err);

        (void)drill;
        if (r < 0)
                return r;
        r = make_network(attempt->cli, networks.open, NETWORK_OPEN, err);
        if (r == 0)
                r = remove_network(attempt->cli, networks.open, with_peers(attempt, &networks, err),
                                   err);
        return remove_network(attempt->cli, networks.quiet, r, err);
}

/* ---- names ---- */

/* What a container of the network is answered, whose server of names is another container. */
static int ask(const Attempt *attempt, const char *network, const char *server,
               const char *question, Buf *got, Error *err) {
        _cleanup_json_ json_object *request =
                guest_there(attempt, network, "ask", "QUESTION", question);
        json_object *servers = json_object_new_array();
        Attempt own = *attempt;

        (void)json_object_array_add(servers, json_object_new_string(server));
        (void)json_object_object_add(box_host(request), "Dns", servers);
        own.got = got;
        return box_attempt(&own, request, err);
}

/* The open network's question comes last: what was sent before it has come by then. It ends the
 * server, and must be answered, or this tries nothing. */
static int ask_both(Attempt *attempt, const char *open, const char *inner, const char *id,
                    const char *server, Error *err) {
        _cleanup_(box_end_done) BoxEnd asked = {};
        _cleanup_buf_ Buf answered = {};
        int r = ask(attempt, inner, server, "inside.brig-drill.test", attempt->got, err);

        if (r == 0)
                r = ask(attempt, open, server, "last.brig-drill.test", &answered, err);
        if (r == 0 && answered.length == 0)
                return error_kind(err, ERROR_INTERNAL,
                                  "containers do not reach the DNS server that they are given");
        if (r == 0)
                r = box_finish(attempt->cli, id, &asked, err);
        if (r == 0 && strstr(asked.output, "asked for inside."))
                buf_add_str(attempt->got, "a server outside hears what is asked for in an internal "
                                          "network\n");
        return r;
}

static int with_server(Attempt *attempt, const char *open, const char *inner, Error *err) {
        _cleanup_free_ char *id = NULL, *address = NULL;
        int r = begin_guest(attempt, open, "names", &id, &address, err);

        if (r == 0)
                r = ask_both(attempt, open, inner, id, address, err);
        return id ? box_end(attempt->cli, id, r, err) : r;
}

static int run_names(const Drill *drill, Attempt *attempt, Error *err) {
        _cleanup_free_ char *name = run_name();
        _cleanup_free_ char *open = str_format("brig-drill-open-%s", name);
        _cleanup_free_ char *inner = str_format("brig-drill-inner-%s", name);
        int r = make_network(attempt->cli, open, NETWORK_OPEN, err);

        (void)drill;
        if (r < 0)
                return r;
        r = make_network(attempt->cli, inner, NETWORK_INNER, err);
        if (r == 0)
                r = remove_network(attempt->cli, inner, with_server(attempt, open, inner, err),
                                   err);
        return remove_network(attempt->cli, open, r, err);
}

/* ---- published ports ---- */

#define PORT "7777/tcp"

/* The request's port, at whichever the engine chooses on the host's loopback. */
static void publish(json_object *request) {
        json_object *ports = json_object_new_object(), *bindings = json_object_new_object();
        json_object *list = json_object_new_array(), *binding = json_object_new_object();

        (void)json_object_object_add(ports, PORT, json_object_new_object());
        (void)json_object_object_add(request, "ExposedPorts", ports);
        (void)json_object_object_add(binding, "HostIp", json_object_new_string("127.0.0.1"));
        (void)json_object_object_add(binding, "HostPort", json_object_new_string(""));
        (void)json_object_array_add(list, binding);
        (void)json_object_object_add(bindings, PORT, list);
        (void)json_object_object_add(box_host(request), "PortBindings", bindings);
}

static int published_port(Cli *cli, const char *id, int64_t *ret, Error *err) {
        _cleanup_free_ char *path = str_format("/containers/%s/json", id);
        _cleanup_json_ json_object *answer = NULL;
        json_object *list;
        int r = api_json(cli, "GET", path, NULL, &answer, err);

        if (r < 0)
                return r;
        list = json_member(json_member(json_member(answer, "NetworkSettings"), "Ports"), PORT);
        if (str_to_int64(json_words(json_object_array_get_idx(list, 0), "HostPort"), ret) < 0)
                return error_kind(err, ERROR_INTERNAL, "the container's port is not published");
        return 0;
}

/* From 127.0.0.1; the guest may not listen yet. */
static int connect_to(int64_t port, Error *err) {
        const struct sockaddr_in address = { .sin_family = AF_INET,
                                             .sin_port = htons((uint16_t)port),
                                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        const struct timeval second = { .tv_sec = 1 };
        int64_t end = clock_monotonic() + PATIENCE;

        do {
                _cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

                (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &second, sizeof(second));
                if (fd < 0)
                        return error_set(err, errno, "make a socket");
                if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
                        return 0;
                (void)poll(NULL, 0, 10);
        } while (clock_monotonic() < end);
        return error_kind(err, ERROR_UNAVAILABLE,
                          "a container's port that is published at 127.0.0.1:%lld answers nobody",
                          (long long)port);
}

static int look_at_source(Attempt *attempt, const char *id, Error *err) {
        _cleanup_(box_end_done) BoxEnd seen = {};
        int64_t port;
        int r = published_port(attempt->cli, id, &port, err);

        if (r == 0)
                r = connect_to(port, err);
        if (r == 0)
                r = box_finish(attempt->cli, id, &seen, err);
        return r < 0 ? r : box_take(attempt, &seen, err);
}

static int with_port(const Drill *drill, Attempt *attempt, const char *network, Error *err) {
        _cleanup_json_ json_object *request =
                guest_there(attempt, network, drill->guest, NULL, NULL);
        _cleanup_free_ char *id = NULL;
        int r;

        publish(request);
        r = box_begin(attempt->cli, request, &id, err);
        return r < 0 ? r : box_end(attempt->cli, id, look_at_source(attempt, id, err), err);
}

static int run_sources(const Drill *drill, Attempt *attempt, Error *err) {
        _cleanup_free_ char *name = run_name();
        _cleanup_free_ char *open = str_format("brig-drill-open-%s", name);
        int r = make_network(attempt->cli, open, NETWORK_OPEN, err);

        return r < 0 ? r
                     : remove_network(attempt->cli, open, with_port(drill, attempt, open, err),
                                      err);
}

/* ---- addresses that are another's ---- */

/* Selects the run's containers and lets everything pass: whom a policy selects has its address for
 * itself. name: the run's project, which is its namespace. */
static int put_policy(Cli *cli, const char *name, Error *err) {
        _cleanup_free_ char *text = str_format(
                "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: %s\n"
                "  namespace: %s\nspec:\n  podSelector: {}\n"
                "  policyTypes: [Ingress]\n  ingress:\n  - {}\n",
                name, name);
        HttpRequest request = { .method = "POST",
                                .content_type = "application/yaml",
                                .body = text,
                                .length = strlen(text) };
        _cleanup_reply_ HttpReply *reply = NULL;

        return api_send(cli, &request, "/brig/policies", &reply, err);
}

static int claim(Attempt *attempt, const char *network, const char *address, Error *err) {
        _cleanup_json_ json_object *sends = guest_there(attempt, network, "send", "PEER1", address);
        _cleanup_json_ json_object *claims =
                guest_there(attempt, network, "claim", "CLAIM", address);
        _cleanup_free_ char *id = NULL;
        int r = box_begin(attempt->cli, sends, &id, err);

        return r < 0 ? r : box_end(attempt->cli, id, box_attempt(attempt, claims, err), err);
}

/* Without a policy the claim gets through, or this tries nothing. */
static int claim_freely(const Attempt *attempt, const char *network, const char *address,
                        Error *err) {
        _cleanup_buf_ Buf got = {};
        Attempt control = *attempt;
        int r;

        control.got = &got;
        r = claim(&control, network, address, err);
        if (r == 0 && got.length == 0)
                return error_kind(err, ERROR_INTERNAL,
                                  "a claim gets nobody's packets where no policy is, either");
        return r;
}

/* Where the answer was an error the policy may be there as well. */
static int claim_selected(Attempt *attempt, const char *network, const char *address, Error *err) {
        _cleanup_free_ char *run = run_name(), *name = str_format(RUN_PROJECT "%s", run);
        _cleanup_free_ char *path = path_format(POLICIES "/%s/%s", name, name);
        Error second = {};
        int r = put_policy(attempt->cli, name, err), removed;

        if (r == 0)
                r = claim(attempt, network, address, err);
        removed = api_do(attempt->cli, "DELETE", path, &second);
        if (r < 0 || removed == 0 || second.kind == ERROR_NOT_FOUND)
                return r;
        *err = second;
        return removed;
}

static int with_claimed(Attempt *attempt, const char *network, Error *err) {
        _cleanup_free_ char *id = NULL, *address = NULL;
        int r = begin_peer(attempt, network, &id, &address, err);

        if (r == 0)
                r = claim_freely(attempt, network, address, err);
        if (r == 0)
                r = claim_selected(attempt, network, address, err);
        return id ? box_end(attempt->cli, id, r, err) : r;
}

static int run_claims(const Drill *drill, Attempt *attempt, Error *err) {
        _cleanup_free_ char *name = run_name();
        _cleanup_free_ char *open = str_format("brig-drill-open-%s", name);
        int r = make_network(attempt->cli, open, NETWORK_OPEN, err);

        (void)drill;
        return r < 0 ? r
                     : remove_network(attempt->cli, open, with_claimed(attempt, open, err), err);
}

static const Drill drills[] = {
        { "neighbours", "", "Containers of another network, and of one with ICC off",
          "report it: the firewall lets containers reach each other", run_neighbours, "peers" },
        { "loopback-sources", "CVE-2021-20199", "Where what comes through a published port is from",
          "report it: a container takes strangers for itself", run_sources, "source" },
        { "address-claims", "", "ARP for a neighbour's address that a policy selects",
          "report it: a container takes another's address", run_claims, NULL },
        { "internal-names", "CVE-2024-29018",
          "Names that a container of an internal network asks for",
          "report it: what is asked for in an internal network leaves it", run_names, NULL },
};

const DrillSet network_drills = { drills, ELEMENTS(drills) };
