/* resolver.c: the thread that answers containers' questions, from names.c or by forward.c. Sockets
 * are opened inside a container's namespace and served from here. */
#include "net/resolver.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/bug.h"
#include "base/fd.h"
#include "base/id.h"
#include "base/log.h"
#include "net/names.h"
#include "net/netns.h"
#include "net/redirect.h"
#include "net/resolver-private.h"
#include "net/state.h"

#define DATAGRAMS_AT_ONCE 64 /* before another container has its turn */

struct Resolver {
        Loop *loop; /* the thread's, but for loop_post and loop_stop */
        pthread_t thread;
        pthread_mutex_t lock; /* guards names */
        Names *names;
        Map attachments; /* container id → Attachment; the thread's */
        size_t forward_count, stream_count;
        HostServers host; /* the thread's */
        Closer *closer;
};

Loop *resolver_loop(Resolver *resolver) {
        return resolver->loop;
}

size_t *resolver_forward_count(Resolver *resolver) {
        return &resolver->forward_count;
}

size_t *resolver_stream_count(Resolver *resolver) {
        return &resolver->stream_count;
}

const Servers *attachment_servers(const Attachment *attachment) {
        return attachment->follows_host ? host_servers(&attachment->resolver->host)
                                        : &attachment->servers;
}

/* ---- questions ---- */

void client_answer(Attachment *attachment, const Client *client, const void *data, size_t length) {
        if (client->stream)
                stream_answer(client->stream, data, length);
        else
                /* As every resolver: a client whose buffer is full asks again. */
                (void)sendto(attachment->udp_fd, data, length, MSG_DONTWAIT | MSG_NOSIGNAL,
                             (const struct sockaddr *)&client->address, sizeof(client->address));
}

/* Spreads clients over the addresses of a name. */
static void shuffle(IpAddress *addresses, size_t count) {
        uint32_t random;

        for (size_t i = count; i > 1; i--) {
                size_t other;
                IpAddress address = addresses[i - 1];

                random_bytes(&random, sizeof(random));
                other = random % i;
                addresses[i - 1] = addresses[other];
                addresses[other] = address;
        }
}

static size_t limit_of(const Client *client, const DnsQuery *query) {
        return client->stream ? DNS_MESSAGE_MAX : query->udp_size;
}

/* True if the question was about one of the container's own networks. A known name has no record of
 * another type: that is an empty answer, not a question for others. */
static bool answer_name(Attachment *attachment, const Client *client, const uint8_t *data,
                        const DnsQuery *query) {
        Resolver *resolver = attachment->resolver;
        _cleanup_free_ IpAddress *addresses = NULL;
        _cleanup_buf_ Buf reply = { 0 };
        size_t count;

        (void)pthread_mutex_lock(&resolver->lock);
        count = names_find(resolver->names, attachment->container_id, query->name, &addresses);
        (void)pthread_mutex_unlock(&resolver->lock);
        if (count == 0)
                return false;
        dns_reply_start(&reply, data, query, DNS_NOERROR);
        shuffle(addresses, count);
        for (size_t i = 0; i < count; i++)
                if (query->type == (addresses[i].family == AF_INET ? DNS_TYPE_A : DNS_TYPE_AAAA) &&
                    !dns_reply_address(&reply, addresses[i], limit_of(client, query) - 11))
                        break;
        dns_reply_end(&reply, query);
        client_answer(attachment, client, reply.data, reply.length);
        return true;
}

static bool answer_reverse(Attachment *attachment, const Client *client, const uint8_t *data,
                           const DnsQuery *query) {
        Resolver *resolver = attachment->resolver;
        _cleanup_free_ char *name = NULL;
        _cleanup_buf_ Buf reply = { 0 };
        IpAddress address;

        if (query->type != DNS_TYPE_PTR || dns_reverse_parse(query->name, &address) < 0)
                return false;
        (void)pthread_mutex_lock(&resolver->lock);
        name = names_find_reverse(resolver->names, attachment->container_id, address);
        (void)pthread_mutex_unlock(&resolver->lock);
        if (!name)
                return false;
        dns_reply_start(&reply, data, query, DNS_NOERROR);
        (void)dns_reply_pointer(&reply, name, limit_of(client, query) - 11);
        dns_reply_end(&reply, query);
        client_answer(attachment, client, reply.data, reply.length);
        return true;
}

