/* pull-tags.c: every tag of a repository: the registry's list of them, page by page, and a pull of
 * each. distribution-spec 1.1, "content discovery". */
#include <errno.h>

#include "image/pull.h"

#define LIST_MAX ((int64_t)4 << 20) /* bytes of a page */
#define PAGES_MAX 1000
#define TAGS_MAX 50000 /* what a registry says is kept in memory */

static void reference_donep(Reference *reference) {
        reference_done(reference);
}

/* </v2/team/app/tags/list?last=b&n=2>; rel="next" → tags/list?last=b&n=2; NULL: it was the last. */
static char *next_page(const char *link) {
        const char *query = link && strstr(link, "rel=\"next\"") ? strchr(link, '?') : NULL;
        const char *end = query ? strchr(query, '>') : NULL;

        return end ? str_format("tags/list%.*s", (int)(end - query), query) : NULL;
}

/* seen: the tags so far, of which there may be many. */
static int take_tags(const Buf *text, Map *seen, char ***tags, Error *err) {
        _cleanup_json_ json_object *page = NULL;
        json_object *list;
        int r = json_parse_any(text->data ? text->data : "", text->length, &page, err);

        if (r < 0)
                return error_prefix(err, "the registry's list of tags");
        list = json_member(page, "tags"); /* null: it has none */
        if (list && !json_object_is_type(list, json_type_array))
                return error_kind(err, ERROR_UNAVAILABLE,
                                  "the registry's list of tags is no array");
        for (size_t i = 0; list && i < json_object_array_length(list); i++) {
                const char *tag = json_object_get_string(json_object_array_get_idx(list, i));

                if (str_empty(tag) || map_get(seen, tag))
                        continue;
                if (seen->count >= TAGS_MAX)
                        return error_kind(
                                err, ERROR_INVALID,
                                "the repository has more than %d tags: pull by name those "
                                "that are wanted",
                                TAGS_MAX);
                strv_take_at(tags, seen->count, str_copy(tag));
                (void)map_put(seen, tag, seen);
        }
        return 0;
}

static void seen_done(Map *seen) {
        map_done(seen, NULL);
}

static int list_tags(const PullRequest *request, const Reference *reference, char ***tags,
                     Error *err) {
        const SessionOptions options = { .store = request->store,
                                         .reference = reference,
                                         .auth = request->auth,
                                         .options = request->options };
        _cleanup_(session_done) Session session = { .helper = { .socket = -1 } };
        _cleanup_free_ char *path = str_copy("tags/list");
        _cleanup_(seen_done) Map seen = {};
        int r = session_start(&options, NULL, &session, err);

        for (int pages = 0; r == 0 && path; pages++) {
                _cleanup_free_ char *media_type = NULL;
                _cleanup_buf_ Buf text = {};
                char digest[DIGEST_TEXT_MAX];

                if (pages == PAGES_MAX)
                        return error_kind(err, ERROR_UNAVAILABLE,
                                          "the registry's list of tags has no end");
                r = session_document(&session, request->store, path, NULL, LIST_MAX, &text, digest,
                                     &media_type, err);
                if (r == 0)
                        r = take_tags(&text, &seen, tags, err);
                free(path);
                path = r == 0 ? next_page(session.link) : NULL;
        }
        if (r < 0 && str_equal(session.code, "NAME_UNKNOWN")) {
                _cleanup_free_ char *repository = reference_familiar_repository(reference);

                return error_prefix(err, "repository %s not found", repository);
        }
        return r;
}

int image_pull_tags(ImageStore *store, const char *repository, const char *platform,
                    const RegistryAuth *auth, const RegistryOptions *options,
                    ImageProgressFn progress, void *data, Error *err) {
        const PullRequest request = { .store = store,
                                      .platform = platform,
                                      .one_of_many = true,
                                      .auth = auth,
                                      .options = options,
                                      .progress = progress,
                                      .data = data };
        _cleanup_(reference_donep) Reference reference = {};
        _cleanup_strv_ char **tags = NULL;
        _cleanup_free_ char *familiar = NULL, *status = NULL;
        ImageProgress end = {};
        bool newer = false;
        int r = reference_parse(repository, &reference, err);

        if (r < 0)
                return r;
        familiar = reference_familiar_repository(&reference);
        if (reference.tag || reference.digest)
                return error_kind(err, ERROR_INVALID,
                                  "all tags of '%s' cannot be pulled: it names one", repository);
        r = list_tags(&request, &reference, &tags, err);
        for (size_t i = 0; r == 0 && tags && tags[i]; i++) {
                _cleanup_free_ char *name = str_format("%s:%s", familiar, tags[i]), *id = NULL;
                bool this = false;

                r = pull_one(&request, name, &id, &this, err);
                newer |= this;
        }
        if (r < 0)
                return r;
        status = str_format("Status: %s for %s",
                            newer ? "Downloaded newer image" : "Image is up to date", familiar);
        end.status = status;
        return progress && progress(data, &end) < 0 ? error_set(err, ECANCELED, "stopped") : 0;
}
