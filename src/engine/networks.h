/* networks.h: the index of networks, those that are predefined, and configurations that others are
 * made from. Knows no containers. Inside engine only. */
#pragma once

#include <stdatomic.h>

#include "engine/engine-private.h"
#include "net/net.h"

/* A network as it is stored; immutable once it is in the index. */
typedef struct NetworkObject {
        atomic_int references;
        NetworkConfig config;
        int64_t created;
        char *scope; /* local */
        bool attachable, ingress, config_only, predefined;
        /* The default bridge, made with other options than before: not all who were on that are on
         * this yet. Changed at the daemon's start alone. */
        bool remade;
        bool shares_name; /* not stored: it may be made where others have its name */
        char *ipam_driver;
        bool has_ipam_options;
        Pairs ipam_options, labels;
        char *config_from; /* the configuration network that it was made from, by name */
        /* Guarded by the index's lock. */
        int active; /* endpoints that are reserved or joined */
        bool removing;
} NetworkObject;
extern const JsonTable network_table;
int networks_new(Engine *engine, Networks **ret, Error *err); /* reads the record */
Networks *networks_free(Networks *networks);
/* ref: name, id or unambiguous prefix. A new reference. not_found "network x not found". */
int network_lookup(Engine *engine, const char *ref, NetworkObject **ret, Error *err);
/* The same for an endpoint: the network stays until network_release. */
int network_acquire(Engine *engine, const char *ref, NetworkObject **ret, Error *err);
void network_release(Engine *engine, const char *id);
NetworkObject *network_ref(NetworkObject *network);
NetworkObject *network_unref(NetworkObject *network);
DEFINE_CLEANUP(NetworkObject *, network_unref)
#define _cleanup_network_ _cleanup_(network_unrefp)
/* References to all, oldest first. */
void networks_all(Engine *engine, NetworkObject ***ret, size_t *ret_count);
void networks_all_free(NetworkObject **networks, size_t count);
NetworkObject *network_object_new(void);
/* Makes and records it, and gives its id, if that is asked for. network: config filled but for id
 * (if it is to have a new one), pools' blanks and bridge. Consumes it. */
int network_make(Engine *engine, NetworkObject *network, char **ret_id, Error *err);
/* replaces: the record has a network of that id. */
int network_save(Engine *engine, const NetworkObject *network, bool replaces, Error *err);
/* The default bridge of an earlier daemon that was started with other options: it is in the record
 * and not in the index. Borrowed; NULL: none. */
const NetworkObject *networks_old_bridge(const Engine *engine);

/* predefined.c */
/* After net_reconcile: makes the predefined networks that the record lacks, or has otherwise. */
int networks_start(Engine *engine, Error *err);
/* The id of the default bridge, and whether those who are on it must be connected anew: the record
 * has it as another than the daemon's options say, or an earlier daemon did not come to the end of
 * that. NULL: there is none yet. Borrowed, until the engine serves. */
const char *networks_bridge(Engine *engine, bool *ret_remade);
/* Before net_reconcile: whether the default bridge that networks_start is to make can be. */
int networks_check(Engine *engine, Error *err);
/* After networks_start: those who were on the default bridge have been connected to it anew. */
int networks_settled(Engine *engine, Error *err);

/* network-templates.c: a request that names what does not go with a configuration network. */
int network_template_check(const NetworkCreate *create, Error *err);
/* Makes network, as yet unmade, one that only holds a configuration: it has no driver. */
int network_template_store(NetworkObject *network, Error *err);
/* Copies the configuration of from, and notes where it is from. not_found if from is none. */
int network_template_apply(const NetworkObject *from, NetworkObject *to, Error *err);

/* default-bridge.c: "bridge" as the options want it, but for its id. invalid names the option.
 * Where the options leave them open, the subnets are those of old (may be NULL), the one before. */
int default_bridge_config(const EngineOptions *options, const NetworkConfig *old,
                          NetworkConfig *ret, Error *err);
/* Whether a recorded network is as wanted; where nothing in particular is, it is. */
bool default_bridge_is(const NetworkConfig *wanted, const NetworkConfig *has);
const char *default_bridge_link(const EngineOptions *options);
