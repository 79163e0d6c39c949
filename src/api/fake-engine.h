/* fake-engine.h: what the fake engine was asked for last; tests only. */
#pragma once

#include "engine/engine.h"

extern char fake_asked[1024];
