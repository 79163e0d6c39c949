/* registries.c: questions to a registry that leave nothing in the store: whether it takes
 * credentials, what a name stands for there, what it finds. See image.h. */
#include <errno.h>
#include <unistd.h>

#include "base/fd.h"
#include "image/assembly.h"
#include "image/session.h"

#define HUB "docker.io"
#define HUB_INDEX "index.docker.io" /* where Docker Hub's search is */
#define SEARCH_MAX ((size_t)4 << 20)

/* Sends the request and waits for its "done". */
static int ask(Session *session, const ImageMessage *request, int file_fd, ImageMessage *ret,
               Error *err) {
        int r = session_request(session, request, file_fd, err);

        while (r == 0) {
                image_message_done(ret);
                r = session_step(session, ret, err);
        }
        return MIN(r, 0);
}

/* ---- login ---- */

int image_registry_login(ImageStore *store, const char *registry, const RegistryAuth *auth,
                         const RegistryOptions *options, char **ret_token, Error *err) {
        const Reference reference = { .domain = (char *)registry, .path = (char *)"" };
        const SessionOptions session_options = { .store = store,
                                                 .reference = &reference,
                                                 .auth = auth,
                                                 .options = options,
                                                 .no_mirrors = true,
                                                 .offline = true };
        const ImageMessage request = { .kind = (char *)"check" };
        _cleanup_(session_done) Session session = { .helper = { .socket = -1 } };
        _cleanup_(image_message_done) ImageMessage done = {};
        int r = session_start(&session_options, NULL, &session, err);

        if (r == 0)
                r = ask(&session, &request, -1, &done, err);
        if (r < 0)
                return r;
        *ret_token = str_copy(done.identity_token);
        return 0;
}

/* ---- distribution ---- */

typedef struct Question {
        ImageStore *store;
        Session session;
        Reference reference;
        Document document;
        ImageConfig config;
        Buf text;
        char digest[DIGEST_TEXT_MAX];
        char *media_type;
} Question;

static void question_done(Question *question) {
        session_done(&question->session);
        reference_done(&question->reference);
        document_done(&question->document);
        json_done(&image_config_table, &question->config);
        buf_done(&question->text);
        free(question->media_type);
}

static int fetch_manifest(Question *question, Error *err) {
        static char *const accept[] = { (char *)MEDIA_OCI_INDEX, (char *)MEDIA_DOCKER_LIST,
                                        (char *)MEDIA_OCI_MANIFEST, (char *)MEDIA_DOCKER_MANIFEST,
                                        NULL };
        const Reference *reference = &question->reference;
        _cleanup_free_ char *path =
                str_format("manifests/%s", reference->digest ? reference->digest : reference->tag);
        int r = session_document(&question->session, question->store, path, accept, DOCUMENT_MAX,
                                 &question->text, question->digest, &question->media_type, err);

        if (r < 0)
                return r;
        if (reference->digest && !str_equal(reference->digest, question->digest))
                return error_kind(err, ERROR_INVALID,
                                  "the registry sent %s for %s: refused, its digest is wrong",
                                  question->digest, reference->digest);
        return document_parse(question->text.data, question->text.length, question->media_type,
                              &question->document, err);
}

/* A manifest alone does not say for what it is: its configuration does. */
static int fetch_config(Question *question, Error *err) {
        const Descriptor *config = &question->document.manifest.config;
        _cleanup_free_ char *path = str_format("blobs/%s", config->digest), *media_type = NULL;
        _cleanup_buf_ Buf text = {};
        char digest[DIGEST_TEXT_MAX];
        int r = session_document(&question->session, question->store, path, NULL, DOCUMENT_MAX,
                                 &text, digest, &media_type, err);

        if (r < 0)
                return r;
        if (!str_equal(digest, config->digest))
                return error_kind(err, ERROR_INVALID,
                                  "the registry sent %s for %s: refused, its digest is wrong",
                                  digest, config->digest);
        return json_parse(&image_config_table, text.data, text.length, &question->config, err);
}

static void put(json_object *object, const char *name, const char *value) {
        if (!str_empty(value))
                (void)json_object_object_add(object, name, json_object_new_string(value));
}

static void add_platform(json_object *platforms, const char *architecture, const char *os,
                         const char *variant, const char *os_version) {
        json_object *platform = json_object_new_object();

        put(platform, "architecture", architecture);
        put(platform, "os", os);
        put(platform, "os.version", os_version);
        put(platform, "variant", variant);
        (void)json_object_array_add(platforms, platform);
}

static json_object *platforms_of(const Question *question) {
        const Descriptor *manifests = question->document.index.manifests.items;
        json_object *platforms = json_object_new_array();
        const ImageConfig *config = &question->config;

        for (size_t i = 0; i < question->document.index.manifests.count; i++) {
                const ImagePlatform *platform = manifests[i].platform;

                if (platform)
                        add_platform(platforms, platform->architecture, platform->os,
                                     platform->variant, platform->os_version);
        }
        if (!question->document.is_index)
                add_platform(platforms, config->architecture, config->os, config->variant,
                             config->os_version);
        return platforms;
}

