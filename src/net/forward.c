/* forward.c: questions to upstream servers. Each has a socket of its own, so its port and id are
 * new each time and hard to guess for a forger. */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "net/netns.h"
#include "net/resolver-private.h"

#define PATIENCE (4 * NSEC_PER_SEC) /* for one server */

struct Forward {
        Attachment *attachment;
        Forward *previous, *next;
        Client client;
        Buf query; /* TCP: with its two bytes of length before */
        DnsQuery parsed;
        uint16_t id; /* the one upstream sees */
        size_t server, sent;
        int fd;
        LoopSource *source, *timer;
        Buf answer; /* TCP: what has come of it */
};

static bool over_tcp(const Forward *forward) {
        return forward->client.stream != NULL;
}

static uint8_t *message_of(const Forward *forward) {
        return (uint8_t *)forward->query.data + (over_tcp(forward) ? 2 : 0);
}

static void hang_up(Forward *forward) {
        forward->source = loop_remove(forward->source);
        forward->timer = loop_remove(forward->timer);
        close_fd(&forward->fd);
        buf_clear(&forward->answer);
        forward->sent = 0;
}

static void free_forward(Forward *forward) {
        Attachment *attachment = forward->attachment;

        hang_up(forward);
        if (forward->previous)
                forward->previous->next = forward->next;
        else
                attachment->forwards = forward->next;
        if (forward->next)
                forward->next->previous = forward->previous;
        attachment->forward_count--;
        (*resolver_forward_count(attachment->resolver))--;
        buf_done(&forward->query);
        buf_done(&forward->answer);
        free(forward);
}

/* Ends the question with this answer. */
static void finish(Forward *forward, uint8_t *answer, size_t length) {
        Client client = forward->client;

        /* The stream may close on being answered, and cancels its questions then: not this one. */
        forward->client.stream = NULL;
        dns_set_id(answer, forward->parsed.id);
        client_answer(forward->attachment, &client, answer, length);
        free_forward(forward);
}

static void finish_failed(Forward *forward) {
        _cleanup_buf_ Buf reply = { 0 };

        dns_set_id(message_of(forward), forward->parsed.id);
        dns_reply_start(&reply, message_of(forward), &forward->parsed, DNS_SERVFAIL);
        dns_reply_end(&reply, &forward->parsed);
        finish(forward, (uint8_t *)reply.data, reply.length);
}

static void ask_next(Forward *forward);

/* This server is no use: the next one is asked. */
static void give_up_server(Forward *forward) {
        hang_up(forward);
        forward->server++;
        ask_next(forward);
}

static void on_patience_end(void *data) {
        Forward *forward = data;

        forward->timer = NULL;
        give_up_server(forward);
}

/* The server's answer is taken, unless it only says that it cannot and there is another one. */
static void take_answer(Forward *forward, uint8_t *answer, size_t length) {
        int rcode;

        if (!dns_answers(answer, length, message_of(forward), &forward->parsed, forward->id))
                return; /* a forgery, or late: the right one may still come */
        rcode = dns_rcode(answer);
        if ((rcode == DNS_SERVFAIL || rcode == DNS_REFUSED) &&
            forward->server + 1 < attachment_servers(forward->attachment)->count)
                give_up_server(forward);
        else
                finish(forward, answer, length);
}

static void on_datagram(void *data, int fd, uint32_t events) {
        static uint8_t answer[DNS_MESSAGE_MAX]; /* there is one thread */
        Forward *forward = data;
        ssize_t length = recv(fd, answer, sizeof(answer), MSG_DONTWAIT);

        (void)events;
        if (length >= DNS_HEADER)
                take_answer(forward, answer, (size_t)length);
        else if (length < 0 && errno != EAGAIN && errno != EINTR)
                give_up_server(forward);
}

