/* pull.c: an image from a registry: manifest, configuration, and layers, each of which is fetched,
 * summed, inflated and unpacked at once by two confined programs joined by a pipe. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>

#include "base/bug.h"
#include "base/fd.h"
#include "image/crew.h"
#include "image/index.h"
#include "image/origin.h"
#include "image/pull.h"
#include "sql/sql.h"

#define PIPE_SIZE (1 << 20)
#define IDLE_MS 1000

static const Descriptor *layer_descriptor(const Pull *pull, size_t position) {
        return (const Descriptor *)pull->document.manifest.layers.items + position;
}

void pull_done(Pull *pull) {
        assembly_done(&pull->assembly);
        reference_done(&pull->reference);
        free(pull->familiar);
        platform_done(&pull->platform);
        document_done(&pull->document);
        buf_done(&pull->index);
        buf_done(&pull->manifest);
        buf_done(&pull->config);
}

static void short_digest(const char *digest, char text[13]) {
        (void)snprintf(text, 13, "%.12s", digest_hex(digest));
}

/* ---- one layer ---- */

typedef struct LayerJob {
        Pull *pull;
        Session *session;
        const Descriptor *descriptor;
        char id[13];
        BlobTemp temp;
        Unpack unpack;
        bool fetched, unpacked, unpack_failed;
        int64_t have; /* bytes of the blob that an earlier pull left */
        int64_t received, consumed;
} LayerJob;

static void layer_job_done(LayerJob *job) {
        unpack_done(&job->unpack);
        blob_temp_done(&job->temp);
}

static int report(LayerJob *job, const char *status, int64_t current, int64_t total, Error *err) {
        return assembly_report(&job->pull->assembly, job->id, status, current, total, err);
}

static int report_again(LayerJob *job, Error *err) {
        return job->fetched ? report(job, "Extracting", job->consumed, job->descriptor->size, err)
                            : report(job, "Downloading", job->received, job->descriptor->size, err);
}

static int check_fetched(LayerJob *job, const ImageMessage *message, Error *err) {
        int r = report(job, "Verifying Checksum", 0, 0, err);

        if (r < 0)
                return r;
        if (!str_equal(message->digest, job->descriptor->digest) ||
            message->size != job->descriptor->size)
                return error_kind(err, ERROR_INVALID,
                                  "filesystem layer verification failed for digest %s: the "
                                  "registry sent %s, %lld bytes",
                                  job->descriptor->digest, message->digest,
                                  (long long)message->size);
        job->fetched = true;
        return report(job, "Download complete", 0, 0, err);
}

static int on_fetch(LayerJob *job, Error *err) {
        _cleanup_(image_message_done) ImageMessage message = {};
        int r = session_step(job->session, &message, err);

        if (r < 0)
                return pull_word_error(job->pull, job->session, err);
        if (r > 0)
                return check_fetched(job, &message, err);
        job->received = message.current;
        return report(job, "Downloading", job->received, job->descriptor->size, err);
}

static int on_unpack(LayerJob *job, Error *err) {
        int r = unpack_step(&job->unpack, &job->consumed, err);

        job->unpack_failed = r < 0;
        if (r < 0)
                return error_prefix(err, "failed to register layer %s", job->id);
        job->unpacked = r > 0;
        return job->fetched && !job->unpacked ? report_again(job, err) : 0;
}

static struct pollfd fetch_socket(const LayerJob *job) {
        return (struct pollfd){ .fd = job->fetched ? -1 : job->session->helper.socket,
                                .events = POLLIN };
}

/* All that the download has said by now. */
static int drain_fetch(LayerJob *job, Error *err) {
        int r = 0;

        for (struct pollfd socket = fetch_socket(job); r == 0 && poll(&socket, 1, 0) > 0;
             socket = fetch_socket(job))
                r = on_fetch(job, err);
        return r;
}

/* Both programs report; whichever fails first ends the job. A download that breaks off says so, and
 * then its end cuts the archive short, which the other one says: that is no fault of the bytes. */
