/* push-layer.c: one layer to a registry; one that shall have another form than it came in is made
 * so before (repack.c), unless the registry has it in the form that is remembered. See push.h. */
#include <errno.h>
#include <poll.h>

#include "base/fd.h"
#include "image/push.h"

#define IDLE_MS 1000

typedef struct LayerPush {
        Push *push;
        Session *session;
        const Layer *layer;
        Compression to; /* FORM_KEEP: it goes as it came */
        char id[13];
        char digest[DIGEST_TEXT_MAX]; /* what goes up */
        int64_t size;
        char *outcome, *source;
        char refused[DIGEST_TEXT_MAX]; /* what could not be mounted: it is not asked for again */
        BlobTemp temp;                 /* the other form */
} LayerPush;

static void layer_push_done(LayerPush *job) {
        free(job->outcome);
        free(job->source);
        blob_temp_done(&job->temp);
}

void push_layer_id(const Layer *layer, char id[13]) {
        (void)snprintf(id, 13, "%.12s", digest_hex(layer->diff));
}

Compression push_form(const Push *push, const Layer *layer) {
        return push->manifest ? FORM_KEEP : form_of_layer(&push->form, layer->media_type, true);
}

int push_word_error(const Session *session, Error *err) {
        static const char plain[] = "no basic auth credentials";
        const char *found = err ? strstr(err->message, plain) : NULL;

        if (!err)
                return -EIO;
        if (found && !found[sizeof(plain) - 1])
                return error_kind(err, ERROR_UNAUTHORIZED, "%s", plain);
        if (str_equal(session->code, "NAME_UNKNOWN") || str_equal(session->code, "NAME_INVALID"))
                return error_prefix(err, "the registry refuses the repository's name");
        return err->number ? -err->number : error_number_of(err->kind);
}

/* ---- one blob ---- */

static int report_sent(Push *push, const char *id, int64_t current, int64_t total, Error *err) {
        return id ? assembly_report(&push->assembly, id, "Pushing", current, total, err)
                  : assembly_report(&push->assembly, NULL, NULL, 0, 0, err);
}

/* One report: 1 the last one. A registry that is silent is waited for as long as the caller wants:
 * a report now and then tells. */
static int step(Push *push, Session *session, const char *id, int64_t total, ImageMessage *message,
                Error *err) {
        struct pollfd socket = { .fd = session->helper.socket, .events = POLLIN };
        int64_t current = message->current;
        int n = poll(&socket, 1, IDLE_MS);
        int r;

        if (n < 0 && errno != EINTR)
                return error_set(err, errno, "wait for the registry");
        if (n > 0) {
                image_message_done(message);
                r = session_step(session, message, err);
                if (r != 0)
                        return r < 0 ? push_word_error(session, err) : r;
                current = message->current;
        }
        return report_sent(push, id, current, total, err);
}

int push_blob(Push *push, Session *session, const ImageMessage *request, int file_fd,
              const char *id, char **ret, char **ret_source, Error *err) {
        _cleanup_(image_message_done) ImageMessage message = {};
        int r = session_request(session, request, file_fd, err);

        while (r == 0)
                r = step(push, session, id, request->size, &message, err);
        if (r < 0)
                return r;
        *ret = str_copy(message.outcome);
        *ret_source = str_copy(message.source);
        return 0;
}

static int send_layer(LayerPush *job, int file_fd, Error *err) {
        _cleanup_strv_ char **sources = NULL;
        ImageMessage request = { .kind = (char *)"blob", .digest = job->digest, .size = job->size };
        int r = 0;

        if (!str_equal(job->refused, job->digest))
                r = origins_of(job->push->assembly.store, &job->push->reference, job->digest,
                               &sources, err);
        if (r < 0)
                return r;
        memcpy(job->refused, job->digest, DIGEST_TEXT_MAX);
        request.sources = sources;
        free(job->outcome);
        free(job->source);
        job->outcome = job->source = NULL;
        return push_blob(job->push, job->session, &request, file_fd, job->id, &job->outcome,
                         &job->source, err);
}

