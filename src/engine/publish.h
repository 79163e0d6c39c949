/* publish.h: the ports that a container publishes, which an update changes. Inside engine only. */
#pragma once

#include "engine/container.h"

PublishSet *publish_set_ref(PublishSet *set);   /* NULL is fine, here and below */
PublishSet *publish_set_unref(PublishSet *set); /* returns NULL */
/* lock or the only reference held: HostConfig.PortBindings as it is now; borrowed. */
const JsonArray *container_bindings(const Container *container);
void container_publish_write(const Container *container, json_object *state);
int container_publish_read(Container *container, json_object *state, Error *err);
/* lock held. What the update makes of the bindings; NULL in *ret: nothing changes. invalid: what is
 * to go is not there, or cannot be published. */
int publish_change(const Container *container, const ContainerUpdate *update, PublishSet **ret,
                   Error *err);
/* lock held, container_bindings are the new ones: its endpoints publish them, where it runs; those
 * that were and are to be go on untouched. *ret_before: for publish_restore, which frees it. On
 * failure all is as before, and the error names who has the port. */
typedef struct PublishBefore {
        JsonArray *ports; /* of each endpoint */
        size_t count;
} PublishBefore;
int publish_apply(Container *container, const JsonArray *old, PublishBefore *ret_before,
                  Error *err);
void publish_restore(Container *container, PublishBefore *before);
void publish_before_done(PublishBefore *before);
/* What publish-change.c asks of publish.c: a port as net takes it, appended; which ports are an
 * endpoint's; the words of a binding checked. */
int container_port_parse(const char *text, int *ret_port, char **ret_protocol, Error *err);
int container_port_add(JsonArray *ports, const char *spec, const PortBinding *binding, Error *err);
bool container_port_is_for(const Container *container, const Endpoint *endpoint,
                           const PortBinding *binding);
/* "80" → "80/tcp"; the caller's, NULL with err (invalid: it can be no port). */
char *port_spec_of(const char *text, Error *err);
int port_binding_check(const char *spec, const PortBinding *binding, Error *err);
/* invalid, naming it: one of them can never be published, whatever the host has. */
int port_bindings_check(const JsonArray *all, Error *err);
typedef struct Wanted {
        const char *spec;           /* "80/tcp" */
        const PortBinding *binding; /* NULL: of publish-all */
        bool matched;               /* by one of another list */
} Wanted;
typedef struct WantedList {
        Wanted *items; /* one port each that is to be published */
        size_t count;
} WantedList;
/* Borrows from the container and the bindings; the items are the caller's to free. */
WantedList wanted_of(const Container *container, const JsonArray *bindings);

/* port-holder.c: who has the host's port: "container web", "process 812 (nginx)"; NULL: nobody is
 * found. The caller's. but: the container that asks. */
char *port_holder(const Container *but, const NetPort *port);
