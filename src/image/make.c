/* make.c: images of directories, as builds and commits have them: a directory becomes a layer,
 * layers and a configuration become an image. See image.h. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "image/assembly.h"
#include "image/form.h"
#include "image/pack.h"
#include "sql/sql.h"

/* ---- layers ---- */

static void pins_donep(PinSet *pins) {
        pins_release(pins);
}

static int open_files(const LayerAdd *add, int *ret_fd, Error *err) {
        _cleanup_free_ char *path = str_format("%s/fs", add->name);
        int fd = openat(add->from_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        if (fd < 0)
                return error_set(err, errno, "open the layer's directory '%s'", path);
        *ret_fd = fd;
        return 0;
}

/* Sets all of the layer but its media type; out_fd (-1: none) gets the archive. */
static int pack(const LayerAdd *add, int fd, int out_fd, Layer *layer, Error *err) {
        const PackOptions options = {
                .overlay = true,
                .epoch = add->epoch,
                .cancelled = add->cancelled,
                .data = add->data,
                .files = &layer->size,
        };
        int r = pack_directory(fd, out_fd, &options, layer->diff, &layer->blob_size, err);

        if (r < 0)
                return error_prefix(err, "pack a layer");
        memcpy(layer->blob, layer->diff, DIGEST_TEXT_MAX);
        digest_chain(add->parent_chain, layer->diff, layer->chain);
        if (add->parent_chain)
                memcpy(layer->parent, add->parent_chain, DIGEST_TEXT_MAX);
        return 0;
}

/* The claim is the caller's. */
/* temp NULL: the blob is not kept. */
static int place(ImageStore *store, const LayerAdd *add, Layer *layer, BlobTemp *temp, Error *err) {
        const LayerPlace where = {
                .from_fd = add->from_fd,
                .name = add->name,
                .holder = add->holder,
                .unsynced = !add->durable,
                .unkept = !temp,
                .epoch = add->epoch,
        };

        str_replace(&layer->media_type, MEDIA_OCI_LAYER);
        return layer_place(store, layer, &where,
                           temp && !blob_exists(store, layer->blob) ? temp : NULL, err);
}

/* The store has it: nobody needs the directory, or its owner knows when nobody does. */
static int use_present(ImageStore *store, const LayerAdd *add, const char *chain, Error *err) {
        int r = add->holder ? image_hold_layer(store, chain, add->holder, err) : 0;

        if (r == 0 && add->durable)
                r = store_settle(store, err);
        return r < 0 || add->keep ? r : dir_remove_at(add->from_fd, add->name, err);
}

static int check_cancelled(void *data) {
        const LayerAdd *add = data;

        return add->cancelled && add->cancelled(add->data) ? -ECANCELED : 0;
}

static int check_parent(ImageStore *store, const LayerAdd *add, PinSet *pins, Error *err) {
        _cleanup_(layer_done) Layer parent = {};

        if (!add->parent_chain)
                return 0;
        pins_add(pins, add->parent_chain);
        /* A build cache goes elsewhere without its bases, which need not be here then; an image of
         * such a layer is refused. What is durable makes its parents so. */
        if (!add->durable)
                return 0;
        STORE_LOCKED(store);
        return layer_load(store, add->parent_chain, &parent, err);
}

int image_layer_add(ImageStore *store, const LayerAdd *add, char ret_diff[], char ret_chain[],
                    int64_t *ret_size, Error *err) {
        _cleanup_(pins_donep) PinSet pins = { .store = store };
        _cleanup_(layer_done) Layer layer = {};
        _cleanup_close_ int fd = -1;
        bool present;
        int r = check_parent(store, add, &pins, err);

        if (r == 0)
                r = open_files(add, &fd, err);
        if (r == 0)
                r = pack(add, fd, -1, &layer, err);
        if (r < 0)
                return r;
        pins_add(&pins, layer.blob);
        r = layer_claim(&pins, layer.chain, check_cancelled, (void *)add, &present, err);
        if (r == 0 && add->moving)
                add->moving(add->data);
        if (r == 0 && present) {
                r = use_present(store, add, layer.chain, err);
        } else if (r == 0) {
                r = place(store, add, &layer, NULL, err);
                layer_give_up(store, layer.chain);
                if (r == 0 && add->durable)
                        r = store_settle(store, err); /* its parents may not be durable */
        }
        if (r < 0)
                return r;
        memcpy(ret_diff, layer.diff, DIGEST_TEXT_MAX);
        memcpy(ret_chain, layer.chain, DIGEST_TEXT_MAX);
        *ret_size = layer.size;
        return 0;
}

/* ---- layers of directories that stay ---- */

/* Unpacks what was packed, to where a layer's files are made. */
static int unpack_copy(ImageStore *store, const BlobTemp *temp, Unpack *unpack, Error *err) {
        int r;

        if (lseek(temp->fd, 0, SEEK_SET) < 0)
                return error_set(err, errno, "read the packed layer");
        r = unpack_start(store, temp->fd, -1, unpack, err);
        return r < 0 ? r : unpack_finish(unpack, err);
}

/* The layer's claim is the caller's. */
static int place_copy(ImageStore *store, const LayerAdd *add, Layer *layer, BlobTemp *temp,
                      Error *err) {
        _cleanup_(unpack_done) Unpack unpack = {};
        LayerAdd made = *add;
        int r = unpack_copy(store, temp, &unpack, err);

        if (r == 0 && !str_equal(unpack.diff, layer->diff))
                r = error_kind(err, ERROR_INTERNAL, "the packed layer was read back as another");
        if (r < 0)
                return r;
        made.from_fd = store->tmp_fd;
        made.name = unpack.name;
        return place(store, &made, layer, temp, err);
}

int image_layer_copy(ImageStore *store, int dir_fd, const LayerAdd *add, char ret_diff[],
                     char ret_chain[], int64_t *ret_size, Error *err) {
        _cleanup_(pins_donep) PinSet pins = { .store = store };
        _cleanup_(blob_temp_done) BlobTemp temp = { .fd = -1 };
        _cleanup_(layer_done) Layer layer = {};
        bool present;
        int r = check_parent(store, add, &pins, err);

        if (r == 0)
                r = blob_temp_new(store, &temp, err);
        if (r == 0)
                r = pack(add, dir_fd, temp.fd, &layer, err);
        if (r < 0)
                return r;
        pins_add(&pins, layer.blob);
        r = layer_claim(&pins, layer.chain, check_cancelled, (void *)add, &present, err);
        if (r == 0 && present && add->holder)
                r = image_hold_layer(store, layer.chain, add->holder, err);
        if (r == 0 && !present) {
                r = place_copy(store, add, &layer, &temp, err);
                layer_give_up(store, layer.chain);
        }
        if (r == 0 && add->durable)
                r = store_settle(store, err);
        if (r < 0)
                return r;
        memcpy(ret_diff, layer.diff, DIGEST_TEXT_MAX);
        memcpy(ret_chain, layer.chain, DIGEST_TEXT_MAX);
        *ret_size = layer.size;
        return 0;
}

/* ---- images ---- */

typedef struct Maker {
        Assembly assembly;
        ImageManifest manifest;
} Maker;

static void maker_done(Maker *maker) {
        assembly_done(&maker->assembly);
        maker->manifest.annotations = (Pairs){}; /* the caller's */
        json_done(&image_manifest_table, &maker->manifest);
}

/* Adds the layer's diff id to the configuration and its blob to the manifest. */
static int use_layer(Maker *maker, ImageConfig *config, const char *chain, const char *below,
                     Error *err) {
        ImageStore *store = maker->assembly.store;
        _cleanup_(layer_done) Layer layer = {};
        Descriptor *descriptor;
        int r;

        pins_add(&maker->assembly.pins, chain);
        {
                STORE_LOCKED(store);
                r = layer_load(store, chain, &layer, err);
        }
        if (r < 0)
                return r;
        if (!str_equal(layer.parent, below ? below : ""))
                return error_kind(err, ERROR_INVALID,
                                  "layer '%s' does not lie upon '%s': the layers must be given "
                                  "base first",
                                  chain, below ? below : "nothing");
        strv_add(&config->rootfs.diff_ids, layer.diff);
        descriptor = json_append(&maker->manifest.layers, &descriptor_table);
        descriptor->media_type = TAKE_PTR(layer.media_type);
        descriptor->digest = str_copy(layer.blob);
        descriptor->size = layer.blob_size;
        return 0;
}

static int use_layers(Maker *maker, ImageConfig *config, char *const *chains, Error *err) {
        int r = 0;

        str_replace(&config->rootfs.type, "layers");
        config->rootfs.diff_ids = strv_free(config->rootfs.diff_ids);
        for (size_t i = 0; r == 0 && chains && chains[i]; i++)
                r = use_layer(maker, config, chains[i], i > 0 ? chains[i - 1] : NULL, err);
        return r;
}

static int put_manifest(Maker *maker, size_t config_length, const Pairs *annotations, Error *err) {
        Assembly *assembly = &maker->assembly;
        ImageManifest *manifest = &maker->manifest;
        _cleanup_free_ char *text = NULL;
        char digest[DIGEST_TEXT_MAX];

        manifest->schema_version = 2;
        manifest->media_type = str_copy(MEDIA_OCI_MANIFEST);
        manifest->config.media_type = str_copy(MEDIA_OCI_CONFIG);
        manifest->config.digest = str_copy(assembly->record.id);
        manifest->config.size = (int64_t)config_length;
        if (annotations)
                manifest->annotations = *annotations;
        text = json_text(&image_manifest_table, manifest);
        digest_of(text, strlen(text), digest);
        pins_add(&assembly->pins, digest);
        assembly->record.manifest = str_copy(digest);
        return blob_put(assembly->store, text, strlen(text), digest, err);
}

static int put_documents(Maker *maker, const ImageConfig *config, const Pairs *annotations,
                         Error *err) {
        _cleanup_free_ char *text = json_text(&image_config_table, config);
        int r = assembly_begin(&maker->assembly, text, strlen(text),
                               strv_length(config->rootfs.diff_ids), err);

        return r < 0 ? r : put_manifest(maker, strlen(text), annotations, err);
}

static int add_names(Assembly *assembly, char *const *names, Error *err) {
        for (size_t i = 0; names && names[i]; i++) {
                char *full = NULL;
                int r = image_target_name(names[i], &full, err);

                if (r < 0)
                        return r;
                strv_take(&assembly->record.names, full);
        }
        return 0;
}

static int put_form(ImageStore *store, const char *id, const ImageForm *form, Error *err) {
        char text[FORM_TEXT_MAX];
        STORE_LOCKED(store);

        form_text(form, text);
        return form_is_default(form)
                       ? sql_run(store->db, err, "DELETE FROM image_forms WHERE image=?", "t", id)
                       : sql_run(store->db, err,
                                 "INSERT OR REPLACE INTO image_forms(image, form) VALUES(?,?)",
                                 "tt", id, text);
}

int image_make_as(ImageStore *store, const ImageMake *make, char **ret_id, Error *err) {
        _cleanup_(maker_done) Maker maker = {};
        int r;

        assembly_init(&maker.assembly, store, NULL, NULL);
        maker.assembly.record.lease = str_copy(make->lease);
        r = add_names(&maker.assembly, make->names, err);
        if (r == 0)
                r = use_layers(&maker, make->config, make->chains, err);
        if (r == 0)
                r = put_documents(&maker, make->config, make->annotations, err);
        if (r == 0)
                r = assembly_commit(&maker.assembly, err);
        if (r == 0 && make->form)
                r = put_form(store, maker.assembly.record.id, make->form, err);
        if (r == 0)
                *ret_id = str_copy(maker.assembly.record.id);
        return r;
}