static void answer_rcode(Attachment *attachment, const Client *client, const uint8_t *data,
                         const DnsQuery *query, int rcode) {
        _cleanup_buf_ Buf reply = { 0 };

        dns_reply_start(&reply, data, query, rcode);
        dns_reply_end(&reply, query);
        client_answer(attachment, client, reply.data, reply.length);
}

/* What leaves for other servers carries data: nothing does from a container that may not get out.
 */
static bool may_ask_others(const Attachment *attachment) {
        Resolver *resolver = attachment->resolver;
        bool result;

        (void)pthread_mutex_lock(&resolver->lock);
        result = names_leads_out(resolver->names, attachment->container_id);
        (void)pthread_mutex_unlock(&resolver->lock);
        return result || BUG("internal-names");
}

void client_ask(Attachment *attachment, const Client *client, const uint8_t *data, size_t length) {
        DnsQuery query;
        int r = dns_query_parse(data, length, &query);

        if (r > 0 || (r < 0 && client->stream && length >= DNS_HEADER)) {
                _cleanup_buf_ Buf reply = { 0 };

                dns_reply_error(&reply, data, r > 0 ? r : DNS_FORMERR);
                client_answer(attachment, client, reply.data, reply.length);
                return;
        }
        if (r < 0) {
                if (client->stream)
                        stream_answer(client->stream, "", 0);
                return;
        }
        if (query.class == DNS_CLASS_IN && !query.strange &&
            (answer_name(attachment, client, data, &query) ||
             answer_reverse(attachment, client, data, &query)))
                return;
        if (!may_ask_others(attachment))
                answer_rcode(attachment, client, data, &query, DNS_NXDOMAIN);
        else if (attachment_servers(attachment)->count == 0)
                answer_rcode(attachment, client, data, &query, DNS_SERVFAIL);
        else
                forward_ask(attachment, client, data, length, &query);
}

static void on_udp(void *data, int fd, uint32_t events) {
        static uint8_t message[DNS_MESSAGE_MAX]; /* there is one thread */
        Attachment *attachment = data;

        (void)events;
        for (int i = 0; i < DATAGRAMS_AT_ONCE; i++) {
                Client client = { 0 };
                socklen_t size = sizeof(client.address);
                ssize_t length = recvfrom(fd, message, sizeof(message), MSG_DONTWAIT,
                                          (struct sockaddr *)&client.address, &size);

                if (length < 0)
                        return;
                client_ask(attachment, &client, message, (size_t)length);
        }
}

/* ---- attachments ---- */

static void free_attachment(void *data) {
        Attachment *attachment = data;

        forward_cancel(attachment, NULL);
        stream_close_all(attachment);
        loop_remove(attachment->udp_source);
        loop_remove(attachment->tcp_source);
        loop_remove(attachment->tcp_timer);
        close_fd(&attachment->udp_fd);
        close_fd(&attachment->tcp_fd);
        close_fd(&attachment->netns_fd);
        free(attachment->container_id);
        free(attachment);
}

static void drop_attachment(Resolver *resolver, const char *container_id) {
        Attachment *attachment = map_drop(&resolver->attachments, container_id);

        if (attachment)
                free_attachment(attachment);
}

/* On the thread. */
static void add_attachment(void *data) {
        Attachment *attachment = data;
        Resolver *resolver = attachment->resolver;
        Error err = { 0 };
        int r;

        drop_attachment(resolver, attachment->container_id);
        (void)map_put(&resolver->attachments, attachment->container_id, attachment);
        r = loop_add_fd(resolver->loop, attachment->udp_fd, EPOLLIN, on_udp, attachment,
                        &attachment->udp_source, &err);
        if (r == 0)
                r = stream_listen(attachment, &err);
        if (r < 0)
                log_error("serve names to container %.12s: %s", attachment->container_id,
                          err.message);
}

