/* protocol-test.c: messages, detach keys, frames. */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/test.h"
#include "monitor/detach.h"
#include "monitor/frame.h"
#include "monitor/message.h"
#include "monitor/protocol.h"

/* What of text reaches the process, with "!" behind it if the keys were typed. */
static char *filter(const char *keys, const char *text, size_t step) {
        DetachKeys parsed;
        Buf out = {};
        size_t length = strlen(text);

        if (detach_keys_parse(keys, &parsed, NULL) < 0)
                return NULL;
        buf_add(&out, "", 0);
        for (size_t at = 0; at < length; at += step)
                if (detach_keys_filter(&parsed, text + at, MIN(step, length - at), &out)) {
                        buf_add_char(&out, '!');
                        break;
                }
        return buf_take(&out);
}

#define ASSERT_FILTER(keys, text, expected)                                                        \
        do {                                                                                       \
                for (size_t step_ = 1; step_ < 9; step_++) {                                       \
                        _cleanup_free_ char *passed_ = filter(keys, text, step_);                  \
                        ASSERT_STR(passed_, expected);                                             \
                }                                                                                  \
        } while (0)

TEST(detach_keys) {
        ASSERT_FILTER(NULL, "ls\n", "ls\n");
        ASSERT_FILTER(NULL, "ls\x10\x11more", "ls!");
        ASSERT_FILTER("", "\x10x\x10\x11", "\x10x!");
        ASSERT_FILTER("", "\x10\x10\x11", "\x10!");
        ASSERT_FILTER("a,a,b", "aaab", "a!");
        ASSERT_FILTER("a,b,a,c", "ababac", "ab!");
        ASSERT_FILTER("x", "abxc", "ab!");
        ASSERT_FILTER("ctrl-@", "abc", "abc");
        ASSERT_FILTER("ctrl-],DEL", "a\x1d\x7f", "a!");
}

TEST(detach_keys_refused) {
        static const char *const bad[] = { "ctrl-A", "ctrl-", "ctrl-aa", "ab", "a,,b", "ctrl-1" };
        DetachKeys keys;
        Error err;

        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                ASSERT(detach_keys_parse(bad[i], &keys, &err) < 0);
                ASSERT_INT(err.kind, ERROR_INVALID);
        }
        ASSERT(detach_keys_parse("a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q", &keys, &err) < 0);
        ASSERT_OK(detach_keys_parse("ctrl-a,ctrl-\\,ctrl-_,z", &keys, &err), &err);
        ASSERT_INT(keys.count, 4);
        ASSERT(memcmp(keys.codes, "\x01\x1c\x1fz", 4) == 0);
}

TEST(frames) {
        unsigned char header[FRAME_HEADER];

        frame_header(header, 2, 0x01020304);
        ASSERT(memcmp(header, "\2\0\0\0\1\2\3\4", FRAME_HEADER) == 0);
}

static int pair_open(int pair[2]) {
        return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair);
}

TEST(messages_of_any_size) {
        static const size_t sizes[] = { 1, MESSAGE_INLINE - 40, MESSAGE_INLINE, 1 << 20 };
        int pair[2], fds[MESSAGE_FDS_MAX];
        struct stat before, after;

        ASSERT_INT(pair_open(pair), 0);
        ASSERT_INT(fstat(pair[0], &before), 0);
        for (size_t i = 0; i < ELEMENTS(sizes); i++) {
                _cleanup_free_ char *text = alloc_zero(sizes[i] + 1, 1);
                MonitorReply reply = { .kind = (char *)"ok", .message = text }, back = {};
                size_t count = 0;
                Error err = {};

                memset(text, 'm', sizes[i]);
                ASSERT_OK(message_send(pair[0], &monitor_reply_table, &reply, pair, 1, &err), &err);
                ASSERT_INT(message_receive(pair[1], &monitor_reply_table, &back, fds, &count, &err),
                           1);
                ASSERT_STR(back.message, text);
                ASSERT_INT(count, 1);
                ASSERT_INT(fstat(fds[0], &after), 0);
                ASSERT_INT(after.st_ino, before.st_ino);
                close_fd(&fds[0]);
                json_done(&monitor_reply_table, &back);
        }
        close_fd(&pair[0]);
        close_fd(&pair[1]);
}

TEST(broken_messages) {
        static const char *const bad[] = { "@", "{", "[]", "{\"pid\":1}", "{\"kind\":3}" };
        int pair[2], fds[MESSAGE_FDS_MAX];
        MonitorReply back = {};
        size_t count = 0;

        ASSERT_INT(pair_open(pair), 0);
        ASSERT_INT(message_receive(pair[1], &monitor_reply_table, &back, fds, &count, NULL),
                   -EAGAIN);
        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                ASSERT_INT(fd_send(pair[0], bad[i], strlen(bad[i]), pair, 1), 0);
                ASSERT(message_receive(pair[1], &monitor_reply_table, &back, fds, &count, NULL) <
                       0);
                ASSERT(!back.kind);
        }
        close_fd(&pair[0]);
        ASSERT_INT(message_receive(pair[1], &monitor_reply_table, &back, fds, &count, NULL), 0);
        close_fd(&pair[1]);
}

TEST_MAIN()
