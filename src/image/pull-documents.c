/* pull-documents.c: what a name stands for at a registry: an index, a manifest, a configuration.
 * See pull.h. */
#include "image/pull.h"

#include <errno.h>

#include "base/failpoint.h"

static char *const manifest_types[] = {
        (char *)MEDIA_OCI_INDEX,
        (char *)MEDIA_DOCKER_LIST,
        (char *)MEDIA_OCI_MANIFEST,
        (char *)MEDIA_DOCKER_MANIFEST,
        NULL,
};

/* Docker's words for what a registry answered. */
int pull_word_error(const Pull *pull, const Session *session, Error *err) {
        _cleanup_free_ char *repository = reference_familiar_repository(&pull->reference);
        char cause[512];
        const char *code = session->code ? session->code : "";

        if (!err)
                return -EIO;
        (void)snprintf(cause, sizeof(cause), "%.500s", err->message);
        if (str_equal(code, "MANIFEST_UNKNOWN"))
                return error_kind(err, ERROR_NOT_FOUND, "manifest for %s not found: %s",
                                  pull->familiar, cause);
        if (str_equal(code, "NAME_UNKNOWN"))
                return error_kind(err, ERROR_NOT_FOUND, "repository %s not found: %s", repository,
                                  cause);
        if (str_equal(code, "DENIED"))
                return error_kind(err, ERROR_NOT_FOUND,
                                  "pull access denied for %s, repository does not exist or may "
                                  "require 'docker login': %s",
                                  repository, cause);
        return err->number ? -err->number : error_number_of(err->kind);
}

/* Fetches a small document into *text. wanted: the digest that it must have, or NULL. */
static int fetch_document(Pull *pull, Session *session, const char *path, const char *wanted,
                          Buf *text, char digest[DIGEST_TEXT_MAX], char **media_type, Error *err) {
        int r = session_document(session, pull->assembly.store, path,
                                 str_after(path, "manifests/") ? manifest_types : NULL,
                                 DOCUMENT_MAX, text, digest, media_type, err);

        if (r < 0)
                return pull_word_error(pull, session, err);
        return !wanted || str_equal(wanted, digest)
                       ? 0
                       : error_kind(err, ERROR_INVALID,
                                    "the registry sent %s for %s: refused, its digest is wrong",
                                    digest, wanted);
}

static int fetch_manifest(Pull *pull, Session *session, const char *name, const char *wanted,
                          Buf *text, Error *err) {
        _cleanup_free_ char *path = str_format("manifests/%s", name), *media_type = NULL;
        char digest[DIGEST_TEXT_MAX];
        int r = fetch_document(pull, session, path, wanted, text, digest, &media_type, err);

        if (r < 0)
                return r;
        if (!pull->top[0])
                memcpy(pull->top, digest, sizeof(digest));
        str_replace(&pull->assembly.record.manifest, digest);
        document_done(&pull->document);
        return document_parse(text->data, text->length, media_type, &pull->document, err);
}

/* Whether this host would choose it, too. */
static int is_hosts(const Pull *pull, const Descriptor *chosen, bool *ret, Error *err) {
        ImagePlatform host = {};
        const Descriptor *hosts;
        int r = platform_parse(NULL, &host, err);

        if (r < 0)
                return r;
        hosts = index_choose(&pull->document.index, &host);
        *ret = hosts && str_equal(hosts->digest, chosen->digest);
        platform_done(&host);
        return 0;
}

/* The index stays in the store whole, whatever is pulled of it. */
static int keep_index(Pull *pull, const Buf *text, Error *err) {
        ImageStore *store = pull->assembly.store;
        char digest[DIGEST_TEXT_MAX];
        int r;

        pins_add(&pull->assembly.pins, pull->top);
        r = blob_put(store, text->data, text->length, digest, err);
        if (r == 0)
                r = failpoint("image.index-put", err);
        if (r == 0)
                pull->assembly.record.index = str_copy(pull->top);
        return r;
}