static int watch(LayerJob *job, Error *err) {
        int r = 0;

        while (r == 0 && !(job->fetched && job->unpacked)) {
                struct pollfd sockets[2] = {
                        fetch_socket(job),
                        { .fd = job->unpacked ? -1 : job->unpack.helper.socket, .events = POLLIN },
                };
                int n = poll(sockets, ELEMENTS(sockets), IDLE_MS);

                if (n < 0 && errno != EINTR)
                        return error_set(err, errno, "wait for the layer");
                if (n == 0) /* tells whether the caller still wants it */
                        r = report_again(job, err);
                if (n > 0)
                        r = drain_fetch(job, err);
                if (n > 0 && r == 0 && sockets[1].revents)
                        r = on_unpack(job, err);
        }
        return r;
}

/* What an earlier pull left of the blob goes on; longer than the blob, it is none of it. */
static int open_blob(LayerJob *job, Error *err) {
        int r = blob_partial_open(job->pull->assembly.store, job->descriptor->digest, &job->temp,
                                  &job->have, err);

        if (r == 0 && job->have > job->descriptor->size) {
                if (ftruncate(job->temp.fd, 0) < 0)
                        return error_set(err, errno, "empty a file in the image store");
                job->have = 0;
        }
        job->received = job->have;
        return r;
}

static int start_download(LayerJob *job, Error *err) {
        char *const *urls = job->descriptor->urls;
        _cleanup_free_ char *path = urls && *urls && BUG("layer-urls")
                                            ? str_copy(*urls)
                                            : str_format("blobs/%s", job->descriptor->digest);
        _cleanup_close_ int read_end = -1;
        _cleanup_close_ int write_end = -1;
        int ends[2], r;

        if (pipe2(ends, O_CLOEXEC) < 0)
                return error_set(err, errno, "make a pipe");
        read_end = ends[0];
        write_end = ends[1];
        (void)fcntl(write_end, F_SETPIPE_SZ, PIPE_SIZE); /* a smaller one works, too */
        r = open_blob(job, err);
        if (r == 0)
                r = unpack_start(job->pull->assembly.store, read_end, -1, &job->unpack, err);
        return r < 0 ? r
                     : session_ask(job->session, path, NULL, job->descriptor->size, job->have,
                                   job->temp.fd, write_end, err);
}

/* The blob is here already, for another image: it only needs unpacking. */
static int start_from_blob(LayerJob *job, Error *err) {
        _cleanup_close_ int fd = -1;
        int r = blob_open(job->pull->assembly.store, job->descriptor->digest, &fd, NULL, err);

        job->fetched = true;
        return r < 0 ? r : unpack_start(job->pull->assembly.store, fd, -1, &job->unpack, err);
}

/* The programs of the first attempt end: one of them waits for the other still. */
static int begin_anew(LayerJob *job, Error *err) {
        Session session = { .helper = { .socket = -1 } };
        int r;

        unpack_done(&job->unpack);
        blob_temp_done(&job->temp);
        r = session_start(&job->pull->options, job->session->endpoint ? job->session : NULL,
                          &session, err);
        if (r < 0)
                return r;
        session_done(job->session);
        *job->session = session;
        job->fetched = job->unpacked = job->unpack_failed = false;
        job->consumed = 0;
        return start_download(job, err);
}

static int download_layer(LayerJob *job, Error *err) {
        int r = start_download(job, err);

        for (;;) {
                bool resumed = job->have > 0;

                if (r == 0)
                        r = watch(job, err);
                if (r == 0)
                        return 0;
                /* Bytes that are wrong, or that fill the disk, help no later pull. */
                if (!job->unpack_failed && err->kind != ERROR_INVALID && err->number != ENOSPC)
                        return r;
                blob_partial_discard(&job->temp);
                if (!resumed || err->number == ENOSPC)
                        return r;
                /* A power cut spoils what wasn't synced: it is no reason to fail. */
                r = begin_anew(job, err);
        }
}

