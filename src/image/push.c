/* push.c: an image to a registry: its layers (push-layer.c), its configuration, its manifest. A
 * manifest goes up as it came where the registry can have every layer as it came; else a new one
 * names the compressed layers. See image.h. */
#include <errno.h>
#include <unistd.h>

#include "base/fd.h"
#include "image/push.h"
#include "sql/sql.h"

#define SOURCES_MAX 8

static void reference_donep(Reference *reference) {
        reference_done(reference);
}

static void push_done(Push *push) {
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

static int find_text(ImageStore *store, const char *sql, const char *value, char **ret,
                     Error *err) {
        _cleanup_sql_ sqlite3_stmt *statement = NULL;
        int r = sql_prepare(store->db, &statement, err, sql, "t", value);

        if (r == 0)
                r = sql_step(statement, err);
        if (r > 0)
                *ret = sql_text(statement, 0);
        return r < 0 ? r : 0;
}

/* The image and its layers, which are pinned. */
static int load(Push *push, const char *name, char **ret_manifest, Error *err) {
        ImageStore *store = push->assembly.store;
        STORE_LOCKED(store);
        _cleanup_free_ char *id = NULL;
        int r = find_text(store, "SELECT image FROM names WHERE name=?", name, &id, err);

        if (r == 0 && !id) {
                _cleanup_free_ char *familiar = reference_familiar(&push->reference);

                return error_kind(err, ERROR_NOT_FOUND, "tag does not exist: %s", familiar);
        }
        if (r == 0)
                r = image_read(store, id, &push->image, err);
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
        if (form_is_default(&push->form))
                r = form_of_image(store, id, &push->form, err);
        return r < 0 ? r
                     : find_text(store, "SELECT manifest FROM images WHERE id=?", id, ret_manifest,
                                 err);
}

static void pin(Push *push) {
        pins_add(&push->assembly.pins, push->image.id);
        for (size_t i = 0; i < push->count; i++) {
                pins_add(&push->assembly.pins, push->layers[i].chain);
                pins_add(&push->assembly.pins, push->layers[i].blob);
        }
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
static bool may_go_as_it_came(const Push *push, const char *manifest) {
        if (!form_is_default(&push->form) || push->annotations || !manifest_fits(push))
                return false;
        return !has_plain_layer(push) || was_pulled(push, manifest);
}

static int choose_manifest(Push *push, const char *manifest, Error *err) {
        const char *type;
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
        if (may_go_as_it_came(push, manifest))
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

static int prepare(Push *push, const char *name, Error *err) {
        _cleanup_free_ char *manifest = NULL;
        int r = load(push, name, &manifest, err);

        if (r < 0)
                return r;
        pin(push);
        r = choose_manifest(push, manifest, err);
        return r < 0 ? r : gather_scopes(push, err);
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
static void make_manifest(Push *push) {
        const FormManifest manifest = {
                .id = push->image.id,
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

static int send_manifest(Push *push, Session *session, Error *err) {
        _cleanup_free_ char *path = str_format("manifests/%s", push->reference.tag),
                            *outcome = NULL, *source = NULL;
        const ImageMessage request = { .kind = (char *)"manifest",
                                       .path = path,
                                       .media_type = push->manifest_type };
        _cleanup_(blob_temp_done) BlobTemp temp = { .fd = -1 };
        int r = blob_temp_new(push->assembly.store, &temp, err);

        if (r < 0)
                return r;
        r = fd_write_full(temp.fd, push->manifest, push->manifest_length);
        if (r < 0 || lseek(temp.fd, 0, SEEK_SET) < 0)
                return error_set(err, r < 0 ? -r : errno, "store the manifest");
        return push_blob(push, session, &request, temp.fd, NULL, &outcome, &source, err);
}

static int report_pushed(Push *push, Error *err) {
        char digest[DIGEST_TEXT_MAX];
        _cleanup_free_ char *repository = reference_repository(&push->reference), *name = NULL,
                            *status = NULL, *aux = NULL;
        ImageProgress progress = {};
        Assembly *assembly = &push->assembly;
        int r;

        digest_of(push->manifest, push->manifest_length, digest);
        name = str_format("%s@%s", repository, digest);
        {
                STORE_LOCKED(assembly->store);
                r = sql_run(assembly->store->db, err,
                            "INSERT OR REPLACE INTO names(name, image) VALUES(?,?)", "tt", name,
                            push->image.id);
        }
        status = str_format("%s: digest: %s size: %zu", push->reference.tag, digest,
                            push->manifest_length);
        if (r == 0)
                r = assembly_report(assembly, NULL, status, 0, 0, err);
        if (r < 0)
                return r;
        if (push->pushed) {
                *push->pushed = (ImagePushed){
                        .media_type = str_equal(push->manifest_type, MEDIA_DOCKER_MANIFEST)
                                              ? MEDIA_DOCKER_MANIFEST
                                              : MEDIA_OCI_MANIFEST,
                        .size = (int64_t)push->manifest_length,
                };
                memcpy(push->pushed->digest, digest, sizeof(digest));
        }
        aux = str_format("{\"Tag\":\"%s\",\"Digest\":\"%s\",\"Size\":%zu}", push->reference.tag,
                         digest, push->manifest_length);
        progress.aux = aux;
        if (assembly->progress)
                (void)assembly->progress(assembly->data, &progress); /* the push is done */
        return 0;
}

/* ---- one tag ---- */

static int announce(Push *push, Error *err) {
        for (size_t i = 0; i < push->count; i++) {
                char id[13];
                int r;

                push_layer_id(&push->layers[push->count - 1 - i], id);
                r = assembly_report(&push->assembly, id, "Preparing", 0, 0, err);
                if (r == 0 && i >= CREW_MAX)
                        r = assembly_report(&push->assembly, id, "Waiting", 0, 0, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int upload(Push *push, Error *err) {
        _cleanup_(session_done) Session session = { .helper = { .socket = -1 } };
        const Crew crew = { .assembly = &push->assembly,
                            .options = &push->options,
                            .count = push->count,
                            .work = push_layer,
                            .data = push };
        bool there = false;
        int r = session_start(&push->options, NULL, &session, err);

        if (r == 0)
                r = send_config(push, &session, false, &there, err);
        if (r == 0)
                r = crew_run(&crew, &session, err);
        if (r == 0 && !there)
                r = send_config(push, &session, true, &there, err);
        if (r < 0)
                return r;
        if (!push->manifest)
                make_manifest(push);
        r = send_manifest(push, &session, err);
        return r < 0 ? r : report_pushed(push, err);
}

typedef struct PushRequest {
        ImageStore *store;
        const Reference *reference;
        const ImagePush *push;
} PushRequest;

static int push_tag(const PushRequest *request, const char *tag, Error *err) {
        _cleanup_(push_done) Push push = { .reference = *request->reference };
        _cleanup_free_ char *own_tag = str_copy(tag), *name = NULL;
        int r;

        push.reference.tag = own_tag; /* the rest is borrowed */
        name = reference_full(&push.reference);
        assembly_init(&push.assembly, request->store, request->push->progress, request->push->data);
        push.options = (SessionOptions){ .store = request->store,
                                         .reference = &push.reference,
                                         .auth = request->push->auth,
                                         .options = request->push->options,
                                         .no_mirrors = true };
        push.form = request->push->form ? *request->push->form : (ImageForm){};
        push.annotations = request->push->annotations;
        push.pushed = request->push->pushed;
        r = prepare(&push, name, err);
        if (r == 0)
                r = announce(&push, err);
        return r < 0 ? r : upload(&push, err);
}

/* ---- all of them ---- */

/* The repository's tags; *ret_any: it has a name of any kind. */
static int list_tags(const PushRequest *request, char ***ret, bool *ret_any, Error *err) {
        _cleanup_free_ char *repository = reference_repository(request->reference);
        _cleanup_free_ char *low = str_format("%s:", repository), *after = NULL, *digests = NULL;
        _cleanup_sql_ sqlite3_stmt *statement = NULL;
        STORE_LOCKED(request->store);
        int r;

        after = str_format("%s;", repository); /* ';' follows ':' */
        digests = str_format("%s@", repository);
        r = sql_prepare(request->store->db, &statement, err,
                        "SELECT name FROM names WHERE (name>=?1 AND name<?2) OR "
                        "substr(name,1,length(?3))=?3 ORDER BY name",
                        "ttt", low, after, digests);
        while (r >= 0 && (r = sql_step(statement, err)) > 0) {
                const char *tag = str_after((const char *)sqlite3_column_text(statement, 0), low);

                *ret_any = true;
                if (tag)
                        strv_add(ret, tag);
        }
        return r;
}

static int say_where(const PushRequest *request, Error *err) {
        _cleanup_free_ char *repository = reference_repository(request->reference);
        _cleanup_free_ char *status = str_format("The push refers to repository [%s]", repository);
        const ImageProgress progress = { .status = status };

        return request->push->progress &&
                               request->push->progress(request->push->data, &progress) < 0
                       ? error_set(err, ECANCELED, "stopped")
                       : 0;
}

static int push_tags(const PushRequest *request, Error *err) {
        const Reference *reference = request->reference;
        _cleanup_free_ char *repository = reference_familiar_repository(reference);
        _cleanup_strv_ char **tags = NULL;
        bool any = false;
        int r = say_where(request, err);

        if (r == 0)
                r = list_tags(request, &tags, &any, err);
        if (r < 0)
                return r;
        if (!any)
                return error_kind(err, ERROR_NOT_FOUND,
                                  "An image does not exist locally with the tag: %s", repository);
        if (reference->tag)
                return push_tag(request, reference->tag, err);
        if (!tags)
                return error_kind(err, ERROR_NOT_FOUND, "no tags to push for %s", repository);
        for (size_t i = 0; r == 0 && tags[i]; i++)
                r = push_tag(request, tags[i], err);
        return r;
}

int image_push(ImageStore *store, const char *name, const ImagePush *push, Error *err) {
        _cleanup_(reference_donep) Reference reference = {};
        const PushRequest request = { store, &reference, push };
        int r = reference_parse(name, &reference, err);

        if (r < 0)
                return r;
        if (reference.digest)
                return error_kind(err, ERROR_INVALID, "cannot push a digest reference");
        return push_tags(&request, err);
}
