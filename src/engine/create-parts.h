/* create-parts.h: what create.c asks of others before it makes a container. Inside engine only. */
#pragma once

#include "engine/container.h"

char *name_random(int attempt); /* adjective_name; attempt counts from 0; later ones get digits; the
                                   caller's */

/* At create: merges image's run configuration into container->spec.config as Docker does, and sets
 * container->path and args. invalid "no command specified". */
int image_defaults_merge(Container *container, const Image *image, Error *err);
/* At create, before anything is made: checks what a document alone can show (memory below 6 MB,
 * unknown capability, security option, log driver, restart policy with --rm …) in Docker's words;
 * appends warnings. */
int container_spec_check(Engine *engine, ContainerCreate *create, char ***warnings, Error *err);
