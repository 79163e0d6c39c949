/* manifests.c: manifests at a registry, without the store: reading one, and pushing an index of
 * manifests that the registry has. For `manifest`. See image.h. */
#include "image/index.h"
#include "image/push.h"

static void reference_donep(Reference *reference) {
        reference_done(reference);
}

typedef struct Fetched {
        Session session;
        Document document;
        ImageConfig config; /* of a manifest */
        Buf text;
        char digest[DIGEST_TEXT_MAX];
        char *media_type;
} Fetched;

static void fetched_done(Fetched *fetched) {
        session_done(&fetched->session);
        document_done(&fetched->document);
        json_done(&image_config_table, &fetched->config);
        buf_done(&fetched->text);
        free(fetched->media_type);
}

static int fetch_text(Fetched *fetched, ImageStore *store, const char *path, char *const *accept,
                      const char *wanted, Buf *text, char **media_type, Error *err) {
        char digest[DIGEST_TEXT_MAX];
        int r = session_document(&fetched->session, store, path, accept, DOCUMENT_MAX, text, digest,
                                 media_type, err);

        if (r < 0)
                return r;
        if (wanted && !str_equal(wanted, digest))
                return error_kind(err, ERROR_INVALID,
                                  "the registry sent %s for %s: refused, its digest is wrong",
                                  digest, wanted);
        if (!wanted || str_after(path, "manifests/"))
                memcpy(fetched->digest, digest, sizeof(digest));
        return 0;
}

static int fetch(Fetched *fetched, const SessionOptions *options, Error *err) {
        static char *const accept[] = { (char *)MEDIA_OCI_INDEX, (char *)MEDIA_DOCKER_LIST,
                                        (char *)MEDIA_OCI_MANIFEST, (char *)MEDIA_DOCKER_MANIFEST,
                                        NULL };
        const Reference *reference = options->reference;
        _cleanup_free_ char *path = str_format("manifests/%s", reference->digest ?: reference->tag);
        int r = session_start(options, NULL, &fetched->session, err);

        if (r == 0)
                r = fetch_text(fetched, options->store, path, accept, reference->digest,
                               &fetched->text, &fetched->media_type, err);
        return r < 0 ? r
                     : document_parse(fetched->text.data, fetched->text.length, fetched->media_type,
                                      &fetched->document, err);
}

/* ---- reading ---- */

static int fetch_config(Fetched *fetched, ImageStore *store, Error *err) {
        const Descriptor *config = &fetched->document.manifest.config;
        _cleanup_free_ char *path = str_format("blobs/%s", config->digest), *media_type = NULL;
        _cleanup_buf_ Buf text = {};
        int r = fetch_text(fetched, store, path, NULL, config->digest, &text, &media_type, err);

        return r < 0 ? r
                     : json_parse(&image_config_table, text.data, text.length, &fetched->config,
                                  err);
}

static const char *type_of(const Fetched *fetched) {
        const Document *document = &fetched->document;
        const char *own =
                document->is_index ? document->index.media_type : document->manifest.media_type;

        return own                  ? own
               : document->is_index ? MEDIA_OCI_INDEX
                                    : (fetched->media_type ?: MEDIA_OCI_MANIFEST);
}

static void write_manifest(const Fetched *fetched, const Reference *reference, Buf *json) {
        _cleanup_free_ char *name = reference->digest ? NULL : reference_full(reference),
                            *repository = reference_repository(reference);
        ImagePlatform platform = { fetched->config.architecture, fetched->config.os,
                                   fetched->config.variant, fetched->config.os_version };
        const Descriptor descriptor = { .media_type = (char *)type_of(fetched),
                                        .digest = (char *)fetched->digest,
                                        .size = (int64_t)fetched->text.length,
                                        .platform = fetched->document.is_index ? NULL : &platform };

        if (!name)
                name = str_format("%s@%s", repository, reference->digest);
        buf_add_str(json, "{\"Ref\":");
        json_add_quoted(json, name);
        buf_add_str(json, ",\"Descriptor\":");
        json_add_text(json, &descriptor_table, &descriptor);
        buf_add_str(json, ",\"Raw\":");
        json_add_quoted(json, fetched->text.data);
        buf_add_char(json, '}');
}

int image_manifest_get(ImageStore *store, const char *name, const RegistryAuth *auth,
                       const RegistryOptions *options, Buf *json, Error *err) {
        _cleanup_(fetched_done) Fetched fetched = { .session = { .helper = { .socket = -1 } } };
        _cleanup_(reference_donep) Reference reference = {};
        const SessionOptions session = {
                .store = store, .reference = &reference, .auth = auth, .options = options
        };
        int r = reference_parse(name, &reference, err);

        if (r < 0)
                return r;
        reference_default_tag(&reference);
        r = fetch(&fetched, &session, err);
        if (r == 0 && !fetched.document.is_index)
                r = fetch_config(&fetched, store, err);
        if (r == 0)
                write_manifest(&fetched, &reference, json);
        return r;
}

/* ---- pushing ---- */

typedef struct IndexPush {
        SessionOptions target; /* of the repository that is pushed to */
        const RegistryAuth *auth;
        const RegistryOptions *options;
} IndexPush;