static const char *type_of(const Question *question) {
        const Document *document = &question->document;
        const char *own =
                document->is_index ? document->index.media_type : document->manifest.media_type;

        if (own)
                return own;
        if (question->media_type)
                return question->media_type;
        return document->is_index ? MEDIA_OCI_INDEX : MEDIA_OCI_MANIFEST;
}

static void write_answer(const Question *question, Buf *json) {
        _cleanup_json_ json_object *answer = json_object_new_object();
        json_object *descriptor = json_object_new_object();

        put(descriptor, "mediaType", type_of(question));
        put(descriptor, "digest", question->digest);
        (void)json_object_object_add(descriptor, "size",
                                     json_object_new_int64((int64_t)question->text.length));
        (void)json_object_object_add(answer, "Descriptor", descriptor);
        (void)json_object_object_add(answer, "Platforms", platforms_of(question));
        buf_add_str(json, json_object_to_json_string_ext(
                                  answer, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
}

int image_distribution(ImageStore *store, const char *name, const RegistryAuth *auth,
                       const RegistryOptions *options, Buf *json, Error *err) {
        _cleanup_(question_done)
                Question question = { .store = store, .session = { .helper = { .socket = -1 } } };
        const SessionOptions session_options = {
                .store = store, .reference = &question.reference, .auth = auth, .options = options
        };
        int r = reference_parse(name, &question.reference, err);

        if (r < 0)
                return r;
        reference_default_tag(&question.reference);
        r = session_start(&session_options, NULL, &question.session, err);
        if (r == 0)
                r = fetch_manifest(&question, err);
        if (r == 0 && !question.document.is_index)
                r = fetch_config(&question, err);
        if (r == 0)
                write_answer(&question, json);
        return r;
}

/* ---- search ---- */

/* "127.0.0.1:5000/word" → registry and word; anything else is for Docker Hub. */
static void split_term(const char *term, char **ret_registry, const char **ret_word) {
        const char *slash = strchr(term, '/');
        _cleanup_free_ char *host = slash ? str_copy_n(term, (size_t)(slash - term)) : NULL;

        *ret_word = term;
        if (host && (strpbrk(host, ".:") || str_equal(host, "localhost"))) {
                *ret_word = slash + 1;
                if (!str_equal(host, HUB) && !str_equal(host, HUB_INDEX)) {
                        *ret_registry = TAKE_PTR(host);
                        return;
                }
        }
        *ret_registry = str_copy(HUB_INDEX);
}

static char *search_path(const char *word, int limit) {
        Buf path = {};

        buf_add_str(&path, "v1/search?q=");
        for (const unsigned char *c = (const unsigned char *)word; *c; c++) {
                if (strchr("-._~", *c) || (*c >= '0' && *c <= '9') ||
                    ((*c | 32) >= 'a' && (*c | 32) <= 'z'))
                        buf_add_char(&path, (char)*c);
                else
                        buf_format(&path, "%%%02X", *c);
        }
        if (limit > 0)
                buf_format(&path, "&n=%d", limit);
        return buf_take(&path);
}

static int read_results(int fd, json_object **ret, Error *err) {
        _cleanup_json_ json_object *answer = NULL;
        _cleanup_buf_ Buf text = {};
        json_object *results;
        int r = lseek(fd, 0, SEEK_SET) < 0 ? -errno : fd_read_all(fd, SEARCH_MAX, &text);

        if (r < 0)
                return error_set(err, -r, "read the search's answer");
        r = json_parse_any(text.data ? text.data : "", text.length, &answer, err);
        results = r == 0 ? json_member(answer, "results") : NULL;
        if (r < 0 || !json_object_is_type(results, json_type_array))
                return error_kind(err, ERROR_UNAVAILABLE,
                                  "the registry's answer to a search is not one of a search");
        *ret = json_object_get(results);
        return 0;
}

int image_search(ImageStore *store, const char *term, int limit, const RegistryAuth *auth,
                 const RegistryOptions *options, json_object **ret, Error *err) {
        _cleanup_free_ char *registry = NULL, *path = NULL;
        const char *word;
        _cleanup_(session_done) Session session = { .helper = { .socket = -1 } };
        _cleanup_(image_message_done) ImageMessage done = {};
        _cleanup_(blob_temp_done) BlobTemp temp = { .fd = -1 };
        Reference reference = { .path = (char *)"" };
        const SessionOptions session_options = {
                .store = store, .reference = &reference, .auth = auth, .options = options
        };
        ImageMessage request = { .kind = (char *)"search" };
        int r = blob_temp_new(store, &temp, err);

        if (r < 0)
                return r;
        split_term(term, &registry, &word);
        path = search_path(word, limit);
        reference.domain = registry;
        request.path = path;
        r = session_start(&session_options, NULL, &session, err);
        if (r == 0)
                r = ask(&session, &request, temp.fd, &done, err);
        if (r < 0 && session.status == 404)
                return error_kind(err, ERROR_UNSUPPORTED,
                                  "registry %s has no search (GET /v1/search is not found there): "
                                  "ask its own web page, or search Docker Hub",
                                  registry);
        return r < 0 ? r : read_results(temp.fd, ret, err);
}