/* ---- another form ---- */

typedef struct Packing {
        Push *push;
        const char *id;
} Packing;

static int report_packing(void *data, int64_t current, int64_t total, Error *err) {
        const Packing *packing = data;

        return assembly_report(&packing->push->assembly, packing->id, "Preparing", current, total,
                               err);
}

bool push_packs(const Push *push, const Layer *layer) {
        return push_form(push, layer) != FORM_KEEP;
}

int push_pack(Push *push, const Layer *layer, const char *id, BlobTemp *temp,
              char digest[DIGEST_TEXT_MAX], int64_t *ret_size, Error *err) {
        Packing packing = { push, id };
        const Repack repack = { .layer = layer,
                                .to = push_form(push, layer),
                                .form = &push->form,
                                .report = report_packing,
                                .data = &packing };

        return layer_repack(push->assembly.store, &repack, temp, digest, ret_size, err);
}

static int send_packed(LayerPush *job, Error *err) {
        ImageStore *store = job->push->assembly.store;
        char key[FORM_TEXT_MAX];
        int r;

        form_key(&job->push->form, job->to, key);
        r = packed_find(store, job->layer->blob, key, job->digest, &job->size, err);
        if (r > 0)
                r = send_layer(job, -1, err);
        if (r < 0 || (job->outcome && !str_equal(job->outcome, PUSH_ABSENT)))
                return r;
        r = push_pack(job->push, job->layer, job->id, &job->temp, job->digest, &job->size, err);
        return r < 0 ? r : send_layer(job, job->temp.fd, err);
}

/* ---- the layer ---- */

static int send_as_came(LayerPush *job, Error *err) {
        _cleanup_close_ int fd = -1;
        int r = layer_blob_open(job->push->assembly.store, job->layer->blob, &fd, &job->size, err);

        memcpy(job->digest, job->layer->blob, DIGEST_TEXT_MAX);
        return r < 0 ? r : send_layer(job, fd, err);
}

/* A layer that was never brought here: the repository has it, or the cache is not whole. */
static int send_known(LayerPush *job, Error *err) {
        int r;

        memcpy(job->digest, job->layer->blob, DIGEST_TEXT_MAX);
        job->size = job->layer->blob_size;
        r = send_layer(job, -1, err);
        if (r == 0 && str_equal(job->outcome, PUSH_ABSENT))
                r = error_kind(err, ERROR_NOT_FOUND,
                               "the registry has layer %s no more: build without --cache-from",
                               job->layer->blob);
        return r;
}

static int report_end(LayerPush *job, Error *err) {
        _cleanup_free_ char *mounted =
                str_format("Mounted from %s", job->source ? job->source : "");
        const char *status = str_equal(job->outcome, PUSH_EXISTS)    ? "Layer already exists"
                             : str_equal(job->outcome, PUSH_MOUNTED) ? mounted
                                                                     : "Pushed";

        return assembly_report(&job->push->assembly, job->id, status, 0, 0, err);
}

int push_layer(void *data, Session *session, size_t position, Error *err) {
        Push *push = data;
        size_t place = push->count - 1 - position;
        _cleanup_(layer_push_done) LayerPush job = { .push = push,
                                                     .session = session,
                                                     .layer = &push->layers[place],
                                                     .temp = { .fd = -1 } };
        Descriptor *descriptor = &push->descriptors[place];
        char *blobs[] = { job.digest, NULL };
        int r;

        push_layer_id(job.layer, job.id);
        job.to = push_form(push, job.layer);
        if (push->there && push->there[place])
                r = send_known(&job, err);
        else
                r = job.to != FORM_KEEP ? send_packed(&job, err) : send_as_came(&job, err);
        if (r < 0)
                return r;
        descriptor->media_type =
                str_copy(job.to != FORM_KEEP ? form_media_type(job.to) : job.layer->media_type);
        descriptor->digest = str_copy(job.digest);
        descriptor->size = job.size;
        r = origins_record(push->assembly.store, &push->reference, blobs, err);
        return r < 0 ? r : report_end(&job, err);
}
