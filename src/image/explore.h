/* explore.h: what each layer of an image adds, changes, removes and wastes, path by path, from the
 * layers' snapshots. Inside image/ it reads the store; it prints nothing. */
#pragma once

#include "image/image.h"
#include "spec/explore.h"

/* One row, valid during the call; a negative result ends the walk and is what image_explore
 * returns. */
typedef int (*ExploreSink)(void *data, const ExploreFile *file);

/* Walks all layers at once, a directory at a time, so that what it holds in memory is what the
 * widest chain of directories needs and not the image. *ret is the caller's, for
 * json_done(&explore_summary_table). -ECANCELED and the like are the sink's. */
int image_explore(ImageStore *store, const char *ref, ExploreSink sink, void *data,
                  ExploreSummary *ret, Error *err);

/* ---- between explore.c and explore-findings.c ---- */
/* Why the regular file behind fd, at path, looks like one that holds a secret, or NULL. Its first
 * bytes are read, none is kept. Negative errno where it can't be. */
int explore_secret(int fd, const char *path, int64_t size, const char **ret, Error *err);
