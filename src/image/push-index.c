/* push-index.c: what a name means, to a registry: one image, or an index and every image of it
 * (push.c). An index goes up as it came where each of its manifests did. See push.h. */
#include <errno.h>

#include "image/index.h"
#include "image/push.h"
#include "sql/sql.h"

static void reference_donep(Reference *reference) {
        reference_done(reference);
}

/* ---- one tag ---- */

typedef struct Target {
        char *id, *manifest; /* of the image to push where there is no index */
        StoredIndex index;
        Variant *went; /* of an index that is pushed: its images under the manifests that went up */
        bool whole;    /* the index is pushed */
        bool part;     /* there is one, of which not all is here */
        bool came;     /* it was pulled, so that a registry takes each of its manifests as it is */
} Target;

static void target_done(Target *target) {
        free(target->id);
        free(target->manifest);
        free(target->went);
        stored_index_done(&target->index);
}

/* The one image that is meant, of the index where there is one. */
static int choose_image(const PushRequest *request, const char *familiar, Target *target,
                        Error *err) {
        ImagePlatform platform = {};
        const Variant *variant = NULL;
        int r = request->platform ? platform_parse(request->platform, &platform, err) : 0;

        if (r < 0)
                return r;
        if (request->platform)
                variant = index_variant(&target->index, &platform);
        platform_done(&platform);
        for (size_t i = 0; !request->platform && i < target->index.count; i++)
                if (str_equal(target->index.variants[i].image, target->id))
                        variant = &target->index.variants[i];
        if (!variant && request->platform)
                return error_kind(err, ERROR_NOT_FOUND,
                                  "image with reference %s was found but does not provide the "
                                  "specified platform (%s): pull it, or push without --platform",
                                  familiar, request->platform);
        if (!variant)
                return 0;
        str_replace(&target->id, variant->image);
        str_replace(&target->manifest, variant->manifest);
        return 0;
}

static int was_pulled(ImageStore *store, const char *digest, bool *ret, Error *err) {
        int64_t names = 0;
        int r = sql_number(store->db, &names, err,
                           "SELECT count(*) FROM name_indexes WHERE digest=?1 AND name LIKE "
                           "'%@' || ?1",
                           "t", digest);

        *ret = names > 0;
        return r;
}

/* The lock is held. */
static int load_index(const PushRequest *request, const char *digest, const char *familiar,
                      Target *target, Error *err) {
        int r = index_load(request->store, digest, &target->index, err);

        if (r < 0)
                return r;
        r = was_pulled(request->store, digest, &target->came, err);
        if (r < 0)
                return r;
        target->part = !index_is_whole(&target->index);
        target->whole = !target->part && !request->platform;
        return target->whole ? 0 : choose_image(request, familiar, target, err);
}

static int check_platform(const PushRequest *request, const char *name, Error *err) {
        Image image = {};
        int r = image_find_platform(request->store, name, request->platform, &image, err);

        image_done(&image);
        return r;
}

/* What is meant, by the source or by the name; the lock is held. */
static int resolve(const PushRequest *request, const char *name, const char *familiar,
                   Resolved *ret, Error *err) {
        int r;

        if (request->source)
                return image_resolve(request->store, request->source, ret, err);
        r = sql_find_text(request->store->db, &ret->id, err, "SELECT image FROM names WHERE name=?",
                          name);
        if (r == 0)
                return error_kind(err, ERROR_NOT_FOUND, "tag does not exist: %s", familiar);
        return r < 0 ? r : MIN(index_of_name(request->store, name, &ret->index, err), 0);
}

static void pin(PinSet *pins, const Target *target) {
        pins_add_locked(pins, target->id);
        for (size_t i = 0; i < target->index.count; i++) {
                pins_add_locked(pins, target->index.variants[i].image);
                pins_add_locked(pins, target->index.variants[i].manifest);
        }
}

