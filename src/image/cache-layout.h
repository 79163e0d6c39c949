/* cache-layout.h: a build cache in a directory; shared by the cache-*.c files. */
#pragma once

#include "image/cache.h"
#include "image/push.h"

int cache_layout_fetch(const CachePlace *place, CacheFound *ret, Error *err);
/* One layer. Its pins are the assembly's. */
int cache_layout_bring(const CachePlace *place, Assembly *assembly, const CacheLayer *layer,
                       Error *err);
/* push: what is sent, its layers loaded; its session is not used. */
int cache_layout_send(const CachePlace *place, Push *push, Error *err);
/* The layer that it will be; false: it says nothing valid. */
bool cache_layer_valid(const CacheLayer *layer);
void cache_layer_take(const CacheLayer *layer, Layer *ret);
