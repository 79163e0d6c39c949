/* links.h: --link on the default bridge. Inside engine only. */
#pragma once

#include "engine/container.h"

/* "name" or "name:alias" → links: alias → name. invalid "bad format for links: …". */
int link_parse(const char *text, Pairs *links, Error *err);
/* At create: HostConfig.Links become the ids of containers that there are; none where the container
 * is on a network of a user's, whose resolver has them. */
int links_resolve(Container *container, Error *err);
/* At start: conflict "Cannot link to a non running container: …". */
int links_check(const Container *container, Error *err);
/* Whether a linked container is about to be started by its restart policy. */
bool links_must_wait(const Container *container);
void links_hosts(const Container *container, Buf *buf); /* lines of the hosts file */
char **links_environment(const Container *container);   /* the caller's; NULL: none */
/* HostConfig.Links as inspect shows it, the caller's; NULL: none. */
json_object *links_document(const Container *container);
/* lock held, it has started: those that are linked to it learn its address, later. */
void links_tell(Container *container);
