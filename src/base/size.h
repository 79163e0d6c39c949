/* size.h: what a directory's files take; knows nothing of what they are. */
#pragma once

#include <stdint.h>

/* Bytes of the files below fd, which is closed, those of sparse ones as far as they take any. Links
 * are not followed; what is nested deeper than 128 directories is not counted. */
int64_t directory_size(int fd);
