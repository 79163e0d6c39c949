/* build-import.c: caches from elsewhere that a build reads from: their documents when it begins,
 * their layers when the solver asks for them. Whatever is wrong with one is a warning. */
#include <errno.h>
#include <stdarg.h>

#include "base/bug.h"
#include "engine/build-private.h"
#include "engine/engine-private.h"

int build_warn(Build *build, Error *err, const char *format, ...) {
        _cleanup_free_ char *text = NULL;
        BuildEvent event = { .kind = BUILD_WARNING };
        va_list arguments;
        int length;

        va_start(arguments, format);
        length = vasprintf(&text, format, arguments);
        va_end(arguments);
        if (length < 0)
                abort(); /* out of memory, as base/alloc.h has it */
        event.text = text;
        event.length = (size_t)length;
        return build_event(build, &event) < 0 ? error_set(err, ECANCELED, "the build was cancelled")
                                              : 0;
}

int build_report_cache(void *data, const ImageProgress *progress) {
        const CacheReport *report = data;
        _cleanup_free_ char *status = str_format("%s: %s%s%s", report->what, progress->id ?: "",
                                                 progress->id ? " " : "", progress->status ?: "");
        const BuildEvent event = { .kind = BUILD_STATUS,
                                   .status = status,
                                   .current = progress->current,
                                   .total = progress->total };

        if (build_cancelled(report->build))
                return -ECANCELED;
        return progress->aux || !progress->status ? 0 : build_event(report->build, &event);
}

void build_cache_place(const Build *build, const BuildCachePlace *place, CachePlace *ret) {
        *ret = (CachePlace){ .reference = place->reference,
                             .options = engine_registry(build->engine),
                             .dir_fd = place->dir_fd,
                             .tag = place->tag,
                             .digest = place->digest,
                             .uid = build->request->cache_uid,
                             .gid = build->request->cache_gid };
        if (place->reference)
                ret->auth = build_auth(build, place->reference);
}

char *build_cache_name(const BuildCachePlace *place) {
        return place->reference ? str_copy(place->reference)
               : place->path    ? str_format("the directory '%.200s'", place->path)
                                : str_copy("the local directory");
}

/* ---- documents ---- */

static int read_image(const char *text, size_t length, size_t layer_count, CacheDocument *ret,
                      Error *err) {
        ImageConfig config = {};
        int r = json_parse(&image_config_table, text, length, &config, err);

        if (r == 0 && !config.build_cache)
                r = error_kind(err, ERROR_NOT_FOUND,
                               "the image has no build cache: build it with --cache-to "
                               "type=inline");
        if (r == 0) {
                const char *document =
                        json_object_to_json_string_ext(config.build_cache, JSON_C_TO_STRING_PLAIN);

                r = cache_document_read(document, strlen(document), config.rootfs.diff_ids,
                                        layer_count, ret, err);
        }
        json_done(&image_config_table, &config);
        return r;
}

/* One place as one platform's build sees it. */
typedef struct Opening {
        const BuildCachePlace *place;
        const char *platform; /* or NULL: this machine's */
        bool of_several;      /* what the place has is one of several platforms' */
} Opening;

static int read_found(CacheFound *found, BuildImport *import, Error *err) {
        size_t count = found->manifest.layers.count;
        int r = str_equal(found->manifest.config.media_type, MEDIA_BRIG_CACHE)
                        ? cache_document_read(found->config, found->length, NULL, count,
                                              &import->document, err)
                        : read_image(found->config, found->length, count, &import->document, err);

        if (r == 0) {
                import->manifest = found->manifest;
                found->manifest = (ImageManifest){};
        }
        return r;
}

static int fetch(Build *build, Opening *opening, BuildImport *import, Error *err) {
        CacheReport report = { .build = build, .what = "importing cache" };
        _cleanup_(cache_found_done) CacheFound found = {};
        CachePlace place;
        int r;

        build_cache_place(build, import->place, &place);
        place.platform = opening->platform;
        r = image_cache_fetch(build->engine->images, &place, build_report_cache, &report, &found,
                              err);
        opening->of_several = found.of_index;
        return r < 0 ? r : read_found(&found, import, err);
}

/* What came of this cache needs none along to be found in it. */
static int trust(Build *build, const Image *image, int r) {
        for (char **chain = image->chain_ids; chain && *chain; chain++)
                (void)map_put(&build->trusted, *chain, build);
        return r == -ENOENT ? 0 : r;
}

