/* logpack.h: compresses a log's rotated files, one after the other, by a logger program, while the
 * log goes on. Names are changed here and by the rotation only, on one thread: whoever is killed
 * meanwhile leaves each record in one file that a reader takes. */
#pragma once

#include "monitor/logfile.h"

/* Takes up what an earlier monitor left half done. Everything is borrowed. */
LogPack *logpack_new(const LogFile *log, const LogHost *host);
LogPack *logpack_free(LogPack *pack); /* the file that is being compressed stays as it is */
/* The file `from` is called `to` now; to 0: it is gone. Told by the rotation. */
void logpack_moved(LogPack *pack, int64_t from, int64_t to);
/* Begins with the newest file that is not compressed, if there is one and nothing is being done. */
void logpack_start(LogPack *pack);