static int wait_for(Session *session, char **ret_outcome, Error *err) {
        int r = 0;

        while (r == 0) {
                _cleanup_(image_message_done) ImageMessage message = {};

                r = session_step(session, &message, err);
                if (r > 0)
                        str_replace(ret_outcome, message.outcome);
        }
        return r < 0 ? push_word_error(session, err) : 0;
}

static int mount_blob(Session *session, const Descriptor *blob, const char *from, Error *err) {
        char *const sources[] = { (char *)from, NULL };
        const ImageMessage request = { .kind = (char *)"blob",
                                       .digest = blob->digest,
                                       .size = blob->size,
                                       .sources = (char **)sources };
        _cleanup_free_ char *outcome = NULL;
        int r = session_request(session, &request, -1, err);

        if (r == 0)
                r = wait_for(session, &outcome, err);
        if (r < 0 || !str_equal(outcome, PUSH_ABSENT))
                return r;
        return error_kind(err, ERROR_UNAVAILABLE,
                          "the registry does not mount %s from %s: push that image to the list's "
                          "repository, and name it there",
                          blob->digest, from);
}

/* The manifest of another repository, with what it names, into the list's. */
static int copy_manifest(const IndexPush *push, const Reference *source, Error *err) {
        _cleanup_free_ char *scope = str_format("repository:%s:pull,push",
                                                push->target.reference->path),
                            *from = str_format("repository:%s:pull", source->path);
        char *const scopes[] = { scope, from, NULL };
        const SessionOptions options = { .store = push->target.store,
                                         .reference = source,
                                         .auth = push->auth,
                                         .options = push->options };
        _cleanup_(fetched_done) Fetched fetched = { .session = { .helper = { .socket = -1 } } };
        _cleanup_(session_done) Session session = { .helper = { .socket = -1 } };
        SessionOptions target = push->target;
        const Descriptor *layers;
        int r = fetch(&fetched, &options, err);

        if (r == 0 && fetched.document.is_index)
                r = error_kind(err, ERROR_INVALID, "%s is a manifest list", source->digest);
        target.scopes = scopes;
        if (r == 0)
                r = session_start(&target, NULL, &session, err);
        if (r == 0)
                r = mount_blob(&session, &fetched.document.manifest.config, source->path, err);
        layers = fetched.document.manifest.layers.items;
        for (size_t i = 0; r == 0 && i < fetched.document.manifest.layers.count; i++)
                r = mount_blob(&session, &layers[i], source->path, err);
        return r < 0 ? r
                     : push_manifest(target.store, &session, fetched.digest, fetched.text.data,
                                     fetched.text.length, type_of(&fetched), err);
}

static int copy_all(const IndexPush *push, char *const *sources, Error *err) {
        const Reference *target = push->target.reference;
        int r = 0;

        for (size_t i = 0; r == 0 && sources && sources[i]; i++) {
                _cleanup_(reference_donep) Reference source = {};

                r = reference_parse(sources[i], &source, err);
                if (r == 0 && !source.digest)
                        r = error_kind(err, ERROR_INVALID, "'%s' names no digest", sources[i]);
                if (r == 0 && !str_equal(source.domain, target->domain))
                        r = error_kind(err, ERROR_INVALID,
                                       "cannot use source images from a different registry than "
                                       "the target image: %s != %s",
                                       source.domain, target->domain);
                if (r == 0 && !str_equal(source.path, target->path))
                        r = copy_manifest(push, &source, err);
        }
        return r;
}

static int put_index(const IndexPush *push, const ManifestPush *index, Error *err) {
        const Reference *target = push->target.reference;
        _cleanup_(session_done) Session session = { .helper = { .socket = -1 } };
        int r = session_start(&push->target, NULL, &session, err);

        return r < 0 ? r
                     : push_manifest(push->target.store, &session, target->tag, index->text,
                                     strlen(index->text), index->media_type, err);
}

int image_manifest_push(ImageStore *store, const char *name, const ManifestPush *index,
                        const RegistryAuth *auth, const RegistryOptions *options, char ret_digest[],
                        Error *err) {
        _cleanup_(document_done) Document document = {};
        _cleanup_(reference_donep) Reference target = {};
        _cleanup_free_ char *scope = NULL;
        char *scopes[] = { NULL, NULL };
        IndexPush push = { .auth = auth, .options = options };
        int r = reference_parse(name, &target, err);

        if (r == 0 && target.digest)
                r = error_kind(err, ERROR_INVALID,
                               "'%s': a manifest list is pushed to a tag, not to a digest", name);
        if (r == 0)
                r = document_parse(index->text, strlen(index->text), index->media_type, &document,
                                   err);
        if (r == 0 && !document.is_index)
                r = error_kind(err, ERROR_INVALID, "what is pushed to %s is no manifest list",
                               name);
        if (r < 0)
                return r;
        reference_default_tag(&target);
        scopes[0] = scope = str_format("repository:%s:pull,push", target.path);
        push.target = (SessionOptions){ .store = store,
                                        .reference = &target,
                                        .auth = auth,
                                        .options = options,
                                        .scopes = scopes,
                                        .no_mirrors = true };
        r = copy_all(&push, index->sources, err);
        if (r == 0)
                r = put_index(&push, index, err);
        if (r == 0)
                digest_of(index->text, strlen(index->text), ret_digest);
        return r;
}
