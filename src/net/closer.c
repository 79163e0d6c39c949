/* closer.c: see closer.h. Linux waits at the close of a netfilter socket until what was removed
 * from nftables before is freed (nft_rcv_nl_event): half a minute and longer on a machine that
 * starves. */
#include "net/closer.h"

#include <errno.h>
#include <pthread.h>

#include "base/alloc.h"

struct Closer {
        pthread_t thread;
        pthread_mutex_t lock; /* guards what follows */
        pthread_cond_t taken;
        int *fds;
        size_t count;
        bool stopping;
};

static void close_all(int *fds, size_t count) {
        for (size_t i = 0; i < count; i++)
                close_fd(&fds[i]);
        free(fds);
}

static void *run(void *data) {
        Closer *closer = data;

        (void)pthread_mutex_lock(&closer->lock);
        while (closer->count || !closer->stopping) {
                int *fds = closer->fds;
                const size_t count = closer->count;

                if (!count) {
                        (void)pthread_cond_wait(&closer->taken, &closer->lock);
                        continue;
                }
                closer->fds = NULL;
                closer->count = 0;
                (void)pthread_mutex_unlock(&closer->lock);
                close_all(fds, count);
                (void)pthread_mutex_lock(&closer->lock);
        }
        (void)pthread_mutex_unlock(&closer->lock);
        return NULL;
}

int closer_new(Closer **ret, Error *err) {
        Closer *closer = NEW(Closer);
        int r;

        (void)pthread_mutex_init(&closer->lock, NULL);
        (void)pthread_cond_init(&closer->taken, NULL);
        r = pthread_create(&closer->thread, NULL, run, closer);
        if (r > 0) {
                free(closer);
                return error_set(err, r, "start the thread that closes sockets");
        }
        *ret = closer;
        return 0;
}

Closer *closer_free(Closer *closer) {
        if (!closer)
                return NULL;
        (void)pthread_mutex_lock(&closer->lock);
        closer->stopping = true;
        (void)pthread_cond_signal(&closer->taken);
        (void)pthread_mutex_unlock(&closer->lock);
        (void)pthread_join(closer->thread, NULL);
        (void)pthread_mutex_destroy(&closer->lock);
        (void)pthread_cond_destroy(&closer->taken);
        free(closer);
        return NULL;
}

void closer_take(Closer *closer, int fd) {
        (void)pthread_mutex_lock(&closer->lock);
        GROW(closer->fds, closer->count);
        closer->fds[closer->count++] = fd;
        (void)pthread_cond_signal(&closer->taken);
        (void)pthread_mutex_unlock(&closer->lock);
}
