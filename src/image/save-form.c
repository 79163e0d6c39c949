/* save-form.c: layers that are saved in another form than the store has them: files below tmp/
 * until they are written. See save.h. */
#include "image/origin.h"
#include "image/save.h"

const Repacked *save_repacked_of(const Saver *saver, const char *digest) {
        for (size_t i = 0; i < saver->repacked_count; i++)
                if (str_equal(saver->repacked[i].digest, digest))
                        return &saver->repacked[i];
        return NULL;
}

/* The layer in that form, which may have been made for another image already. */
static int make_repacked(Saver *saver, const SavedImage *saved, const Layer *layer, Compression to,
                         const Repacked **ret, Error *err) {
        const Repack repack = { .layer = layer, .to = to, .form = &saved->form };
        char key[FORM_TEXT_MAX], digest[DIGEST_TEXT_MAX];
        Repacked *made;
        int64_t size;
        int r;

        form_key(&saved->form, to, key);
        r = packed_find(saver->store, layer->blob, key, digest, &size, err);
        if (r < 0)
                return r;
        *ret = r > 0 ? save_repacked_of(saver, digest) : NULL;
        if (*ret)
                return 0;
        GROW(saver->repacked, saver->repacked_count);
        made = &saver->repacked[saver->repacked_count++];
        *made = (Repacked){ .temp = { .fd = -1 } };
        *ret = made;
        return layer_repack(saver->store, &repack, &made->temp, made->digest, &made->size, err);
}

int save_repack(Saver *saver, SavedImage *saved, Error *err) {
        Descriptor *layers = saved->layers.items;
        bool any = false;

        for (size_t i = 0; i < saved->layers.count; i++) {
                Compression to = form_of_layer(&saved->form, layers[i].media_type, false);
                const Repacked *made;
                int r;

                if (to == FORM_KEEP)
                        continue;
                r = make_repacked(saver, saved, &saved->kept[i], to, &made, err);
                if (r < 0)
                        return r;
                str_replace(&layers[i].media_type, form_media_type(to));
                str_replace(&layers[i].digest, made->digest);
                layers[i].size = made->size;
                any = true;
        }
        if (any)
                save_make_manifest(saved);
        return 0;
}