/* False if the connection failed. */
static bool send_rest(Forward *forward) {
        ssize_t sent = send(forward->fd, forward->query.data + forward->sent,
                            forward->query.length - forward->sent, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (sent < 0)
                return errno == EAGAIN || errno == EINTR;
        forward->sent += (size_t)sent;
        if (forward->sent == forward->query.length)
                (void)loop_change_fd(forward->source, EPOLLIN);
        return true;
}

static bool receive_more(Forward *forward) {
        uint8_t data[4096];
        ssize_t length = recv(forward->fd, data, sizeof(data), MSG_DONTWAIT);

        if (length < 0)
                return errno == EAGAIN || errno == EINTR;
        if (length == 0)
                return false;
        buf_add(&forward->answer, data, (size_t)length);
        return true;
}

static void on_stream(void *data, int fd, uint32_t events) {
        Forward *forward = data;
        size_t wanted;

        (void)fd;
        if ((events & EPOLLOUT) && !send_rest(forward)) {
                give_up_server(forward);
                return;
        }
        if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
                return;
        if (!receive_more(forward)) {
                give_up_server(forward);
                return;
        }
        if (forward->answer.length < 2)
                return;
        wanted = dns_id((uint8_t *)forward->answer.data); /* two bytes, like an id */
        if (forward->answer.length - 2 < wanted)
                return;
        /* This stream carries one answer: one that is not ours means that it carries none. */
        if (wanted < DNS_HEADER || !dns_answers((uint8_t *)forward->answer.data + 2, wanted,
                                                message_of(forward), &forward->parsed, forward->id))
                give_up_server(forward);
        else
                take_answer(forward, (uint8_t *)forward->answer.data + 2, wanted);
}

/* A socket in the namespace that upstream is asked from. */
static int open_socket(const Attachment *attachment, int family, int type) {
        _cleanup_netns_ int home = -1;

        if (attachment->netns_fd >= 0 && !BUG("internal-names") &&
            netns_enter(attachment->netns_fd, &home, NULL) < 0)
                return -1;
        return socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

static bool ask_server(Forward *forward) {
        const Attachment *attachment = forward->attachment;
        const struct sockaddr_storage *server =
                &attachment_servers(attachment)->names[forward->server];
        Loop *loop = resolver_loop(attachment->resolver);
        bool tcp = over_tcp(forward);

        random_bytes(&forward->id, sizeof(forward->id));
        dns_set_id(message_of(forward), forward->id);
        forward->fd = open_socket(attachment, server->ss_family, tcp ? SOCK_STREAM : SOCK_DGRAM);
        if (forward->fd < 0)
                return false;
        if (connect(forward->fd, (const struct sockaddr *)server, server_length(server)) < 0 &&
            errno != EINPROGRESS)
                return false;
        if (!tcp && send(forward->fd, forward->query.data, forward->query.length, 0) < 0)
                return false;
        if (loop_add_fd(loop, forward->fd, tcp ? EPOLLIN | EPOLLOUT : EPOLLIN,
                        tcp ? on_stream : on_datagram, forward, &forward->source, NULL) < 0)
                return false;
        forward->timer =
                loop_add_timer(loop, clock_monotonic() + PATIENCE, on_patience_end, forward);
        return true;
}

static void ask_next(Forward *forward) {
        for (; forward->server < attachment_servers(forward->attachment)->count;
             forward->server++) {
                if (ask_server(forward))
                        return;
                hang_up(forward);
        }
        finish_failed(forward);
}

void forward_ask(Attachment *attachment, const Client *client, const uint8_t *data, size_t length,
                 const DnsQuery *query) {
        size_t *total = resolver_forward_count(attachment->resolver);
        uint8_t size[2] = { (uint8_t)(length >> 8), (uint8_t)length };
        Forward *forward;

        if (*total >= FORWARDS_MAX || attachment->forward_count >= FORWARDS_MAX_EACH) {
                _cleanup_buf_ Buf reply = { 0 };

                dns_reply_start(&reply, data, query, DNS_REFUSED);
                client_answer(attachment, client, reply.data, reply.length);
                return;
        }
        forward = NEW(Forward);
        *forward = (Forward){ .attachment = attachment,
                              .client = *client,
                              .parsed = *query,
                              .fd = -1,
                              .next = attachment->forwards };
        if (forward->next)
                forward->next->previous = forward;
        attachment->forwards = forward;
        attachment->forward_count++;
        (*total)++;
        if (client->stream)
                buf_add(&forward->query, size, sizeof(size));
        buf_add(&forward->query, data, length);
        ask_next(forward);
}

void forward_cancel(Attachment *attachment, const Stream *stream) {
        Forward *next;

        for (Forward *forward = attachment->forwards; forward; forward = next) {
                next = forward->next;
                if (!stream || forward->client.stream == stream)
                        free_forward(forward);
        }
}