/* An image that is here has its layers here, too; they are held as long as the build lasts. */
static int open_image(Build *build, Opening *opening, BuildImport *import, Error *err) {
        Image image = {};
        int r = image_take(build->engine->images, import->place->reference, opening->platform,
                           build->holder, &image, NULL);

        if (r == 0) {
                r = read_image(image.config_text, strlen(image.config_text),
                               strv_length(image.chain_ids), &import->document, err);
                if (build->request->cache_from_alone)
                        r = trust(build, &image, r);
        } else
                r = fetch(build, opening, import, err);
        opening->of_several |= image.variant;
        image_done(&image);
        return r;
}

static int open_import(Build *build, Opening *opening, Error *err) {
        const BuildCachePlace *place = opening->place;
        BuildImport *import = &build->imports[build->import_count];
        bool alone = place->reference && !strchr(place->reference, '/');
        const char *remedy = alone ? ": a name alone is an image of a registry, a directory is "
                                     "type=local,src=DIRECTORY"
                                   : "";
        _cleanup_free_ char *name = build_cache_name(place);
        Error why = {};
        int r;

        import->place = place;
        r = place->kind == BUILD_CACHE_IMAGE ? open_image(build, opening, import, &why)
                                             : fetch(build, opening, import, &why);
        build->import_count += r == 0; /* cancelled or not: it is freed with the others */
        if (build_cancelled(build))
                return error_set(err, ECANCELED, "the build was cancelled");
        return r < 0 ? build_warn(build, err, "build cache of %s is not used: %s%s", name,
                                  why.message, remedy)
                     : 0;
}

/* An image that has its cache along has one for each platform. */
static int open_place(Build *build, const BuildCachePlace *place, Error *err) {
        char *const *platforms = build->platforms;
        Opening opening = { .place = place, .platform = platforms ? platforms[0] : NULL };
        int r = open_import(build, &opening, err);

        for (size_t i = 1; r == 0 && opening.of_several && i < strv_length(platforms); i++) {
                opening.platform = platforms[i];
                r = open_import(build, &opening, err);
        }
        return r;
}

/* The bug of CVE-2024-24557: as if the end of an image's history said what its last layer is. */
static void take_history(const Image *image, CacheDocument *ret) {
        const ImageHistory *history = image->config.history.items;
        size_t count = image->config.history.count;
        char *const *diffs = image->config.rootfs.diff_ids;
        const char *text = count > 0 ? history[count - 1].created_by : NULL;
        char key[DIGEST_TEXT_MAX], *keys[] = { key, NULL };

        if (!text || strv_length(diffs) == 0)
                return;
        digest_of(text, strlen(text), key);
        for (size_t i = 0; diffs[i]; i++)
                cache_document_add_layer(ret, i > 0 ? image->chain_ids[i - 1] : NULL, diffs[i]);
        cache_document_add_record(ret, keys, image->id, (int64_t)ret->layers.count - 1, 0);
        (void)map_put(&ret->by_key, key, ret->records.items);
}

static int take_histories(Build *build, Error *err) {
        static const BuildCachePlace place = { .kind = BUILD_CACHE_IMAGE };
        Image *images = NULL;
        size_t count = 0;
        int r = image_list(build->engine->images, &images, &count, err);

        for (size_t i = 0; i < count; i++) {
                GROW(build->imports, build->import_count);
                build->imports[build->import_count] = (BuildImport){ .place = &place };
                take_history(&images[i], &build->imports[build->import_count++].document);
                image_done(&images[i]);
        }
        free(images);
        return r;
}

int build_open_imports(Build *build, Error *err) {
        const BuildRequest *request = build->request;
        size_t platforms = MAX(strv_length(build->platforms), (size_t)1);
        int r = 0;

        if (BUG("build-history") && !request->no_cache)
                return take_histories(build, err);
        build->imports = NEW_ARRAY(BuildImport, request->cache_from_count * platforms + 1);
        for (size_t i = 0; r == 0 && !request->no_cache && i < request->cache_from_count; i++)
                r = open_place(build, &request->cache_from[i], err);
        return r;
}

void build_close_imports(Build *build) {
        for (size_t i = 0; i < build->import_count; i++) {
                cache_document_done(&build->imports[i].document);
                json_done(&image_manifest_table, &build->imports[i].manifest);
        }
        free(build->imports);
        map_done(&build->answered, NULL);
        map_done(&build->trusted, NULL);
}

/* ---- looking up ---- */

