/* reaper.c: takes all that is queued at once, so that a hundred links that go together share one
 * grace period. */
#include "net/reaper.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/str.h"
#include "net/conntrack.h"
#include "os/rtnetlink.h"

/* Links of this group are about to go; no other program is likely to use the number ("brig"). */
#define DOOMED_GROUP 0x62726967
#define AT_ONCE 12 /* links in one rtnetlink queue */

typedef struct Job {
        struct Job *next;
        char *link, *owner; /* NULL: forget `address`, or `port` */
        IpAddress address;  /* of no family: none */
        FirewallPort port;
} Job;

struct Reaper {
        pthread_t thread;
        pthread_mutex_t lock; /* guards what follows */
        pthread_cond_t queued, done;
        Job *jobs, **jobs_end;
        Job *current; /* what the thread works on; read by reaper_wait */
        bool stopping;
        Rtnl *rtnl; /* these two are the thread's alone */
        int conntrack_fd;
};

static void free_jobs(Job *job) {
        while (job) {
                Job *next = job->next;

                free(job->link);
                free(job->owner);
                free(job);
                job = next;
        }
}

static void commit(Reaper *reaper) {
        Error err = { 0 };

        if (rtnl_commit(reaper->rtnl, &err) < 0)
                log_warn("delete links of containers: %s", err.message);
}

static void delete_links(Reaper *reaper, const Job *jobs) {
        size_t count = 0;

        for (const Job *job = jobs; job; job = job->next) {
                if (!job->link)
                        continue;
                rtnl_put_group(reaper->rtnl, job->link, DOOMED_GROUP);
                if (++count % AT_ONCE == 0)
                        commit(reaper);
        }
        if (count == 0)
                return;
        rtnl_put_delete_group(reaper->rtnl, DOOMED_GROUP);
        commit(reaper);
}

/* The list of connections may be long: it is read once for all that go together. */
static bool is_wanted(const Job *job, const ConntrackFlow *flow) {
        const FirewallPort *port = &job->port;

        if (job->link)
                return false;
        if (job->address.family)
                return ip_equal(job->address, flow->source) ||
                       ip_equal(job->address, flow->destination) ||
                       ip_equal(job->address, flow->answerer);
        return flow->protocol == port->protocol && flow->port == port->host_port &&
               flow->destination.family == port->host_address.family &&
               (ip_is_any(port->host_address) || ip_equal(flow->destination, port->host_address));
}

static bool is_doomed(void *data, const ConntrackFlow *flow) {
        for (const Job *job = data; job; job = job->next)
                if (is_wanted(job, flow))
                        return true;
        return false;
}

static void forget_connections(Reaper *reaper, Job *jobs) {
        bool any = false;
        Error err = { 0 };

        for (const Job *job = jobs; job; job = job->next)
                any |= !job->link;
        if (!any)
                return;
        conntrack_wait_for_packets();
        if (conntrack_forget_if(reaper->conntrack_fd, is_doomed, jobs, &err) < 0)
                log_warn("forget connections: %s", err.message);
}

static void *run(void *data) {
        Reaper *reaper = data;

        (void)pthread_mutex_lock(&reaper->lock);
        for (;;) {
                Job *jobs = reaper->jobs;

                if (!jobs && reaper->stopping)
                        break;
                if (!jobs) {
                        (void)pthread_cond_wait(&reaper->queued, &reaper->lock);
                        continue;
                }
                reaper->current = jobs;
                reaper->jobs = NULL;
                reaper->jobs_end = &reaper->jobs;
                (void)pthread_mutex_unlock(&reaper->lock);
                delete_links(reaper, jobs);
                forget_connections(reaper, jobs);
                (void)pthread_mutex_lock(&reaper->lock);
                reaper->current = NULL;
                free_jobs(jobs);
                (void)pthread_cond_broadcast(&reaper->done);
        }
        (void)pthread_mutex_unlock(&reaper->lock);
        return NULL;
}

int reaper_new(Reaper **ret, Error *err) {
        Reaper *reaper = NEW(Reaper);
        int r;

        reaper->conntrack_fd = -1;
        r = rtnl_open(&reaper->rtnl, err);
        if (r == 0)
                r = conntrack_open(&reaper->conntrack_fd, err);
        if (r < 0) {
                rtnl_close(reaper->rtnl);
                free(reaper);
                return r;
        }
        (void)pthread_mutex_init(&reaper->lock, NULL);
        (void)pthread_cond_init(&reaper->queued, NULL);
        (void)pthread_cond_init(&reaper->done, NULL);
        reaper->jobs_end = &reaper->jobs;
        r = pthread_create(&reaper->thread, NULL, run, reaper);
        if (r > 0) {
                rtnl_close(reaper->rtnl);
                close_fd(&reaper->conntrack_fd);
                free(reaper);
                return error_set(err, r, "start the network's worker thread");
        }
        *ret = reaper;
        return 0;
}

Reaper *reaper_free(Reaper *reaper) {
        if (!reaper)
                return NULL;
        (void)pthread_mutex_lock(&reaper->lock);
        reaper->stopping = true;
        (void)pthread_cond_signal(&reaper->queued);
        (void)pthread_mutex_unlock(&reaper->lock);
        (void)pthread_join(reaper->thread, NULL);
        rtnl_close(reaper->rtnl);
        close_fd(&reaper->conntrack_fd);
        (void)pthread_mutex_destroy(&reaper->lock);
        (void)pthread_cond_destroy(&reaper->queued);
        (void)pthread_cond_destroy(&reaper->done);
        free(reaper);
        return NULL;
}

static void queue(Reaper *reaper, Job *job) {
        (void)pthread_mutex_lock(&reaper->lock);
        *reaper->jobs_end = job;
        reaper->jobs_end = &job->next;
        (void)pthread_cond_signal(&reaper->queued);
        (void)pthread_mutex_unlock(&reaper->lock);
}

void reaper_delete_link(Reaper *reaper, const char *link, const char *owner) {
        Job *job = NEW(Job);

        job->link = str_copy(link);
        job->owner = str_copy(owner);
        queue(reaper, job);
}

void reaper_forget(Reaper *reaper, const FirewallPort *port) {
        Job *job;

        if (port->protocol != IPPROTO_UDP)
                return;
        job = NEW(Job);
        job->port = *port;
        queue(reaper, job);
}

void reaper_forget_address(Reaper *reaper, IpAddress address) {
        Job *job = NEW(Job);

        job->address = address;
        queue(reaper, job);
}

static bool has_owner(const Job *job, const char *owner) {
        for (; job; job = job->next)
                if (!owner || str_equal(job->owner, owner))
                        return true;
        return false;
}

void reaper_wait(Reaper *reaper, const char *owner) {
        (void)pthread_mutex_lock(&reaper->lock);
        while (has_owner(reaper->jobs, owner) || has_owner(reaper->current, owner))
                (void)pthread_cond_wait(&reaper->done, &reaper->lock);
        (void)pthread_mutex_unlock(&reaper->lock);
}