/* What it finds is pinned. */
static int find_target(const PushRequest *request, const char *name, const char *familiar,
                       Target *target, PinSet *pins, Error *err) {
        _cleanup_(resolved_done) Resolved found = {};
        ImageStore *store = request->store;
        STORE_LOCKED(store);
        int r = resolve(request, name, familiar, &found, err);

        target->id = TAKE_PTR(found.id);
        if (r == 0)
                r = MIN(sql_find_text(store->db, &target->manifest, err,
                                      "SELECT manifest FROM images WHERE id=?", target->id),
                        0);
        if (r == 0 && found.index)
                r = load_index(request, found.index, familiar, target, err);
        if (r == 0)
                pin(pins, target);
        return r;
}

static int report(const PushRequest *request, const char *status, const char *aux, Error *err) {
        const ImageProgress progress = { .status = status, .aux = aux };

        return request->progress && request->progress(request->data, &progress) < 0
                       ? error_set(err, ECANCELED, "stopped")
                       : 0;
}

/* The image is known by what the registry has from now on. */
static int record_pushed(const PushRequest *request, const Target *target, const Pushed *pushed,
                         Error *err) {
        _cleanup_free_ char *repository = reference_repository(request->reference);
        _cleanup_free_ char *name = str_format("%s@%s", repository, pushed->digest);
        ImageStore *store = request->store;
        STORE_LOCKED(store);
        int r = sql_run(store->db, err, "BEGIN IMMEDIATE", "");

        if (r < 0)
                return r;
        r = sql_run(store->db, err,
                    "INSERT OR REPLACE INTO names(name, image) SELECT ?1, id FROM images WHERE "
                    "id=?2",
                    "tt", name, target->id);
        if (r == 0 && target->whole)
                r = sql_run(store->db, err,
                            "INSERT OR REPLACE INTO name_indexes(name, digest) SELECT ?1, digest "
                            "FROM indexes WHERE digest=?2 AND EXISTS(SELECT 1 FROM names WHERE "
                            "name=?1)",
                            "tt", name, target->index.digest);
        return sql_end(store->db, r, err);
}

/* The index that went up is the store's, too, known by its digest and held for who asked. */
static int adopt(const PushRequest *request, const Target *target, const char *text, size_t length,
                 PinSet *pins, Error *err) {
        _cleanup_free_ char *repository = reference_repository(request->reference);
        _cleanup_strv_ char **names = NULL;
        char digest[DIGEST_TEXT_MAX];

        digest_of(text, length, digest);
        strv_format(&names, "%s@%s", repository, digest);
        {
                const IndexPut put = { .text = text,
                                       .length = length,
                                       .variants = target->went,
                                       .count = target->index.document.index.manifests.count,
                                       .names = names,
                                       .lease = request->adopt };

                return index_store(pins, &put, digest, err);
        }
}

/* tag NULL: it went by its digest. */
static int finish(const PushRequest *request, const char *tag, const Pushed *pushed, Error *err) {
        const char *place = tag ?: pushed->digest;
        _cleanup_free_ char *status = str_format("%s: digest: %s size: %lld", place, pushed->digest,
                                                 (long long)pushed->size);
        _cleanup_free_ char *aux = str_format("{\"Tag\":\"%s\",\"Digest\":\"%s\",\"Size\":%lld}",
                                              place, pushed->digest, (long long)pushed->size);
        int r;

        if (request->pushed) {
                *request->pushed = (ImagePushed){ .size = pushed->size };
                memcpy(request->pushed->digest, pushed->digest, DIGEST_TEXT_MAX);
                (void)snprintf(request->pushed->media_type, sizeof(request->pushed->media_type),
                               "%s", pushed->media_type ?: MEDIA_OCI_INDEX);
        }
        r = report(request, status, NULL, err);
        if (r == 0)
                (void)report(request, NULL, aux, NULL); /* the push is done */
        return r;
}

/* ---- an index ---- */

static const Variant *variant_of(const StoredIndex *index, const char *manifest) {
        for (size_t i = 0; i < index->count; i++)
                if (str_equal(index->variants[i].manifest, manifest))
                        return &index->variants[i];
        return NULL;
}

