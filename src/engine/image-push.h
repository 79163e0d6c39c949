/* image-push.h: pushing an image in a form that the caller chose. Inside engine only. */
#pragma once

#include "engine/engine.h"

/* image-registry.c: engine_image_push_platform in a form; push->options is set. */
int engine_image_push_as(Engine *engine, const char *name, const ImagePush *push, Error *err);