int resolver_open(Resolver *resolver, const char *container_id, int netns_fd, char *const *upstream,
                  bool from_container, Error *err) {
        Attachment *attachment = NEW(Attachment);
        int r;

        *attachment = (Attachment){ .resolver = resolver,
                                    .container_id = str_copy(container_id),
                                    .udp_fd = -1,
                                    .tcp_fd = -1,
                                    .netns_fd = -1 };
        attachment->follows_host = !upstream;
        r = servers_parse(upstream, &attachment->servers, err);
        if (r == 0)
                r = redirect_open(netns_fd, resolver->closer, &attachment->udp_fd,
                                  &attachment->tcp_fd, err);
        if (r == 0 && from_container) {
                attachment->netns_fd = fcntl(netns_fd, F_DUPFD_CLOEXEC, 0);
                if (attachment->netns_fd < 0)
                        r = error_set(err, errno, "keep a network namespace");
        }
        if (r < 0) {
                free_attachment(attachment);
                return error_prefix(err, "serve names to container %.12s", container_id);
        }
        loop_post(resolver->loop, add_attachment, attachment);
        return 0;
}

typedef struct Closing {
        Resolver *resolver;
        char *container_id;
} Closing;

static void close_attachment(void *data) {
        Closing *closing = data;

        drop_attachment(closing->resolver, closing->container_id);
        free(closing->container_id);
        free(closing);
}

void resolver_close(Resolver *resolver, const char *container_id) {
        Closing *closing = NEW(Closing);

        *closing = (Closing){ resolver, str_copy(container_id) };
        loop_post(resolver->loop, close_attachment, closing);
}

/* ---- names ---- */

void resolver_add(Resolver *resolver, const NetworkConfig *network, const Endpoint *endpoint,
                  const IpAddress addresses[NAMES_ADDRESSES]) {
        (void)pthread_mutex_lock(&resolver->lock);
        names_put(resolver->names, network, endpoint, addresses);
        (void)pthread_mutex_unlock(&resolver->lock);
}

void resolver_drop(Resolver *resolver, const char *network_id, const char *container_id) {
        (void)pthread_mutex_lock(&resolver->lock);
        names_drop(resolver->names, network_id, container_id);
        (void)pthread_mutex_unlock(&resolver->lock);
}

/* ---- Resolver ---- */

static void *run(void *data) {
        Resolver *resolver = data;
        Error err = { 0 };

        if (loop_run(resolver->loop, &err) < 0)
                log_error("the resolver stopped: %s", err.message);
        return NULL;
}

int resolver_new(Resolver **ret, Error *err) {
        Resolver *resolver = NEW(Resolver);
        int r = loop_new(&resolver->loop, err);

        if (r == 0)
                r = closer_new(&resolver->closer, err);
        if (r < 0) {
                loop_free(resolver->loop);
                free(resolver);
                return r;
        }
        (void)pthread_mutex_init(&resolver->lock, NULL);
        resolver->names = names_new();
        r = pthread_create(&resolver->thread, NULL, run, resolver);
        if (r > 0) {
                names_free(resolver->names);
                closer_free(resolver->closer);
                loop_free(resolver->loop);
                free(resolver);
                return error_set(err, r, "start the resolver's thread");
        }
        *ret = resolver;
        return 0;
}

Resolver *resolver_free(Resolver *resolver) {
        Error err = { 0 };

        if (!resolver)
                return NULL;
        loop_stop(resolver->loop);
        (void)pthread_join(resolver->thread, NULL);
        /* What was posted behind the stop holds descriptors. */
        if (loop_step(resolver->loop, 0, &err) < 0)
                log_error("the resolver did not end well: %s", err.message);
        map_done(&resolver->attachments, free_attachment);
        closer_free(resolver->closer);
        loop_free(resolver->loop);
        names_free(resolver->names);
        (void)pthread_mutex_destroy(&resolver->lock);
        free(resolver);
        return NULL;
}

int resolver_attach(Net *net, const char *container_id, int netns_fd, char *const *upstream,
                    bool from_container, Error *err) {
        return resolver_open(net->resolver, container_id, netns_fd, upstream, from_container, err);
}

void resolver_detach(Net *net, const char *container_id) {
        resolver_close(net->resolver, container_id);
}
