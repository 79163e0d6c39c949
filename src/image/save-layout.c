/* save-layout.c: writes images into a directory that is an OCI layout, or becomes one. Blobs lie in
 * a directory of their own until all are there; then they are moved to their places, and the index
 * names them: what fails or is cancelled before leaves nothing. See save.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/id.h"
#include "image/layout-write.h"
#include "image/save.h"

typedef struct Stage {
        Saver *saver;
        const ImageLayoutPlace *place;
        LayoutWriter writer;
        int blobs_fd, fd;
        char name[64];
        char **staged; /* digests */
} Stage;

static int check_cancelled(const Stage *stage, Error *err) {
        const ImageLayoutPlace *place = stage->place;

        return place->cancelled && place->cancelled(place->data)
                       ? error_set(err, ECANCELED, "the build was cancelled")
                       : 0;
}

static int report(void *data, const char *status, Error *err) {
        return check_cancelled(data, err);
}

static int stage_blob(Stage *stage, const char *digest, const char *text, int fd, Error *err) {
        int r = check_cancelled(stage, err);

        if (r == 0)
                r = layout_write(&stage->writer, stage->fd, digest_hex(digest), text, fd, err);
        if (r == 0)
                strv_add(&stage->staged, digest);
        return r;
}

static bool has_layer(Saver *saver, const char *digest, int64_t size) {
        const Stage *stage = saver->out;

        return stage->blobs_fd >= 0 &&
               layout_has_blob(&stage->writer, stage->blobs_fd, digest, size);
}

static int put_text(Saver *saver, const char *digest, const char *text, int64_t time, Error *err) {
        return stage_blob(saver->out, digest, text, -1, err);
}

static int put_file(Saver *saver, const char *digest, int fd, int64_t size, int64_t time,
                    Error *err) {
        return stage_blob(saver->out, digest, NULL, fd, err);
}

/* The index's lock is held. */
static int settle(void *data, Error *err) {
        Stage *stage = data;
        int r = check_cancelled(stage, err);

        if (r == 0 && stage->blobs_fd < 0)
                r = MIN(stage->blobs_fd = layout_make_blobs(&stage->writer, err), 0);
        for (size_t i = 0; r == 0 && stage->staged && stage->staged[i]; i++) {
                const char *name = digest_hex(stage->staged[i]);

                if (renameat(stage->fd, name, stage->blobs_fd, name) < 0)
                        r = error_set(err, errno, "write '%s' of %s", name,
                                      stage->writer.layout.what);
        }
        return r;
}

/* One without a name is the latest, as BuildKit has it. */
static void name_unnamed(ImageIndex *index) {
        Descriptor *entries = index->manifests.items;

        for (size_t i = 0; i < index->manifests.count; i++)
                if (!pairs_get(&entries[i].annotations, LAYOUT_REF_NAME))
                        pairs_put(&entries[i].annotations, LAYOUT_REF_NAME, "latest");
}

static int fill(Stage *stage, Error *err) {
        static const SaveSink sink = { .has = has_layer, .text = put_text, .file = put_file };
        _cleanup_(image_index_done) ImageIndex index = {};
        int r = stage->fd =
                layout_make_below(&stage->writer, stage->place->dir_fd, stage->name, err);

        stage->saver->out = stage;
        stage->blobs_fd = layout_open_blobs(&stage->writer.layout, NULL); /* there may be none */
        if (r >= 0)
                r = save_blobs(stage->saver, &sink, err);
        if (r < 0)
                return r;
        save_list(stage->saver, &index);
        name_unnamed(&index);
        return layout_put_entries(&stage->writer, &index, settle, stage, err);
}

/* What it staged, by its descriptor: the directory is the client's, and what has the stage's name
 * by now may be anything. */
static int remove_stage(const Stage *stage, Error *err) {
        for (char *const *digest = stage->staged; digest && *digest; digest++)
                if (unlinkat(stage->fd, digest_hex(*digest), 0) < 0 && errno != ENOENT)
                        return error_set(err, errno, "remove '%s' of %s", stage->name,
                                         stage->writer.layout.what);
        if (unlinkat(stage->place->dir_fd, stage->name, AT_REMOVEDIR) < 0)
                return error_set(err, errno, "remove '%s' of %s", stage->name,
                                 stage->writer.layout.what);
        return 0;
}

int save_layout(Saver *saver, const ImageLayoutPlace *place, Error *err) {
        Stage stage = { .saver = saver,
                        .place = place,
                        .writer = { .layout = { .dir_fd = place->dir_fd,
                                                .what = "the output's directory" },
                                    .uid = place->uid,
                                    .gid = place->gid,
                                    .report = report },
                        .blobs_fd = -1,
                        .fd = -1 };
        char id[ID_LENGTH + 1];
        int r;

        id_new(id);
        (void)snprintf(stage.name, sizeof(stage.name), ".brig-%.20s", id);
        stage.writer.data = &stage;
        r = fill(&stage, err);
        saver->out = NULL;
        if (stage.fd >= 0) {
                int removed = remove_stage(&stage, r == 0 ? err : NULL);

                r = r == 0 ? removed : r;
        }
        close_fd(&stage.fd);
        close_fd(&stage.blobs_fd);
        (void)strv_free(stage.staged);
        return r;
}
