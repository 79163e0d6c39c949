/* image-collect.h: when images go that nothing uses. Inside engine only. */
#pragma once

#include "engine/engine-private.h"

void image_collector_start(Engine *engine); /* once the containers are known */
/* Something has changed that may let an image go, or make it. Any thread; never blocks; may be
 * called with any lock held. */
void image_collect_soon(Engine *engine);
/* Why an image is to go that was last used `unused` ns ago, where all of them take `size` bytes;
 * the caller's. NULL: it stays. */
char *image_collect_reason(const ImageGcBounds *bounds, int64_t unused, int64_t size);
ImageCollector *image_collector_free(ImageCollector *collector); /* after workers_free */
