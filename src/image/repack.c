/* repack.c: a layer in another compression than the store has it: brig-image's work
 * (job-compress.c), checked against the layer's own digest. See form.h. */
#include <errno.h>

#include "base/fd.h"
#include "image/form.h"
#include "image/origin.h"

typedef struct Packing {
        const Repack *repack;
        Helper helper;
        char *digest; /* DIGEST_TEXT_MAX */
        int64_t size;
} Packing;

/* One report of the program; 1 when it is done. */
static int step(Packing *packing, Error *err) {
        const Repack *repack = packing->repack;
        const Layer *layer = repack->layer;
        _cleanup_(image_message_done) ImageMessage message = {};
        int r = helper_report(&packing->helper, &message, err);

        if (r < 0)
                return r;
        if (r == 0)
                return repack->report ? repack->report(repack->data, message.current,
                                                       MAX(layer->blob_size, message.current), err)
                                      : 0;
        if (!digest_valid(message.digest) || !str_equal(message.source, layer->diff))
                return error_kind(err, ERROR_INTERNAL,
                                  "layer %s is damaged in the image store: load or build the image "
                                  "again",
                                  layer->diff);
        memcpy(packing->digest, message.digest, DIGEST_TEXT_MAX);
        packing->size = message.size;
        return 1;
}

static int start(ImageStore *store, Packing *packing, int input_fd, int output_fd, Error *err) {
        const Repack *repack = packing->repack;
        const ImageForm *form = repack->form;
        const ImageMessage request = {
                .kind = (char *)"start",
                .media_type = (char *)form_media_type(repack->to),
                .detect = form->has_level && form->compression != LAYERS_AS_KEPT,
                .number = form->level,
        };
        const SpawnFd fds[] = { { input_fd, IMAGE_FD_INPUT }, { output_fd, IMAGE_FD_TARGET } };

        return helper_ask(store->helper, "compress", fds, ELEMENTS(fds), &request, &packing->helper,
                          err);
}

int layer_repack(ImageStore *store, const Repack *repack, BlobTemp *temp,
                 char ret_digest[DIGEST_TEXT_MAX], int64_t *ret_size, Error *err) {
        Packing packing = { .repack = repack, .helper = { .socket = -1 }, .digest = ret_digest };
        _cleanup_close_ int input_fd = -1;
        char key[FORM_TEXT_MAX];
        int r = layer_blob_open(store, repack->layer->blob, &input_fd, NULL, err);

        if (r == 0)
                r = blob_temp_new(store, temp, err);
        if (r == 0)
                r = start(store, &packing, input_fd, temp->fd, err);
        while (r == 0)
                r = step(&packing, err);
        helper_end(&packing.helper);
        if (r < 0)
                return r;
        *ret_size = packing.size;
        form_key(repack->form, repack->to, key);
        return packed_record(store, repack->layer->blob, key, ret_digest, packing.size, err);
}