/* The manifest that went up in place of the descriptor's. */
static void describe_pushed(const Pushed *pushed, Descriptor *descriptor) {
        str_replace(&descriptor->digest, pushed->digest);
        str_replace(&descriptor->media_type, pushed->media_type);
        descriptor->size = pushed->size;
}

/* It is kept where the index will be. */
static int keep_manifest(const PushRequest *request, const Pushed *pushed, PinSet *pins,
                         Error *err) {
        char digest[DIGEST_TEXT_MAX];

        if (!request->adopt)
                return 0;
        pins_add(pins, pushed->digest);
        return blob_put(request->store, pushed->text, (size_t)pushed->size, digest, err);
}

/* One image of the index; *ret_same: its manifest went as it came. */
static int push_entry(const PushRequest *request, Target *target, size_t i, PinSet *pins,
                      bool *ret_same, Error *err) {
        Descriptor *descriptor = (Descriptor *)target->index.document.index.manifests.items + i;
        const Variant *variant = variant_of(&target->index, descriptor->digest);
        const PushSource source = { variant->image, variant->manifest, target->came, i };
        _cleanup_(pushed_done) Pushed pushed = {};
        int r = push_image(request, &source, NULL, &pushed, err);

        if (r == 0)
                r = keep_manifest(request, &pushed, pins, err);
        if (r < 0)
                return r;
        target->went[i] = *variant;
        memcpy(target->went[i].manifest, pushed.digest, DIGEST_TEXT_MAX);
        *ret_same = str_equal(pushed.digest, descriptor->digest);
        if (!*ret_same)
                describe_pushed(&pushed, descriptor);
        return 0;
}

/* Each image of the index; *ret_same: every manifest went as it came. The index's descriptors say
 * what the registry has. */
static int push_images(const PushRequest *request, Target *target, PinSet *pins, bool *ret_same,
                       Error *err) {
        size_t count = target->index.document.index.manifests.count;
        int r = 0;

        *ret_same = true;
        target->went = NEW_ARRAY(Variant, count + 1);
        for (size_t i = 0; r == 0 && i < count; i++) {
                bool same;

                r = push_entry(request, target, i, pins, &same, err);
                *ret_same = *ret_same && r == 0 && same;
        }
        return r;
}

static int send_index(const PushRequest *request, const Target *target, const char *tag,
                      const char *text, size_t length, Error *err) {
        _cleanup_free_ char *scope =
                str_format("repository:%s:pull,push", request->reference->path);
        char *const scopes[] = { scope, NULL };
        const SessionOptions options = { .store = request->store,
                                         .reference = request->reference,
                                         .auth = request->auth,
                                         .options = request->options,
                                         .scopes = scopes,
                                         .no_mirrors = true };
        _cleanup_(session_done) Session session = { .helper = { .socket = -1 } };
        const char *type = target->index.document.index.media_type ?: MEDIA_OCI_INDEX;
        int r = session_start(&options, NULL, &session, err);

        return r < 0 ? r : push_manifest(request->store, &session, tag, text, length, type, err);
}

static int push_index(const PushRequest *request, Target *target, const char *tag, PinSet *pins,
                      Error *err) {
        _cleanup_(pushed_done) Pushed pushed = {};
        _cleanup_free_ char *made = NULL;
        const char *text;
        size_t length;
        bool same;
        int r = push_images(request, target, pins, &same, err);

        if (r < 0)
                return r;
        form_annotate_index(&target->index.document.index, request->annotations);
        if (!same || request->annotations)
                made = form_index(&target->index.document.index);
        text = made ?: target->index.text;
        length = made ? strlen(made) : target->index.length;
        digest_of(text, length, pushed.digest);
        r = send_index(request, target, tag ?: pushed.digest, text, length, err);
        if (r < 0)
                return r;
        pushed.size = (int64_t)length;
        pushed.media_type = str_copy(target->index.document.index.media_type);
        r = request->adopt ? adopt(request, target, text, length, pins, err)
                           : record_pushed(request, target, &pushed, err);
        return r < 0 ? r : finish(request, tag, &pushed, err);
}