static int choose_manifest(Pull *pull, Session *session, Buf *text, Error *err) {
        const Descriptor *chosen = index_choose(&pull->document.index, &pull->platform);
        _cleanup_free_ char *platform = platform_text(&pull->platform), *digest = NULL;
        int r;

        if (!chosen)
                return error_kind(err, ERROR_NOT_FOUND,
                                  "no matching manifest for %s in the manifest list entries",
                                  platform);
        digest = str_copy(chosen->digest);
        r = is_hosts(pull, chosen, &pull->assembly.record.host, err);
        if (r == 0)
                r = keep_index(pull, text, err);
        buf_clear(text);
        if (r == 0)
                r = fetch_manifest(pull, session, digest, digest, text, err);
        if (r == 0 && pull->document.is_index)
                r = error_kind(err, ERROR_INVALID,
                               "the registry has an index in an index for %s: refused",
                               pull->familiar);
        return r;
}

int pull_config(Pull *pull, Session *session, Buf *text, Error *err) {
        const Descriptor *config = &pull->document.manifest.config;
        _cleanup_free_ char *path = str_format("blobs/%s", config->digest), *known = NULL,
                            *media_type = NULL;
        char digest[DIGEST_TEXT_MAX];
        size_t length = 0;

        pins_add(&pull->assembly.pins, config->digest);
        if (config->size > (int64_t)DOCUMENT_MAX)
                return error_kind(err, ERROR_INVALID,
                                  "the image's configuration has %lld bytes: refused",
                                  (long long)config->size);
        if (blob_read(pull->assembly.store, config->digest, DOCUMENT_MAX, &known, &length, NULL) ==
            0) {
                digest_of(known, length, digest);
                if (str_equal(digest, config->digest)) {
                        buf_add(text, known, length);
                        return 0;
                }
        }
        return fetch_document(pull, session, path, config->digest, text, digest, &media_type, err);
}

static int check_platform(const Pull *pull, Error *err) {
        const ImageConfig *config = &pull->assembly.config;
        _cleanup_free_ char *wanted = platform_text(&pull->platform);

        if (!pull->platform_given || !config->architecture || !config->os ||
            (str_equal(config->architecture, pull->platform.architecture) &&
             str_equal(config->os, pull->platform.os)))
                return 0;
        return error_kind(err, ERROR_NOT_FOUND,
                          "image with reference %s was found but does not match the specified "
                          "platform: wanted %s, "
                          "actual: %s/%s",
                          pull->familiar, wanted, config->os, config->architecture);
}

int pull_manifest(Pull *pull, Session *session, Buf *text, Error *err) {
        const char *name = pull->reference.digest ? pull->reference.digest : pull->reference.tag;
        int r = fetch_manifest(pull, session, name, pull->reference.digest, text, err);

        return r == 0 && pull->document.is_index ? choose_manifest(pull, session, text, err) : r;
}

/* Docker says what it pulls once the registry has answered. */
int pull_resolve(Pull *pull, Session *session, Error *err) {
        const char *name = pull->reference.digest ? pull->reference.digest : pull->reference.tag;
        _cleanup_free_ char *first = str_format("Pulling from %s", pull->reference.path);
        _cleanup_buf_ Buf manifest = {}, config = {};
        char digest[DIGEST_TEXT_MAX];
        int r = fetch_manifest(pull, session, name, pull->reference.digest, &manifest, err);

        if (r == 0)
                r = assembly_report(&pull->assembly, name, first, 0, 0, err);
        if (r == 0 && pull->document.is_index)
                r = choose_manifest(pull, session, &manifest, err);
        if (r == 0)
                r = pull_config(pull, session, &config, err);
        if (r < 0)
                return r;
        pins_add(&pull->assembly.pins, pull->assembly.record.manifest);
        r = blob_put(pull->assembly.store, manifest.data, manifest.length, digest, err);
        if (r == 0)
                r = assembly_begin(&pull->assembly, config.data, config.length,
                                   pull->document.manifest.layers.count, err);
        return r < 0 ? r : check_platform(pull, err);
}
