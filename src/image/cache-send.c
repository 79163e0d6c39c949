/* cache-send.c: a build cache to a registry, as an image is pushed; or to a directory,
 * cache-layout.c. See cache.h. */
#include "image/cache-layout.h"

static int load_layer(ImageStore *store, const CacheLayer *layer, Layer *ret, Error *err) {
        if (layer->blob) {
                cache_layer_take(layer, ret);
                ret->media_type = str_copy(layer->blob->media_type);
                return 0;
        }
        STORE_LOCKED(store);
        return layer_load(store, layer->chain, ret, err);
}

static int load(Push *push, const CacheSend *send, bool *there, Error *err) {
        Assembly *assembly = &push->assembly;
        char digest[DIGEST_TEXT_MAX];
        int r = 0;

        push->layers = NEW_ARRAY(Layer, send->count + 1);
        push->descriptors = NEW_ARRAY(Descriptor, send->count + 1);
        push->there = there;
        for (size_t i = 0; r == 0 && i < send->count; i++) {
                there[i] = send->layers[i].blob != NULL;
                pins_add(&assembly->pins, send->layers[i].chain);
                r = load_layer(assembly->store, &send->layers[i], &push->layers[i], err);
                if (r < 0)
                        return r;
                push->count++;
                pins_add(&assembly->pins, push->layers[i].blob);
        }
        digest_of(send->document, strlen(send->document), digest);
        pins_add(&assembly->pins, digest);
        push->image.id = str_copy(digest);
        push->image.config_text = str_copy(send->document);
        push->config_type = send->media_type;
        return blob_put(assembly->store, send->document, strlen(send->document), digest, err);
}

static void reference_donep(Reference *reference) {
        reference_done(reference);
}

static int push_there(const CachePlace *place, Push *push, Error *err) {
        _cleanup_(reference_donep) Reference reference = {};
        _cleanup_(pushed_done) Pushed pushed = {};
        int r = reference_parse(place->reference, &reference, err);

        if (r == 0 && reference.digest)
                r = error_kind(err, ERROR_INVALID,
                               "'%s': a build cache is written to a tag, not to a digest",
                               place->reference);
        if (r < 0)
                return r;
        reference_default_tag(&reference);
        push->reference = reference;
        push->options = (SessionOptions){ .store = push->assembly.store,
                                          .reference = &push->reference,
                                          .auth = place->auth,
                                          .options = place->options,
                                          .no_mirrors = true };
        return push_upload(push, &pushed, err);
}

static int send_pinned(ImageStore *store, const CachePlace *place, const CacheSend *send,
                       ImageProgressFn progress, void *data, Error *err) {
        _cleanup_free_ bool *there = NEW_ARRAY(bool, send->count + 1);
        _cleanup_(push_done) Push push = {};
        int r;

        assembly_init(&push.assembly, store, progress, data);
        r = load(&push, send, there, err);
        if (r == 0)
                r = place->reference ? push_there(place, &push, err)
                                     : cache_layout_send(place, &push, err);
        push.options = (SessionOptions){};
        push.reference = (Reference){};
        return r;
}

int image_cache_send(ImageStore *store, const CachePlace *place, const CacheSend *send,
                     ImageProgressFn progress, void *data, Error *err) {
        char digest[DIGEST_TEXT_MAX];
        char *const documents[] = { digest, NULL };
        int r = send_pinned(store, place, send, progress, data, err);

        /* No image names the document: nothing else would remove it before the next start. */
        digest_of(send->document, strlen(send->document), digest);
        (void)store_collect(store, documents, NULL, NULL);
        return r;
}
