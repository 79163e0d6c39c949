/* init.h: the child's side of container_create. */
#pragma once

#include "runtime/private.h"

/* Runs the steps and then the user's program; never returns. */
void init_run(const Setup *setup) __attribute__((noreturn));
