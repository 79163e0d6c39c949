/* api.h: Docker's Engine API over an engine: routes, versions, documents. Knows HTTP and the
 * engine's calls, not how the engine does them. */
#pragma once

#include "engine/engine.h"
#include "http/server.h"

#define API_VERSION "1.51"
#define API_VERSION_MIN "1.24"

typedef struct Api Api;

Api *api_new(Engine *engine);
Api *api_free(Api *api);
/* An HttpHandler; data is an Api *. */
void api_handle(void *data, HttpExchange *exchange);