/* A result without a layer lies upon one that counts. */
bool build_trusts(void *data, const char *layer) {
        const Build *build = data;
        size_t index;

        if (str_empty(layer))
                return build->import_count > 0;
        return map_get(&build->trusted, layer) || build_import_of(build, layer, &index);
}

static void note_answered(Build *build, const char *key) {
        (void)pthread_mutex_lock(&build->lock);
        (void)map_put(&build->answered, key, build);
        (void)pthread_mutex_unlock(&build->lock);
}

int build_recall(void *data, const char *key, SolveRecall *ret, Error *err) {
        Build *build = data;
        const DocumentRecord *record = NULL;
        const DocumentLayer *layer = NULL;

        (void)err;
        for (size_t i = 0; !layer && i < build->import_count; i++) {
                const CacheDocument *document = &build->imports[i].document;
                const DocumentRecord *found = map_get(&document->by_key, key);

                if (!found || (record && !found->layer))
                        continue;
                record = found;
                layer = found->layer ? cache_document_layer(document, (size_t)*found->layer) : NULL;
        }
        if (!record)
                return 0;
        note_answered(build, key);
        *ret = (SolveRecall){ .created_at = record->created_at };
        (void)snprintf(ret->result, sizeof(ret->result), "%s", record->result);
        if (layer) {
                ret->layer = str_copy(layer->chain);
                ret->parent = str_copy(layer->parent);
        }
        return SOLVE_RECALLED;
}

static bool find_layer(const CacheDocument *document, const char *chain, size_t *ret) {
        for (size_t i = 0; i < document->layers.count; i++) {
                if (!str_equal(cache_document_layer(document, i)->chain, chain))
                        continue;
                *ret = i;
                return true;
        }
        return false;
}

const BuildImport *build_import_of(const Build *build, const char *chain, size_t *ret_layer) {
        for (size_t i = 0; i < build->import_count; i++)
                if (find_layer(&build->imports[i].document, chain, ret_layer))
                        return &build->imports[i];
        return NULL;
}

/* ---- layers ---- */

static int64_t size_here(Build *build, const char *chain) {
        ImageStore *images = build->engine->images;
        int64_t size;
        bool shared;

        if (image_hold_layer(images, chain, build->holder, NULL) < 0 ||
            image_layer_size(images, chain, &size, &shared, NULL) < 0)
                return -1;
        return size;
}

static int bring_of(Build *build, const BuildImport *import, char *const *chains,
                    const int64_t *sizes, Error *err) {
        const Descriptor *blobs = import->manifest.layers.items;
        _cleanup_free_ CacheLayer *wanted = NEW_ARRAY(CacheLayer, strv_length(chains) + 1);
        CacheReport report = { .build = build, .what = "importing cache" };
        CachePlace place;
        size_t count = 0, index;

        for (size_t i = 0; chains[i]; i++) {
                if (sizes[i] >= 0 || import->manifest.layers.count == 0 ||
                    !find_layer(&import->document, chains[i], &index))
                        continue;
                wanted[count++] = (CacheLayer){
                        .chain = chains[i],
                        .parent = cache_document_layer(&import->document, index)->parent,
                        .diff = cache_document_layer(&import->document, index)->diff,
                        .blob = &blobs[index],
                };
        }
        if (count == 0)
                return 0;
        build_cache_place(build, import->place, &place);
        return image_cache_bring(build->engine->images, &place, wanted, count, build->holder,
                                 build_report_cache, &report, err);
}

int build_bring(void *data, char *const *chains, int64_t *sizes, Error *err) {
        Build *build = data;
        int r = 0;

        for (size_t i = 0; chains[i]; i++)
                sizes[i] = size_here(build, chains[i]);
        for (size_t k = 0; r == 0 && k < build->import_count; k++) {
                const BuildImport *import = &build->imports[k];
                _cleanup_free_ char *name = build_cache_name(import->place);
                Error why = {};
                int failed = bring_of(build, import, chains, sizes, &why);

                if (build_cancelled(build))
                        return error_set(err, ECANCELED, "the build was cancelled");
                if (failed < 0)
                        r = build_warn(build, err, "build cache of %s is not whole: %s", name,
                                       why.message);
                for (size_t i = 0; chains[i]; i++)
                        if (sizes[i] < 0)
                                sizes[i] = size_here(build, chains[i]);
        }
        return r;
}

int build_keep(void *data, const char *chain, Error *err) {
        Build *build = data;
        _cleanup_free_ char *holder = str_format("build:%s", chain);

        return image_hold_layer(build->engine->images, chain, holder, err);
}
