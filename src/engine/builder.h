/* builder.h: the life of the builder; what it is, build-private.h has. Inside engine only. */
#pragma once

#include "engine/engine-private.h"

int builder_new(Engine *engine, Builder **ret, Error *err); /* after the images are open */
void builder_hurry(Builder *builder); /* no prune waits for the disk any more */
Builder *builder_free(Builder *builder);
