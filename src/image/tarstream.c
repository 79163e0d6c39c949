/* tarstream.c: see tarstream.h. A ring of chunks stands between the threads. */
#include "image/tarstream.h"

#include <errno.h>
#include <pthread.h>

#include "base/fd.h"

#define CHUNK_SIZE (256 * 1024)
#define CHUNK_COUNT 8
#define TAR_BLOCK 512
/* Tapes pad an archive to a record, which is 10 KiB by default and 4 MiB with the tools' largest
 * blocking factor in use. */
#define TAIL_MAX (16 << 20)

typedef struct Chunk {
        size_t length; /* 0: the stream ended */
        unsigned char data[CHUNK_SIZE];
} Chunk;

struct TarStream {
        Inflater *inflater;
        int copy_fd;
        Digester digester;       /* the producer's, then finish's */
        int64_t inflated, limit; /* the producer's: bytes */
        struct archive *archive;
        pthread_t producer;
        bool started, held; /* held: the consumer still uses the oldest chunk */

        pthread_mutex_t lock;
        pthread_cond_t changed;
        size_t first, count; /* chunks filled */
        bool ended, abandoned;
        int64_t consumed;
        Error failure; /* the producer's; kind and number are set if ended and it failed */
        bool failed;
        int64_t entry_size, entry_read; /* the consumer's, of the entry at which it is */
        Chunk chunks[CHUNK_COUNT];
};

/* ---- the producer ---- */

/* The next chunk to fill, or NULL if the consumer has gone. */
static Chunk *free_chunk(TarStream *stream) {
        Chunk *chunk = NULL;

        (void)pthread_mutex_lock(&stream->lock);
        while (stream->count == CHUNK_COUNT && !stream->abandoned)
                (void)pthread_cond_wait(&stream->changed, &stream->lock);
        if (!stream->abandoned)
                chunk = &stream->chunks[(stream->first + stream->count) % CHUNK_COUNT];
        (void)pthread_mutex_unlock(&stream->lock);
        return chunk;
}

static void publish(TarStream *stream, const Error *failure) {
        (void)pthread_mutex_lock(&stream->lock);
        stream->count++;
        stream->consumed = inflater_consumed(stream->inflater);
        if (failure) {
                stream->failure = *failure;
                stream->failed = true;
        }
        (void)pthread_cond_signal(&stream->changed);
        (void)pthread_mutex_unlock(&stream->lock);
}

/* Fills the chunk as far as the stream goes. */
static int fill(TarStream *stream, Chunk *chunk, Error *err) {
        int r;

        chunk->length = 0;
        while (chunk->length < CHUNK_SIZE) {
                ssize_t n = inflater_read(stream->inflater, chunk->data + chunk->length,
                                          CHUNK_SIZE - chunk->length, err);

                if (n < 0)
                        return (int)n;
                if (n == 0)
                        break;
                chunk->length += (size_t)n;
        }
        stream->inflated += (int64_t)chunk->length;
        if (stream->inflated > stream->limit) {
                (void)error_kind(err, ERROR_INVALID,
                                 "the archive has more than the %lld bytes that it may have when "
                                 "it is inflated",
                                 (long long)stream->limit);
                if (err) /* a limit, not damage */
                        err->number = EFBIG;
                return -EFBIG;
        }
        digester_add(&stream->digester, chunk->data, chunk->length);
        if (stream->copy_fd < 0)
                return 0;
        r = fd_write_full(stream->copy_fd, chunk->data, chunk->length);
        return r < 0 ? error_set(err, -r, "store the layer") : 0;
}

static void *produce(void *data) {
        TarStream *stream = data;
        Chunk *chunk;

        while ((chunk = free_chunk(stream))) {
                Error err = {};
                int r = fill(stream, chunk, &err);
                bool last = r < 0 || chunk->length == 0;

                if (r < 0)
                        chunk->length = 0;
                publish(stream, r < 0 ? &err : NULL);
                if (last)
                        break;
        }
        return NULL;
}

/* ---- the consumer ---- */

static void release_chunk(TarStream *stream) {
        if (!stream->held)
                return;
        stream->held = false;
        (void)pthread_mutex_lock(&stream->lock);
        stream->first = (stream->first + 1) % CHUNK_COUNT;
        stream->count--;
        (void)pthread_cond_signal(&stream->changed);
        (void)pthread_mutex_unlock(&stream->lock);
}

/* The next chunk, valid until the next call; NULL at the end or on failure. */
static Chunk *next_chunk(TarStream *stream) {
        Chunk *chunk;

        if (stream->ended)
                return NULL;
        release_chunk(stream);
        (void)pthread_mutex_lock(&stream->lock);
        while (stream->count == 0)
                (void)pthread_cond_wait(&stream->changed, &stream->lock);
        chunk = &stream->chunks[stream->first];
        (void)pthread_mutex_unlock(&stream->lock);
        stream->held = true;
        if (chunk->length > 0)
                return chunk;
        stream->ended = true;
        return NULL;
}

