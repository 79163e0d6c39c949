/* drills-network.c: drills in which containers look for each other where they must not be. */
#include "drill/drill.h"

/* Their names have the run's in them: none is in the way of another run's. */
typedef struct Networks {
        char *quiet; /* whose containers may not speak to each other */
        char *open;
} Networks;

static void networks_done(Networks *networks) {
        free(networks->quiet);
        free(networks->open);
}

static int make_network(Cli *cli, const char *name, bool icc, Error *err) {
        _cleanup_json_ json_object *request = json_object_new_object(), *answer = NULL;
        json_object *options = json_object_new_object();

        (void)json_object_object_add(request, "Name", json_object_new_string(name));
        (void)json_object_object_add(request, "Options", options);
        run_label(request);
        (void)json_object_object_add(options, "com.docker.network.bridge.enable_icc",
                                     json_object_new_string(icc ? "true" : "false"));
        return api_json(cli, "POST", "/networks/create", request, &answer, err);
}

static int remove_network(Cli *cli, const char *name, int r, Error *err) {
        _cleanup_free_ char *path = str_format("/networks/%s", name);
        Error ignored = {};
        int removed = api_do(cli, "DELETE", path, r < 0 ? &ignored : err);

        return r < 0 ? r : removed;
}

/* A container that waits there; its address is the caller's, too. */
static int begin_peer(const Attempt *attempt, const char *network, char **ret_id,
                      char **ret_address, Error *err) {
        _cleanup_json_ json_object *request = box_request(attempt->image, "wait"), *answer = NULL;
        _cleanup_free_ char *path = NULL;
        json_object *networks;
        int r;

        (void)json_object_object_add(box_host(request), "NetworkMode",
                                     json_object_new_string(network));
        r = box_begin(attempt->cli, request, ret_id, err);
        if (r < 0)
                return r;
        path = str_format("/containers/%s/json", *ret_id);
        r = api_json(attempt->cli, "GET", path, NULL, &answer, err);
        networks = json_member(json_member(answer, "NetworkSettings"), "Networks");
        *ret_address = str_copy(json_words(json_member(networks, network), "IPAddress"));
        return r;
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
        int r = make_network(attempt->cli, networks.quiet, false, err);

        (void)drill;
        if (r < 0)
                return r;
        r = make_network(attempt->cli, networks.open, true, err);
        if (r == 0)
                r = remove_network(attempt->cli, networks.open, with_peers(attempt, &networks, err),
                                   err);
        return remove_network(attempt->cli, networks.quiet, r, err);
}

static const Drill drills[] = {
        { "neighbours", "", "Containers of another network, and of one with ICC off",
          "report it: the firewall lets containers reach each other", run_neighbours, "peers" },
};

const DrillSet network_drills = { drills, ELEMENTS(drills) };
