/* network-map.c: `brig network map`. */
#include <errno.h>
#include <unistd.h>

#include "base/fd.h"
#include "cli/commands.h"
#include "cli/files.h"
#include "cli/network-map.h"

typedef struct MapOptions {
        char *html, *json, *svg;
} MapOptions;

static const Option map_rows[] = {
        { "html", 0, OPTION_STRING, offsetof(MapOptions, html),
          "Write a page to this file (- is standard output)", "file" },
        { "json", 0, OPTION_STRING, offsetof(MapOptions, json),
          "Write JSON to this file (- is standard output)", "file" },
        { "svg", 0, OPTION_STRING, offsetof(MapOptions, svg),
          "Write a drawing to this file (- is standard output)", "file" },
};

static int write_out(const char *path, const Buf *out, Error *err) {
        int r;

        if (!str_equal(path, "-"))
                return output_file_write(path, out->data, out->length, 0644, err);
        r = fd_write_full(STDOUT_FILENO, out->data, out->length);
        return r < 0 ? error_set(err, -r, "write to standard output") : 0;
}

static int show(const NetworkMap *map, const MapOptions *o, Error *err) {
        const struct {
                const char *path;
                void (*add)(const NetworkMap *map, Buf *out);
        } forms[] = { { o->html, network_map_html },
                      { o->json, network_map_json },
                      { o->svg, network_map_svg },
                      { o->html || o->json || o->svg ? NULL : "-", network_map_text } };
        int r = 0;

        for (size_t i = 0; r == 0 && i < ELEMENTS(forms); i++) {
                _cleanup_buf_ Buf out = {};

                if (!forms[i].path)
                        continue;
                forms[i].add(map, &out);
                r = write_out(forms[i].path, &out, err);
        }
        return r;
}

/* The networks that are named, and the containers on them; all where none is. */
static int fetch_networks(Cli *cli, char *const *names, size_t count, json_object **ret,
                          Error *err) {
        _cleanup_json_ json_object *array = json_object_new_array();

        if (count == 0)
                return api_json(cli, "GET", "/networks", NULL, ret, err);
        for (size_t i = 0; i < count; i++) {
                _cleanup_free_ char *path = path_format("/networks/%s", names[i]);
                json_object *network = NULL;
                int r = api_json(cli, "GET", path, NULL, &network, err);

                if (r < 0)
                        return r;
                (void)json_object_array_add(array, network);
        }
        *ret = TAKE_PTR(array);
        return 0;
}

/* Without policies there is nothing that the map does not show; dockerd has none. */
static int fetch_policies(Cli *cli, json_object **ret, Error *err) {
        _cleanup_json_ json_object *policies = NULL;
        int r;

        if (!cli->is_brigd)
                return 0;
        r = api_json(cli, "GET", "/brig/policies", NULL, &policies, err);
        if (r < 0 || !json_object_is_type(policies, json_type_array) ||
            json_object_array_length(policies) == 0)
                return r;
        return api_json(cli, "GET", "/brig/policies/test", NULL, ret, err);
}

static int run_map(Cli *cli, const Options *options, Error *err) {
        _cleanup_json_ json_object *networks = NULL, *containers = NULL, *policies = NULL;
        NetworkMap map;
        int r = fetch_networks(cli, options->arguments, options->count, &networks, err);

        if (r == 0)
                r = api_json(cli, "GET", "/containers/json", NULL, &containers, err);
        if (r == 0)
                r = fetch_policies(cli, &policies, err);
        if (r < 0)
                return r;
        network_map_read(networks, containers, options->count > 0, &map);
        network_map_read_policies(policies, &map);
        r = show(&map, options->values, err);
        network_map_done(&map);
        return r;
}

const Command network_map_command = {
        "[OPTIONS] [NETWORK...]",
        "Draw networks, the containers on them, addresses, ports and policies",
        { map_rows, ELEMENTS(map_rows), sizeof(MapOptions) },
        run_map,
        0,
        -1
};
