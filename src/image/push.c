/* push.c: one image to a registry: its layers (push-layer.c), its configuration, its manifest. A
 * manifest goes up as it came where the registry can have every layer as it came; else a new one
 * names the compressed layers. See image.h. */
#include <errno.h>
#include <unistd.h>

#include "base/fd.h"
#include "image/push.h"
#include "sql/sql.h"

#define SOURCES_MAX 8

void pushed_done(Pushed *pushed) {
        free(pushed->media_type);
        free(pushed->text);
        *pushed = (Pushed){};
}

void push_done(Push *push) {
        for (size_t i = 0; i < push->count; i++) {
                layer_done(&push->layers[i]);
                json_done(&descriptor_table, &push->descriptors[i]);
        }
        free(push->layers);
        free(push->descriptors);
        image_done(&push->image);
        document_done(&push->document);
        free(push->manifest);
        free(push->manifest_type);
        push->scopes = strv_free(push->scopes);
        assembly_done(&push->assembly);
}

/* ---- what is pushed ---- */

static void pin(Push *push) {
        pins_add_locked(&push->assembly.pins, push->image.id);
        for (size_t i = 0; i < push->count; i++) {
                pins_add_locked(&push->assembly.pins, push->layers[i].chain);
                pins_add_locked(&push->assembly.pins, push->layers[i].blob);
        }
}

/* The image and its layers, pinned. */
static int load(Push *push, const char *id, Error *err) {
        ImageStore *store = push->assembly.store;
        STORE_LOCKED(store);
        int r = image_read(store, id, &push->image, err);

        if (r < 0)
                return r;
        push->layers = NEW_ARRAY(Layer, strv_length(push->image.chain_ids) + 1);
        push->descriptors = NEW_ARRAY(Descriptor, strv_length(push->image.chain_ids) + 1);
        for (; push->image.chain_ids && push->image.chain_ids[push->count]; push->count++) {
                r = layer_load(store, push->image.chain_ids[push->count],
                               &push->layers[push->count], err);
                if (r < 0)
                        return r;
        }
        pin(push);
        return form_is_default(&push->form) ? form_of_image(store, id, &push->form, err) : 0;
}

/* Whether the manifest names the layers as the store has them. */
static bool manifest_fits(const Push *push) {
        const Descriptor *named = push->document.manifest.layers.items;

        if (push->document.is_index || push->document.manifest.layers.count != push->count)
                return false;
        for (size_t i = 0; i < push->count; i++)
                if (!str_equal(named[i].digest, push->layers[i].blob))
                        return false;
        return true;
}

/* Whether the manifest came from a registry, which therefore takes it as it is. */
static bool was_pulled(const Push *push, const char *manifest) {
        for (size_t i = 0; push->image.digests && push->image.digests[i]; i++) {
                const char *at = strrchr(push->image.digests[i], '@');

                if (at && str_equal(at + 1, manifest))
                        return true;
        }
        return false;
}

static bool has_plain_layer(const Push *push) {
        for (size_t i = 0; i < push->count; i++)
                if (str_equal(push->layers[i].media_type, MEDIA_OCI_LAYER))
                        return true;
        return false;
}

/* Where nobody asks for another form than the one that it has. */
static bool may_go_as_it_came(const Push *push, const PushSource *source) {
        if (!form_is_default(&push->form) || push->annotations || !manifest_fits(push))
                return false;
        return !has_plain_layer(push) || source->came || was_pulled(push, source->manifest);
}

static int choose_manifest(Push *push, const PushSource *source, Error *err) {
        const char *type, *manifest = source->manifest;
        int r;

        if (!manifest)
                return 0;
        r = blob_read(push->assembly.store, manifest, DOCUMENT_MAX, &push->manifest,
                      &push->manifest_length, err);
        if (r == 0)
                r = document_parse(push->manifest, push->manifest_length, NULL, &push->document,
                                   err);
        if (r < 0)
                return r;
        type = push->document.manifest.media_type;
        push->manifest_type =
                str_copy(str_equal(type, MEDIA_DOCKER_MANIFEST) ? MEDIA_DOCKER_MANIFEST
                                                                : MEDIA_OCI_MANIFEST);
        if (may_go_as_it_came(push, source))
                return 0;
        free(push->manifest);
        push->manifest = NULL;
        return 0;
}

/* A token that allows all that may be asked: to push, and to mount from where the blobs are. */
static int gather_scopes(Push *push, Error *err) {
        _cleanup_strv_ char **sources = NULL;

        for (size_t i = 0; i < push->count; i++) {
                char packed[DIGEST_TEXT_MAX], key[FORM_TEXT_MAX];
                int64_t size;
                const char *blob = push->layers[i].blob;
                Compression to = push_form(push, &push->layers[i]);
                int r;

                form_key(&push->form, to, key);
                r = to != FORM_KEEP
                            ? packed_find(push->assembly.store, blob, key, packed, &size, err)
                            : 0;

                if (r >= 0)
                        r = origins_of(push->assembly.store, &push->reference,
                                       r > 0 ? packed : blob, &sources, err);
                if (r < 0)
                        return r;
        }
        strv_format(&push->scopes, "repository:%s:pull,push", push->reference.path);
        for (size_t i = 0; sources && sources[i] && strv_length(push->scopes) <= SOURCES_MAX; i++) {
                _cleanup_free_ char *scope = str_format("repository:%s:pull", sources[i]);

                if (!strv_has(push->scopes, scope))
                        strv_add(&push->scopes, scope);
        }
        push->options.scopes = push->scopes;
        return 0;
}