static int make_layer(LayerJob *job, Layer *layer, Error *err) {
        bool stored = blob_exists(job->pull->assembly.store, job->descriptor->digest);
        int r;

        if (stored) {
                r = start_from_blob(job, err);
                if (r == 0)
                        r = watch(job, err);
        } else {
                r = download_layer(job, err);
        }
        if (r < 0) {
                layer_give_up(job->pull->assembly.store, layer->chain);
                return r;
        }
        r = layer_land(layer, &job->unpack, stored ? NULL : &job->temp, err);
        if (r < 0 && err->kind == ERROR_INVALID)
                blob_partial_discard(&job->temp);
        return r;
}

int pull_layer(void *data, Session *session, size_t position, Error *err) {
        Pull *pull = data;
        _cleanup_(layer_job_done) LayerJob job = {
                .pull = pull,
                .session = session,
                .descriptor = layer_descriptor(pull, position),
                .temp = { .fd = -1 },
        };
        _cleanup_(layer_done) Layer layer = {};
        bool present;
        int r;

        short_digest(job.descriptor->digest, job.id);
        if (pull->layers)
                layer = pull->layers[position];
        else
                assembly_layer(&pull->assembly, position, &layer);
        memcpy(layer.blob, job.descriptor->digest, DIGEST_TEXT_MAX);
        layer.blob_size = job.descriptor->size;
        pins_add(&pull->assembly.pins, layer.blob);
        r = assembly_claim(&pull->assembly, &layer, &present, err);
        if (r < 0)
                return r;
        if (present)
                return report(&job, "Already exists", 0, 0, err);
        r = make_layer(&job, &layer, err);
        return r < 0 ? r : report(&job, "Pull complete", 0, 0, err);
}

/* ---- all layers ---- */