static la_ssize_t give_chunk(struct archive *archive, void *data, const void **ret) {
        TarStream *stream = data;
        Chunk *chunk = next_chunk(stream);

        if (chunk) {
                *ret = chunk->data;
                return (la_ssize_t)chunk->length;
        }
        if (!stream->failed)
                return 0;
        archive_set_error(archive, stream->failure.number ? stream->failure.number : EINVAL, "%s",
                          stream->failure.message);
        return -1;
}

static int archive_failed(TarStream *stream, Error *err) {
        const char *why = archive_error_string(stream->archive);

        if (stream->failed) {
                if (err)
                        *err = stream->failure;
                return stream->failure.number ? -stream->failure.number
                                              : error_number_of(stream->failure.kind);
        }
        return error_kind(err, ERROR_INVALID, "damaged tar archive: %s",
                          why ? why : "unknown reason");
}

static int open_archive(TarStream *stream, Error *err) {
        stream->archive = archive_read_new();
        if (!stream->archive)
                abort();
        if (archive_read_support_format_tar(stream->archive) != ARCHIVE_OK ||
            archive_read_support_format_empty(stream->archive) != ARCHIVE_OK ||
            archive_read_open(stream->archive, stream, NULL, give_chunk, NULL) != ARCHIVE_OK)
                return archive_failed(stream, err);
        return 0;
}

int tar_stream_new(int fd, int copy_fd, int64_t limit, TarStream **ret, Error *err) {
        _cleanup_(tar_stream_freep) TarStream *stream = NEW(TarStream);
        int r;

        stream->copy_fd = copy_fd;
        stream->limit = limit;
        stream->lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
        stream->changed = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
        digester_init(&stream->digester);
        r = inflater_new(fd, &stream->inflater, err);
        if (r < 0)
                return r;
        r = pthread_create(&stream->producer, NULL, produce, stream);
        if (r != 0)
                return error_set(err, r, "start a thread");
        stream->started = true;
        r = open_archive(stream, err);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(stream);
        return 0;
}

TarStream *tar_stream_free(TarStream *stream) {
        if (!stream)
                return NULL;
        if (stream->started) {
                (void)pthread_mutex_lock(&stream->lock);
                stream->abandoned = true;
                (void)pthread_cond_signal(&stream->changed);
                (void)pthread_mutex_unlock(&stream->lock);
                (void)pthread_join(stream->producer, NULL);
        }
        (void)archive_read_free(stream->archive);
        (void)inflater_free(stream->inflater);
        free(stream);
        return NULL;
}

/* The archive ends with the last byte of a file, without the zeros that fill its block: docker
 * sends a context so whose Dockerfile it adds, `docker build -f ../Dockerfile .`. Nothing is
 * missing. */
static bool ends_unpadded(const TarStream *stream) {
        return stream->ended && !stream->failed && stream->entry_size > 0 &&
               stream->entry_read == stream->entry_size &&
               stream->inflated % TAR_BLOCK == stream->entry_size % TAR_BLOCK;
}

int tar_stream_next(TarStream *stream, struct archive_entry **ret, Error *err) {
        int r = archive_read_next_header(stream->archive, ret);

        if (r == ARCHIVE_EOF)
                return stream->failed ? archive_failed(stream, err) : 0;
        /* A warning is about a character set; the bytes of the name are there nevertheless. */
        if (r != ARCHIVE_OK && r != ARCHIVE_WARN)
                return ends_unpadded(stream) ? 0 : archive_failed(stream, err);
        stream->entry_size = archive_entry_size(*ret);
        stream->entry_read = 0;
        return 1;
}

int tar_stream_data(TarStream *stream, const void **ret, size_t *ret_length, int64_t *ret_offset,
                    Error *err) {
        la_int64_t offset = 0;
        int r = archive_read_data_block(stream->archive, ret, ret_length, &offset);

        *ret_offset = offset;
        if (r == ARCHIVE_EOF)
                return 0;
        if (r != ARCHIVE_OK && r != ARCHIVE_WARN)
                return ends_unpadded(stream) ? 0 : archive_failed(stream, err);
        stream->entry_read = offset + (int64_t)*ret_length;
        return 1;
}

int64_t tar_stream_consumed(TarStream *stream) {
        int64_t consumed;

        (void)pthread_mutex_lock(&stream->lock);
        consumed = stream->consumed;
        (void)pthread_mutex_unlock(&stream->lock);
        return consumed;
}

Compression tar_stream_compression(const TarStream *stream) {
        return inflater_compression(stream->inflater);
}

int tar_stream_finish(TarStream *stream, char digest[DIGEST_TEXT_MAX], Error *err) {
        const Chunk *chunk;
        int64_t tail = 0;

        while ((chunk = next_chunk(stream))) {
                tail += (int64_t)chunk->length;
                if (tail > TAIL_MAX)
                        return error_kind(err, ERROR_INVALID,
                                          "more than %d bytes follow the end of the archive: "
                                          "refused, padding is shorter",
                                          TAIL_MAX);
        }
        if (stream->failed)
                return archive_failed(stream, err);
        (void)pthread_join(stream->producer, NULL);
        stream->started = false;
        digester_end(&stream->digester, digest);
        return 0;
}