static int push_one(const PushRequest *request, const Target *target, const char *tag, Error *err) {
        const PushSource source = { target->id, target->manifest, target->came, 0 };
        _cleanup_(pushed_done) Pushed pushed = {};
        int r = push_image(request, &source, tag, &pushed, err);

        if (r == 0)
                r = record_pushed(request, target, &pushed, err);
        if (r == 0)
                r = finish(request, tag, &pushed, err);
        if (r == 0 && target->part && !request->platform)
                r = report(request,
                           "Info: not all images of the multi-platform index are here, only the "
                           "available one was pushed",
                           NULL, err);
        return r;
}

int push_tag(const PushRequest *request, const char *tag, Error *err) {
        Reference reference = *request->reference;
        _cleanup_free_ char *own_tag = str_copy(tag), *name = NULL, *familiar = NULL;
        _cleanup_(pins_release) PinSet pins = { .store = request->store };
        _cleanup_(target_done) Target target = {};
        int r;

        reference.tag = own_tag; /* the rest is borrowed */
        name = reference_full(&reference);
        familiar = reference_familiar(&reference);
        r = find_target(request, name, familiar, &target, &pins, err);
        if (r == 0 && request->platform && !target.index.text)
                r = check_platform(request, name, err);
        if (r < 0)
                return r;
        return target.whole ? push_index(request, &target, tag, &pins, err)
                            : push_one(request, &target, tag, err);
}

/* ---- all of them ---- */

/* The repository's tags; *ret_any: it has a name of any kind. */
static int list_tags(const PushRequest *request, char ***ret, bool *ret_any, Error *err) {
        _cleanup_free_ char *repository = reference_repository(request->reference);
        _cleanup_free_ char *low = str_format("%s:", repository), *after = NULL, *digests = NULL;
        STORE_LOCKED(request->store);
        _cleanup_sql_ sqlite3_stmt *statement = NULL;
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

        return request->progress && request->progress(request->data, &progress) < 0
                       ? error_set(err, ECANCELED, "stopped")
                       : 0;
}

static int push_tags(const PushRequest *request, Error *err) {
        const Reference *reference = request->reference;
        _cleanup_free_ char *repository = reference_familiar_repository(reference);
        _cleanup_strv_ char **tags = NULL;
        bool any = false;
        int r = say_where(request, err);

        if (r == 0 && request->source && request->by_digest)
                return push_tag(request, NULL, err);
        if (r == 0 && request->source)
                return push_tag(request, reference->tag ?: "latest", err);
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

int image_push_as(ImageStore *store, const char *name, const ImagePush *push, Error *err) {
        _cleanup_(reference_donep) Reference reference = {};
        const PushRequest request = {
                .store = store,
                .reference = &reference,
                .platform = str_empty(push->platform) ? NULL : push->platform,
                .auth = push->auth,
                .options = push->options,
                .progress = push->progress,
                .data = push->data,
                .form = push->form ? *push->form : (ImageForm){},
                .annotations = push->annotations,
                .source = push->source,
                .adopt = push->adopt,
                .by_digest = push->by_digest,
                .pushed = push->pushed,
        };
        int r = reference_parse(name, &reference, err);

        if (r < 0)
                return r;
        if (reference.digest)
                return error_kind(err, ERROR_INVALID, "cannot push a digest reference");
        if (push->by_digest && reference.tag)
                return error_kind(err, ERROR_INVALID, "can't push tagged ref %s by digest", name);
        return push_tags(&request, err);
}

int image_push_platform(ImageStore *store, const char *name, const char *platform,
                        const RegistryAuth *auth, const RegistryOptions *options,
                        ImageProgressFn progress, void *data, Error *err) {
        const ImagePush push = { .platform = platform,
                                 .auth = auth,
                                 .options = options,
                                 .progress = progress,
                                 .data = data };

        return image_push_as(store, name, &push, err);
}

int image_push(ImageStore *store, const char *name, const RegistryAuth *auth,
               const RegistryOptions *options, ImageProgressFn progress, void *data, Error *err) {
        return image_push_platform(store, name, NULL, auth, options, progress, data, err);
}