static int announce_layers(Pull *pull, size_t count, Error *err) {
        for (size_t i = 0; i < count; i++) {
                char id[13];
                int r;

                short_digest(layer_descriptor(pull, i)->digest, id);
                r = assembly_report(&pull->assembly, id, "Pulling fs layer", 0, 0, err);
                if (r == 0 && i >= crew_pulls(pull->options.options))
                        r = assembly_report(&pull->assembly, id, "Waiting", 0, 0, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int pull_layers(Pull *pull, Session *session, Error *err) {
        const Crew crew = { .assembly = &pull->assembly,
                            .options = &pull->options,
                            .count = pull->document.manifest.layers.count,
                            .most = crew_pulls(pull->options.options),
                            .work = pull_layer,
                            .data = pull };
        int r = announce_layers(pull, crew.count, err);

        return r < 0 ? r : crew_run(&crew, session, err);
}

/* ---- the whole ---- */

/* Whether the image is here, and whether its name says so. */
static int is_known(Pull *pull, bool *ret_image, bool *ret_named, Error *err) {
        ImageStore *store = pull->assembly.store;
        STORE_LOCKED(store);
        _cleanup_sql_ sqlite3_stmt *statement = NULL, *named = NULL;
        int r = sql_prepare(store->db, &statement, err, "SELECT 1 FROM images WHERE id=?", "t",
                            pull->assembly.record.id);

        if (r == 0)
                r = sql_step(statement, err);
        if (r < 0)
                return r;
        *ret_image = r > 0;
        r = sql_prepare(store->db, &named, err,
                        "SELECT 1 WHERE ?2 IN (SELECT name FROM names " SQL_NAMES_OF_IMAGE ")",
                        "tt", pull->assembly.record.id, pull->assembly.record.names[0]);
        if (r == 0)
                r = sql_step(named, err);
        *ret_named = r > 0;
        return r < 0 ? r : 0;
}

static void set_names(Pull *pull) {
        _cleanup_free_ char *repository = reference_repository(&pull->reference);

        if (!pull->reference.digest)
                strv_take(&pull->assembly.record.names, reference_full(&pull->reference));
        strv_format(&pull->assembly.record.names, "%s@%s", repository, pull->top);
}

/* A push to another repository of the registry has them mounted from this one. */
static int remember_origin(Pull *pull, Error *err) {
        _cleanup_strv_ char **blobs = NULL;

        for (size_t i = 0; i < pull->document.manifest.layers.count; i++)
                strv_add(&blobs, layer_descriptor(pull, i)->digest);
        return origins_record(pull->assembly.store, &pull->reference, blobs, err);
}

static int finish(Pull *pull, bool named, Error *err) {
        _cleanup_free_ char *digest = str_format("Digest: %s", pull->top);
        _cleanup_free_ char *status = str_format(
                "Status: %s for %s", named ? "Image is up to date" : "Downloaded newer image",
                pull->familiar);
        int r = assembly_report(&pull->assembly, NULL, digest, 0, 0, err);

        if (r == 0)
                r = assembly_commit(&pull->assembly, err);
        if (r == 0)
                r = remember_origin(pull, err);
        return r < 0 || pull->one_of_many
                       ? r
                       : assembly_report(&pull->assembly, NULL, status, 0, 0, err);
}

/* Docker says what it pulls once the registry has answered. */
static int begin(Pull *pull, Error *err) {
        const char *name = pull->reference.digest ?: pull->reference.tag;
        _cleanup_free_ char *first = str_format("Pulling from %s", pull->reference.path);
        int r = assembly_report(&pull->assembly, name, first, 0, 0, err);

        return r < 0 ? r : pull_keep(pull, err);
}

static int run(Pull *pull, bool *ret_newer, Error *err) {
        _cleanup_(session_done) Session session = { .helper = { .socket = -1 } };
        bool known = false, named = false;
        int r = session_start(&pull->options, NULL, &session, err);

        if (r == 0)
                r = pull_resolve(pull, &session, err);
        if (r == 0)
                r = begin(pull, err);
        if (r < 0)
                return r;
        set_names(pull);
        /* What is known stays: the image may be removed before it is recorded again. */
        for (char **chain = pull->assembly.record.chains; chain && *chain; chain++)
                pins_add(&pull->assembly.pins, *chain);
        r = is_known(pull, &known, &named, err);
        if (r == 0 && !known)
                r = pull_layers(pull, &session, err);
        *ret_newer = !(known && named);
        return r < 0 ? r : finish(pull, known && named, err);
}

int pull_prepare(Pull *pull, const char *name, const char *platform, Error *err) {
        int r = reference_parse(name, &pull->reference, err);

        if (r < 0)
                return r;
        if (pull->reference.digest) { /* it says all that a tag could */
                free(pull->reference.tag);
                pull->reference.tag = NULL;
        }
        reference_default_tag(&pull->reference);
        pull->familiar = reference_familiar(&pull->reference);
        pull->platform_given = !str_empty(platform);
        return platform_parse(platform, &pull->platform, err);
}

int pull_begin(Pull *ret, const PullRequest *request, const char *name, Error *err) {
        *ret = (Pull){ .one_of_many = request->one_of_many,
                       .any_platform = request->any_platform,
                       .pinned = request->pinned };
        assembly_init(&ret->assembly, request->store, request->progress, request->data);
        ret->options = (SessionOptions){ .store = request->store,
                                         .reference = &ret->reference,
                                         .auth = request->auth,
                                         .options = request->options };
        return pull_prepare(ret, name, request->platform, err);
}

int pull_one(const PullRequest *request, const char *name, char **ret_id, bool *ret_newer,
             Error *err) {
        _cleanup_(pull_done) Pull pull = {};
        int r = pull_begin(&pull, request, name, err);

        if (r == 0)
                pull.assembly.record.holder = str_copy(request->holder);
        if (r == 0)
                r = run(&pull, ret_newer, err);
        if (r == 0)
                *ret_id = str_copy(pull.assembly.record.id);
        return r;
}

int image_pull(ImageStore *store, const char *name, const char *platform, const RegistryAuth *auth,
               const RegistryOptions *options, ImageProgressFn progress, void *data, char **ret_id,
               Error *err) {
        const PullRequest request = { .store = store,
                                      .platform = platform,
                                      .auth = auth,
                                      .options = options,
                                      .progress = progress,
                                      .data = data };
        bool newer = false;

        return pull_one(&request, name, ret_id, &newer, err);
}