static int prepare(Push *push, const PushSource *source, Error *err) {
        int r = load(push, source->id, err);

        return r < 0 ? r : choose_manifest(push, source, err);
}

/* ---- documents ---- */

/* The kinds of question about the configuration: whether it is there, and sending it. */
static int send_config(Push *push, Session *session, bool upload, bool *ret_there, Error *err) {
        const ImageMessage request = { .kind = (char *)"blob",
                                       .digest = push->image.id,
                                       .size = (int64_t)strlen(push->image.config_text) };
        _cleanup_free_ char *outcome = NULL, *source = NULL;
        _cleanup_close_ int fd = -1;
        int r = upload ? blob_open(push->assembly.store, push->image.id, &fd, NULL, err) : 0;

        if (r == 0)
                r = push_blob(push, session, &request, fd, NULL, &outcome, &source, err);
        if (r == 0)
                *ret_there = !str_equal(outcome, PUSH_ABSENT);
        return r;
}

/* A manifest of what went up. */
void push_make_manifest(Push *push) {
        const FormManifest manifest = {
                .id = push->image.id,
                .config_type = push->config_type,
                .config_size = (int64_t)strlen(push->image.config_text),
                .layers = push->descriptors,
                .count = push->count,
                .annotations = push->annotations ?: &push->document.manifest.annotations,
                .docker = push->form.docker,
        };
        const char *type;

        push->manifest = form_manifest(&manifest, &type);
        push->manifest_length = strlen(push->manifest);
        str_replace(&push->manifest_type, type);
}

int push_manifest(ImageStore *store, Session *session, const char *place, const char *text,
                  size_t length, const char *media_type, Error *err) {
        _cleanup_free_ char *path = str_format("manifests/%s", place);
        const ImageMessage request = { .kind = (char *)"manifest",
                                       .path = path,
                                       .media_type = (char *)media_type };
        _cleanup_(blob_temp_done) BlobTemp temp = { .fd = -1 };
        int r = blob_temp_new(store, &temp, err);

        if (r < 0)
                return r;
        r = fd_write_full(temp.fd, text, length);
        if (r < 0 || lseek(temp.fd, 0, SEEK_SET) < 0)
                return error_set(err, r < 0 ? -r : errno, "store the manifest");
        r = session_request(session, &request, temp.fd, err);
        while (r == 0) {
                _cleanup_(image_message_done) ImageMessage message = {};

                r = session_step(session, &message, err);
        }
        return r < 0 ? push_word_error(session, err) : 0;
}

static int send_manifest(Push *push, Session *session, Pushed *ret, Error *err) {
        int r;

        digest_of(push->manifest, push->manifest_length, ret->digest);
        r = push_manifest(push->assembly.store, session, push->reference.tag ?: ret->digest,
                          push->manifest, push->manifest_length, push->manifest_type, err);
        if (r < 0)
                return r;
        ret->size = (int64_t)push->manifest_length;
        ret->media_type = str_copy(push->manifest_type);
        ret->text = str_copy_n(push->manifest, push->manifest_length);
        return 0;
}

/* ---- one image ---- */

static int announce(Push *push, Error *err) {
        for (size_t i = 0; i < push->count; i++) {
                char id[13];
                int r;

                push_layer_id(&push->layers[push->count - 1 - i], id);
                r = assembly_report(&push->assembly, id, "Preparing", 0, 0, err);
                if (r == 0 && i >= crew_pushes(push->options.options))
                        r = assembly_report(&push->assembly, id, "Waiting", 0, 0, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

int push_upload(Push *push, Pushed *ret, Error *err) {
        _cleanup_(session_done) Session session = { .helper = { .socket = -1 } };
        const Crew crew = { .assembly = &push->assembly,
                            .options = &push->options,
                            .count = push->count,
                            .most = crew_pushes(push->options.options),
                            .work = push_layer,
                            .data = push };
        bool there = false;
        int r = gather_scopes(push, err);

        if (r == 0)
                r = announce(push, err);
        if (r == 0)
                r = session_start(&push->options, NULL, &session, err);

        if (r == 0)
                r = send_config(push, &session, false, &there, err);
        if (r == 0)
                r = crew_run(&crew, &session, err);
        if (r == 0 && !there)
                r = send_config(push, &session, true, &there, err);
        if (r < 0)
                return r;
        if (!push->manifest)
                push_make_manifest(push);
        return send_manifest(push, &session, ret, err);
}

int push_image(const PushRequest *request, const PushSource *source, const char *tag, Pushed *ret,
               Error *err) {
        _cleanup_(push_done) Push push = { .reference = *request->reference };
        _cleanup_free_ char *own_tag = str_copy(tag);
        const ManifestAnnotations *annotations =
                annotations_of(request->annotations, source->entry);
        int r;

        push.reference.tag = own_tag; /* the rest is borrowed */
        push.form = request->form;
        push.annotations = annotations ? &annotations->manifest : NULL;
        assembly_init(&push.assembly, request->store, request->progress, request->data);
        push.options = (SessionOptions){ .store = request->store,
                                         .reference = &push.reference,
                                         .auth = request->auth,
                                         .options = request->options,
                                         .no_mirrors = true };
        r = prepare(&push, source, err);
        return r < 0 ? r : push_upload(&push, ret, err);
}
