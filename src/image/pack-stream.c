/* pack-stream.c: see pack-stream.h. A ring of chunks stands between the threads; what fits into one
 * chunk needs no thread. */
#include "image/pack-stream.h"

#include <pthread.h>
#include <string.h>

#include "base/fd.h"

#define CHUNK_SIZE (1 << 20)
#define CHUNK_COUNT 4

struct PackStream {
        int fd;
        Digester digester;
        int64_t size;   /* bytes of the chunks that were passed on */
        size_t filling; /* index of the chunk that is being filled */
        size_t length;  /* bytes in it */
        pthread_t writer;
        bool started;

        pthread_mutex_t lock;
        pthread_cond_t changed;
        size_t first, count; /* chunks that wait to be written */
        size_t lengths[CHUNK_COUNT];
        bool ended;
        int failure; /* the writer's, a negative errno */

        unsigned char *chunks[CHUNK_COUNT]; /* NULL until they are needed */
};

PackStream *pack_stream_new(int fd) {
        PackStream *stream = NEW(PackStream);

        stream->fd = fd;
        stream->lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
        stream->changed = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
        stream->chunks[0] = alloc_zero(1, CHUNK_SIZE);
        digester_init(&stream->digester);
        return stream;
}

/* ---- the writer ---- */

/* The oldest chunk's index, or -1 when there will be no more. */
static int oldest_chunk(PackStream *stream) {
        int index = -1;

        (void)pthread_mutex_lock(&stream->lock);
        while (stream->count == 0 && !stream->ended)
                (void)pthread_cond_wait(&stream->changed, &stream->lock);
        if (stream->count > 0)
                index = (int)stream->first;
        (void)pthread_mutex_unlock(&stream->lock);
        return index;
}

/* Where nothing is written, the sum is what takes longest: then it is this thread's. */
static int consume(PackStream *stream, int index) {
        if (stream->fd >= 0)
                return fd_write_full(stream->fd, stream->chunks[index], stream->lengths[index]);
        digester_add(&stream->digester, stream->chunks[index], stream->lengths[index]);
        return 0;
}

static void *write_chunks(void *data) {
        PackStream *stream = data;
        int index, r = 0;

        while ((index = oldest_chunk(stream)) >= 0) {
                if (r == 0)
                        r = consume(stream, index);
                (void)pthread_mutex_lock(&stream->lock);
                stream->failure = r;
                stream->first = (stream->first + 1) % CHUNK_COUNT;
                stream->count--;
                (void)pthread_cond_signal(&stream->changed);
                (void)pthread_mutex_unlock(&stream->lock);
        }
        return NULL;
}

static void join_writer(PackStream *stream) {
        if (!stream->started)
                return;
        (void)pthread_mutex_lock(&stream->lock);
        stream->ended = true;
        (void)pthread_cond_signal(&stream->changed);
        (void)pthread_mutex_unlock(&stream->lock);
        (void)pthread_join(stream->writer, NULL);
        stream->started = false;
}

PackStream *pack_stream_free(PackStream *stream) {
        if (!stream)
                return NULL;
        join_writer(stream);
        for (size_t i = 0; i < CHUNK_COUNT; i++)
                free(stream->chunks[i]);
        free(stream);
        return NULL;
}

/* ---- who fills ---- */

static int write_failed(int r, Error *err) {
        return error_set(err, -r, "write the archive");
}

static int start_writer(PackStream *stream, Error *err) {
        int r = pthread_create(&stream->writer, NULL, write_chunks, stream);

        if (r != 0)
                return error_set(err, r, "start a thread");
        for (size_t i = 1; i < CHUNK_COUNT; i++)
                stream->chunks[i] = alloc_zero(1, CHUNK_SIZE);
        stream->started = true;
        return 0;
}

/* Gives the chunk to the writer and waits for one that is free. */
static int pass_on(PackStream *stream, Error *err) {
        int r;

        if (stream->fd >= 0)
                digester_add(&stream->digester, stream->chunks[stream->filling], stream->length);
        stream->size += (int64_t)stream->length;
        r = stream->started ? 0 : start_writer(stream, err);
        if (r < 0)
                return r;
        (void)pthread_mutex_lock(&stream->lock);
        stream->lengths[stream->filling] = stream->length;
        stream->count++;
        (void)pthread_cond_signal(&stream->changed);
        while (stream->count == CHUNK_COUNT)
                (void)pthread_cond_wait(&stream->changed, &stream->lock);
        r = stream->failure;
        (void)pthread_mutex_unlock(&stream->lock);
        stream->filling = (stream->filling + 1) % CHUNK_COUNT;
        stream->length = 0;
        return r < 0 ? write_failed(r, err) : 0;
}

int pack_stream_room(PackStream *stream, void **ret, size_t *ret_length, Error *err) {
        int r = stream->length == CHUNK_SIZE ? pass_on(stream, err) : 0;

        if (r < 0)
                return r;
        *ret = stream->chunks[stream->filling] + stream->length;
        *ret_length = CHUNK_SIZE - stream->length;
        return 0;
}

void pack_stream_advance(PackStream *stream, size_t length) {
        stream->length += length;
}

int pack_stream_add(PackStream *stream, const void *data, size_t length, Error *err) {
        const char *rest = data;

        while (length > 0) {
                size_t part;
                void *room;
                int r = pack_stream_room(stream, &room, &part, err);

                if (r < 0)
                        return r;
                part = MIN(part, length);
                memcpy(room, rest, part);
                pack_stream_advance(stream, part);
                rest += part;
                length -= part;
        }
        return 0;
}

int pack_stream_add_zeros(PackStream *stream, int64_t length, Error *err) {
        while (length > 0) {
                size_t part;
                void *room;
                int r = pack_stream_room(stream, &room, &part, err);

                if (r < 0)
                        return r;
                part = (size_t)MIN((int64_t)part, length);
                memset(room, 0, part);
                pack_stream_advance(stream, part);
                length -= (int64_t)part;
        }
        return 0;
}

int pack_stream_end(PackStream *stream, char digest[DIGEST_TEXT_MAX], int64_t *ret_size,
                    Error *err) {
        int r;

        join_writer(stream);
        r = stream->failure;
        if (r == 0 && stream->fd >= 0)
                r = fd_write_full(stream->fd, stream->chunks[stream->filling], stream->length);
        if (r < 0)
                return write_failed(r, err);
        digester_add(&stream->digester, stream->chunks[stream->filling], stream->length);
        digester_end(&stream->digester, digest);
        *ret_size = stream->size + (int64_t)stream->length;
        return 0;
}
