/* build-request.c: the end of a request for a build; what it is made of is in build.h. */
#include "engine/build.h"

static void contexts_done(BuildRequest *request) {
        for (size_t i = 0; i < request->context_count; i++) {
                free(request->contexts[i].name);
                close_fd(&request->contexts[i].dir_fd);
                close_fd(&request->contexts[i].tar_fd);
                free(request->contexts[i].image);
                free(request->contexts[i].url);
                close_fd(&request->contexts[i].layout_fd);
                free(request->contexts[i].path);
                free(request->contexts[i].tag);
                free(request->contexts[i].digest);
                (void)strv_free(request->contexts[i].growing);
        }
        free(request->contexts);
}

static void wipe(char *data, size_t length) {
        if (data)
                explicit_bzero(data, length);
        free(data);
}

static void secrets_done(BuildRequest *request) {
        for (size_t i = 0; i < request->secret_count; i++) {
                free(request->secrets[i].id);
                wipe(request->secrets[i].data, request->secrets[i].length);
        }
        free(request->secrets);
        for (size_t i = 0; i < request->ssh_count; i++) {
                free(request->ssh[i].id);
                close_fd(&request->ssh[i].socket_fd);
        }
        free(request->ssh);
}

static void wipe_text(char *text) {
        wipe(text, text ? strlen(text) : 0);
}

static void auths_done(BuildRequest *request) {
        for (size_t i = 0; i < strv_length(request->auth_hosts); i++) {
                free(request->auths[i].username);
                wipe_text(request->auths[i].password);
                wipe_text(request->auths[i].identity_token);
                wipe_text(request->auths[i].registry_token);
        }
        free(request->auths);
        strv_free(request->auth_hosts);
}

static void limits_done(BuildRequest *request) {
        Ulimit *limits = request->ulimits.items;

        for (size_t i = 0; i < request->ulimits.count; i++)
                json_done(&ulimit_table, &limits[i]);
        free(limits);
        free(request->cpuset_cpus);
        free(request->cpuset_mems);
        free(request->cgroup_parent);
}

static void outputs_done(BuildRequest *request) {
        for (size_t i = 0; i < request->output_count; i++) {
                free(request->outputs[i].type);
                close_fd(&request->outputs[i].fd);
                strv_free(request->outputs[i].names);
                build_annotations_done(&request->outputs[i].annotations);
        }
        free(request->outputs);
}

static void places_done(BuildCachePlace *places, size_t count) {
        for (size_t i = 0; i < count; i++) {
                free(places[i].reference);
                free(places[i].path);
                close_fd(&places[i].dir_fd);
                free(places[i].tag);
                free(places[i].digest);
        }
        free(places);
}

void build_request_done(BuildRequest *request) {
        contexts_done(request);
        secrets_done(request);
        auths_done(request);
        limits_done(request);
        outputs_done(request);
        places_done(request->cache_from, request->cache_from_count);
        places_done(request->cache_to, request->cache_to_count);
        free(request->dockerfile);
        free(request->dockerfile_name);
        free(request->ignore);
        free(request->ignore_name);
        strv_free(request->args);
        strv_free(request->labels);
        strv_free(request->tags);
        strv_free(request->no_cache_filter);
        strv_free(request->extra_hosts);
        strv_free(request->allow);
        free(request->target);
        strv_free(request->platforms);
        free(request->network);
        build_annotations_done(&request->annotations);
        *request = (BuildRequest){ 0 };
}
