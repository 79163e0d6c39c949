/* confine.h: what brig-image takes from itself before it looks at untrusted input. */
#pragma once

#include "base/error.h"

/* For archives (directory_fd is of the new root after): a mount namespace whose root is
 * directory_fd, no network, no IPC, only the capabilities that writing a layer needs, bounded
 * memory, and only the system calls that it makes. */
int confine_to_directory(int directory_fd, Error *err);
/* For the registry, and for compressing a layer: no capability, read-only files, bounded memory. */
int confine_to_network(Error *err);
