/* base-test.c: strings, base64, maps, times, identifiers, descriptors and the event loop. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/id.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/map.h"
#include "base/test.h"
#include "base/utf8.h"

TEST(errors_carry_kind_and_words) {
        Error err = {};

        ASSERT_INT(error_set(&err, ENOENT, "open '%s'", "x"), -ENOENT);
        ASSERT_INT(err.kind, ERROR_NOT_FOUND);
        ASSERT_STR(err.message, "open 'x': No such file or directory");
        ASSERT_INT(error_prefix(&err, "layer %d", 3), -ENOENT);
        ASSERT_STR(err.message, "layer 3: open 'x': No such file or directory");
        ASSERT_INT(error_kind(&err, ERROR_CONFLICT, "taken"), -EEXIST);
        ASSERT_INT(error_kind(NULL, ERROR_INVALID, "unheard"), -EINVAL);
}

TEST(numbers_are_whole_strings) {
        int64_t value = 7;
        uint64_t large;
        double real;
        int small;

        ASSERT_INT(str_to_int64("-12", &value), 0);
        ASSERT_INT(value, -12);
        ASSERT_INT(str_to_int64("12x", &value), -EINVAL);
        ASSERT_INT(str_to_int64(" 1", &value), -EINVAL);
        ASSERT_INT(str_to_int64("", &value), -EINVAL);
        ASSERT_INT(str_to_int64("9223372036854775808", &value), -ERANGE);
        ASSERT_INT(str_to_uint64("-1", &large), -EINVAL);
        ASSERT_INT(str_to_int_in("70000", 0, 65535, &small), -ERANGE);
        ASSERT_INT(str_to_double("1.5", &real), 0);
        ASSERT(real == 1.5);
        ASSERT_INT(str_to_double("nan", &real), -EINVAL);
        ASSERT_INT(str_to_double("inf", &real), -EINVAL);
        ASSERT_INT(str_to_double("0x10", &real), -EINVAL);
        ASSERT_INT(str_to_double("1e999", &real), -ERANGE);
}

TEST(lists_grow_and_shrink) {
        _cleanup_strv_ char **list = NULL;
        _cleanup_free_ char *joined = NULL;

        for (int i = 0; i < 20; i++)
                strv_format(&list, "%d", i);
        for (int i = 0; i < 17; i++) {
                _cleanup_free_ char *text = str_format("%d", i);

                ASSERT(strv_drop(list, text));
        }
        strv_add(&list, "end");
        joined = strv_join(list, ",");
        ASSERT_STR(joined, "17,18,19,end");
        env_put(&list, "A", "1");
        env_put(&list, "A", "2");
        ASSERT_STR(env_get(list, "A"), "2");
        ASSERT_INT(strv_length(list), 5);
}

TEST(distance_counts_edits) {
        ASSERT_INT(str_distance("kitten", "sitting"), 3);
        ASSERT_INT(str_distance("", "abc"), 3);
        ASSERT_INT(str_distance("run", "run"), 0);
        ASSERT_INT(str_distance("rnu", "run"), 1);
        ASSERT_INT(str_distance("abcd", "badc"), 2);
}

TEST(maps_keep_what_they_are_given) {
        Map map = {};
        const char *key;
        char *value;
        int seen = 0;

        for (int i = 0; i < 500; i++) {
                _cleanup_free_ char *name = str_format("k%d", i);

                ASSERT(!map_put(&map, name, str_copy(name)));
        }
        for (int i = 0; i < 500; i += 2) {
                _cleanup_free_ char *name = str_format("k%d", i);

                free(map_drop(&map, name));
        }
        ASSERT_INT(map.count, 250);
        ASSERT_STR(map_get(&map, "k499"), "k499");
        ASSERT(!map_get(&map, "k498"));
        MAP_EACH(&map, key, value) {
                ASSERT_STR(key, value);
                seen++;
        }
        ASSERT_INT(seen, 250);
        map_done(&map, free);
}

static int counted(int *calls) {
        return ++*calls;
}

TEST(the_lesser_and_the_greater_are_asked_for_once) {
        int calls = 0;

        ASSERT_INT(MIN(counted(&calls), 9), 1);
        ASSERT_INT(MAX(0, counted(&calls)), 2);
        ASSERT_INT(calls, 2);
}

TEST(times_go_both_ways) {
        char text[CLOCK_TEXT_MAX];
        int64_t when;

        ASSERT_INT(clock_parse("2026-11-24T21:06:17.1204Z", &when), 0);
        ASSERT_STR(clock_format(when, text), "2026-11-24T21:06:17.1204Z");
        ASSERT_STR(clock_format_fixed(when, text), "2026-11-24T21:06:17.120400000Z");
        ASSERT_INT(clock_parse("2026-11-24T22:06:17.1204+01:00", &when), 0);
        ASSERT_STR(clock_format(when, text), "2026-11-24T21:06:17.1204Z");
        ASSERT_INT(clock_parse("yesterday", &when), -EINVAL);
        ASSERT_INT(clock_parse("2026-11-24T22:06:17+01:00x", &when), -EINVAL);
        ASSERT_INT(clock_parse("2026-11-24T22:06:17+-1:00", &when), -EINVAL);
        ASSERT_INT(clock_parse("9999-12-31T23:59:59Z", &when), 0);
        ASSERT_INT(when, INT64_MAX);
        ASSERT_INT(clock_parse("0500-01-01T00:00:00Z", &when), 0);
        ASSERT_INT(when, INT64_MIN);
        ASSERT_STR(clock_format(when, text), "1677-09-21T00:12:43.145224192Z");
        ASSERT_STR(clock_format(0, text), "0001-01-01T00:00:00Z");
        ASSERT_STR(clock_format_known(0, text), "1970-01-01T00:00:00Z");
}

#define HOUR (3600 * NSEC_PER_SEC)
#define DAY (24 * HOUR)

/* A mark that is as old as nothing; the clock was set since by as much as its time differs. */
TEST(ages_when_the_clock_was_set) {
        const ClockMark still = clock_mark();
        ClockMark forward = still, back = still;
        int64_t now = still.wall, margin = HOUR / 2;

        forward.wall -= DAY;
        back.wall += DAY;
        ASSERT(clock_age(&still, now - HOUR) - HOUR < margin);
        ASSERT_INT(clock_age(&still, now + HOUR), 0);
        ASSERT(clock_age(&forward, now - DAY - HOUR) - HOUR < margin); /* before it was set */
        ASSERT(clock_age(&forward, now - HOUR) - HOUR < margin);       /* since */
        ASSERT(clock_age(&back, now - HOUR) - HOUR < margin);
        ASSERT_INT(clock_age(&back, now + HOUR), 0);
        ASSERT(clock_is_after(&still, now + 1) && !clock_is_after(&still, now - HOUR));
        ASSERT(clock_is_after(&forward, now - DAY + 1) && clock_is_after(&forward, now + 1));
        ASSERT(!clock_is_after(&forward, now - DAY - HOUR));
        ASSERT(clock_is_after(&back, now + HOUR) && !clock_is_after(&back, now - HOUR));
}

TEST(times_as_users_write_them) {
        static const char *const wrong[] = {
                "", "yesterday", "1.5x", "2026-13-01", "2026-01-02T15:04:05.5x", "99999999999999"
        };
        int64_t zoned, local, ago, seconds, now = clock_now();

        ASSERT_INT(clock_parse_any("2026-11-24T21:06:17.5Z", &zoned), 0);
        ASSERT_INT(clock_parse_any("1795554377.5", &seconds), 0);
        ASSERT_INT(seconds, zoned);
        ASSERT_INT(clock_parse_any("1h", &ago), 0);
        ASSERT(ago >= now - 3600 * NSEC_PER_SEC && ago <= now - 3590 * NSEC_PER_SEC);
        ASSERT_INT(clock_parse_any("2026-11-24T21:06", &local), 0);
        ASSERT_INT(clock_parse_any("2026-11-24T21:06:00.000000001", &zoned), 0);
        ASSERT_INT(zoned - local, 1);
        for (size_t i = 0; i < ELEMENTS(wrong); i++)
                ASSERT_INT(clock_parse_any(wrong[i], &local), -EINVAL);
}

TEST(durations_are_go_s) {
        char text[DURATION_TEXT_MAX];
        int64_t value;

        ASSERT_INT(duration_parse("1h2m3.5s", &value), 0);
        ASSERT_INT(value, 3723500000000LL);
        ASSERT_INT(duration_parse("300ms", &value), 0);
        ASSERT_INT(value, 300000000);
        ASSERT_INT(duration_parse("1.001s", &value), 0);
        ASSERT_INT(value, 1001000000);
        ASSERT_INT(duration_parse("-1.5h", &value), 0);
        ASSERT_INT(value, -5400 * NSEC_PER_SEC);
        ASSERT_INT(duration_parse("5", &value), -EINVAL);
        ASSERT_INT(duration_parse(".s", &value), -EINVAL);
        _cleanup_free_ char *zero = duration_text(0), *long_ = duration_text(90 * NSEC_PER_SEC),
                            *hours = duration_text(3600 * NSEC_PER_SEC),
                            *part = duration_text(1500 * NSEC_PER_MSEC), *small = duration_text(1);
        ASSERT_STR(zero, "0s");
        ASSERT_STR(long_, "1m30s");
        ASSERT_STR(hours, "1h0m0s");
        ASSERT_STR(part, "1.5s");
        ASSERT_STR(small, "1ns");
        ASSERT_STR(duration_human(61 * NSEC_PER_SEC, text), "About a minute");
        ASSERT_STR(duration_human(3 * 86400 * NSEC_PER_SEC, text), "3 days");
}

TEST(utf8_there_and_back) {
        static const uint32_t codes[] = { 1,      0x7f,   0x80,   0x7ff,   0x800,
                                          0xd7ff, 0xe000, 0xffff, 0x10000, 0x10ffff };

        for (size_t i = 0; i < ELEMENTS(codes); i++) {
                _cleanup_buf_ Buf text = {};
                uint32_t back = 0;

                buf_add_utf8(&text, codes[i]);
                ASSERT_INT(utf8_decode(text.data, text.length, &back), text.length);
                ASSERT_INT(back, codes[i]);
        }
}

TEST(utf8_that_is_none_is_replaced) {
        static const struct {
                const char *bytes;
                size_t length;
                const char *text;
        } cases[] = {
                { "", 0, "" },
                { "plain\n", 6, "plain\n" },
                { "\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\x8b", 9,
                  "\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\x8b" },
                { "a\0b", 3,
                  "a\xef\xbf\xbd"
                  "b" },
                { "\xff!", 2, "\xef\xbf\xbd!" },
                { "\xc3", 1, "\xef\xbf\xbd" },                                 /* cut off */
                { "\xc0\x80", 2, "\xef\xbf\xbd\xef\xbf\xbd" },                 /* too long a form */
                { "\xed\xa0\x80", 3, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" }, /* a surrogate */
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_free_ char *text = utf8_clean(cases[i].bytes, cases[i].length);

                ASSERT_STR(text, cases[i].text);
        }
}

TEST(identifiers) {
        char id[ID_LENGTH + 1];

        id_new(id);
        ASSERT(id_valid(id));
        ASSERT(!id_valid("../../etc"));
        ASSERT(name_valid("web-1.a_b"));
        ASSERT(!name_valid("-x"));
        ASSERT(!name_valid("a/b"));
}

TEST(files_are_replaced_and_trees_removed) {
        char path[] = "/tmp/brig-base-XXXXXX";
        _cleanup_close_ int dir = -1;
        _cleanup_free_ char *text = NULL;
        Error err = {};

        ASSERT(mkdtemp(path));
        ASSERT_OK(dir_open_at(AT_FDCWD, path, 0, &dir, &err), &err);
        ASSERT_OK(dir_make_at(dir, "a/b/c", 0700, &err), &err);
        ASSERT_OK(file_replace_at(dir, "a/b/f", "one", 3, 0600, true, &err), &err);
        ASSERT_OK(file_replace_at(dir, "a/b/f", "two", 3, 0600, false, &err), &err);
        ASSERT_OK(file_read_at(dir, "a/b/f", 100, &text, NULL, &err), &err);
        ASSERT_STR(text, "two");
        ASSERT_OK(dir_remove_at(AT_FDCWD, path, &err), &err);
        ASSERT_INT(access(path, F_OK), -1);
        ASSERT_OK(dir_remove_at(AT_FDCWD, path, &err), &err);
}

/* A container can nest directories deeper than there are descriptors. */
static bool at_the_third(void *data) {
        return ++*(int *)data >= 3;
}

TEST(a_removal_can_be_stopped) {
        char path[] = "/tmp/brig-base-test.XXXXXX";
        _cleanup_close_ int fd = -1;
        int asked = 0, left = 0;
        Error err = {};

        ASSERT(mkdtemp(path));
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        for (int i = 0; i < 9; i++) {
                char name[] = { 'd', '/', (char)('0' + i), '\0' };

                ASSERT_OK(dir_make_at(fd, name, 0755, &err), &err);
        }
        ASSERT_INT(dir_remove_until(AT_FDCWD, path, at_the_third, &asked, &err), -ECANCELED);
        ASSERT_INT(asked, 3);
        for (int i = 0; i < 9; i++) {
                char name[] = { 'd', '/', (char)('0' + i), '\0' };

                left += faccessat(fd, name, F_OK, 0) == 0;
        }
        ASSERT_INT(left, 8);
        ASSERT_OK(dir_remove_at(AT_FDCWD, path, &err), &err);
}

TEST(deep_trees_are_removed) {
        char path[] = "/tmp/brig-base-XXXXXX";
        struct rlimit old, few = { .rlim_cur = 64 };
        Error err = {};
        int fd, r;

        ASSERT(mkdtemp(path));
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        for (int i = 0; i < 1000; i++) {
                int next;

                ASSERT_INT(mkdirat(fd, "d", 0700), 0);
                ASSERT_INT(mkdirat(fd, ".removed-0", 0700), 0);
                next = openat(fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                close_fd(&fd);
                fd = next;
        }
        close_fd(&fd);
        ASSERT_INT(getrlimit(RLIMIT_NOFILE, &old), 0);
        few.rlim_max = old.rlim_max;
        ASSERT_INT(setrlimit(RLIMIT_NOFILE, &few), 0);
        r = dir_remove_at(AT_FDCWD, path, &err);
        ASSERT_INT(setrlimit(RLIMIT_NOFILE, &old), 0);
        ASSERT_OK(r, &err);
        ASSERT_INT(access(path, F_OK), -1);
}

/* In a mount namespace of its own: 0 if a directory of the same file system that is mounted within
 * the tree was left alone. */
static int remove_around_mount(const char *path) {
        _cleanup_free_ char *inner = str_format("%s/tree/inner", path);
        _cleanup_free_ char *outer = str_format("%s/outer", path);
        _cleanup_free_ char *tree = str_format("%s/tree", path);

        if (unshare(CLONE_NEWNS) < 0)
                return 77;
        if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
            mount(outer, inner, NULL, MS_BIND, NULL) < 0)
                return 1;
        return dir_remove_at(AT_FDCWD, tree, NULL) == -EXDEV && access(inner, F_OK) == 0 ? 0 : 2;
}

TEST(mounts_are_not_emptied) {
        char path[] = "/tmp/brig-base-XXXXXX";
        _cleanup_close_ int dir = -1;
        Error err = {};
        int status;
        pid_t child;

        ASSERT(mkdtemp(path));
        ASSERT_OK(dir_open_at(AT_FDCWD, path, 0, &dir, &err), &err);
        ASSERT_OK(dir_make_at(dir, "tree/inner", 0700, &err), &err);
        ASSERT_OK(dir_make_at(dir, "outer/kept", 0700, &err), &err);
        child = fork();
        if (child == 0)
                _exit(remove_around_mount(path));
        ASSERT_INT(waitpid(child, &status, 0), child);
        ASSERT(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 77);
        ASSERT_INT(faccessat(dir, "outer/kept", F_OK, 0), 0);
        ASSERT_OK(dir_remove_at(AT_FDCWD, path, &err), &err);
}

TEST(a_message_is_one_line) {
        char text[256] = "";
        int ends[2], old = dup(STDERR_FILENO);
        ssize_t n;

        ASSERT_INT(pipe2(ends, O_CLOEXEC), 0);
        (void)dup2(ends[1], STDERR_FILENO);
        log_error("image '%s'", "a\n2026 forged\033[2J");
        (void)dup2(old, STDERR_FILENO);
        n = read(ends[0], text, sizeof(text) - 1);
        ASSERT(n > 0);
        ASSERT(strchr(text, '\n') == text + n - 1);
        ASSERT(!strchr(text, '\033'));
        ASSERT(strstr(text, "error image 'a 2026 forged [2J'"));
        close_fd(&ends[0]);
        close_fd(&ends[1]);
        close_fd(&old);
}

TEST(taking_evaluates_once) {
        int fds[] = { 3, 4 }, *fd = fds;
        char text[] = "x", *pointers[] = { text, text }, **pointer = pointers;

        ASSERT_INT(TAKE_FD(*fd++), 3);
        ASSERT(fd == &fds[1] && fds[0] == -1 && fds[1] == 4);
        /* cppcheck-suppress unknownEvaluationOrder ; typeof evaluates nothing */
        ASSERT(TAKE_PTR(*pointer++) == text);
        ASSERT(pointer == &pointers[1] && !pointers[0] && pointers[1] == text);
}

TEST(descriptors_travel) {
        int ends[2], got[FDS_MAX];
        size_t count;
        char text[8];

        ASSERT_INT(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
        ASSERT_INT(fd_send(ends[0], "hi", 3, ends, 2), 0);
        ASSERT_INT(fd_receive(ends[1], text, sizeof(text), got, FDS_MAX, &count), 3);
        ASSERT_INT(count, 2);
        for (int i = 0; i < 2; i++) {
                close_fd(&got[i]);
                close_fd(&ends[i]);
        }
}

static int calls;

static void count_call(void *data) {
        calls++;
        if (calls == 2)
                loop_stop(data);
}

static void count_fd(void *data, int fd, uint32_t events) {
        char byte;

        if ((events & EPOLLIN) && read(fd, &byte, 1) == 1)
                count_call(data);
}

TEST(loop_runs_timers_and_descriptors) {
        _cleanup_(loop_freep) Loop *loop = NULL;
        Error err = {};
        int ends[2];

        ASSERT_OK(loop_new(&loop, &err), &err);
        ASSERT_INT(pipe2(ends, O_CLOEXEC), 0);
        ASSERT_OK(loop_add_fd(loop, ends[0], EPOLLIN, count_fd, loop, NULL, &err), &err);
        loop_add_timer(loop, clock_monotonic() + NSEC_PER_MSEC, count_call, loop);
        ASSERT_INT(write(ends[1], "x", 1), 1);
        ASSERT_OK(loop_run(loop, &err), &err);
        ASSERT_INT(calls, 2);
        close_fd(&ends[0]);
        close_fd(&ends[1]);
}

typedef struct Turn {
        Loop *loop;
        char name, *text;
} Turn;

static void note_turn(void *data) {
        Turn *turn = data;
        size_t length = strlen(turn->text);

        turn->text[length] = turn->name;
        if (length == 3)
                loop_stop(turn->loop);
}

/* Whatever the order in which they came, and which of them are taken away again. */
TEST(loop_runs_timers_by_their_time) {
        static const struct {
                char name;
                int64_t after;
                bool removed;
        } cases[] = { { 'c', 3, false }, { 'x', 1, true },  { 'a', 1, false }, { 'y', 3, true },
                      { 'd', 4, false }, { 'b', 2, false }, { 'z', 5, true } };
        _cleanup_(loop_freep) Loop *loop = NULL;
        char text[8] = "";
        Turn turns[ELEMENTS(cases)];
        LoopSource *sources[ELEMENTS(cases)];
        int64_t now = clock_monotonic();
        Error err = {};

        ASSERT_OK(loop_new(&loop, &err), &err);
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                turns[i] = (Turn){ loop, cases[i].name, text };
                sources[i] = loop_add_timer(loop, now + cases[i].after, note_turn, &turns[i]);
        }
        for (size_t i = 0; i < ELEMENTS(cases); i++)
                if (cases[i].removed)
                        loop_remove(sources[i]);
        ASSERT_OK(loop_run(loop, &err), &err);
        ASSERT_STR(text, "abcd");
}

TEST(base64) {
        static const char *const plain[] = { "", "f", "fo", "foo", "foob", "fooba", "foobar" };
        static const char *const encoded[] = { "",         "Zg==",     "Zm8=",    "Zm9v",
                                               "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy" };
        static const char *const bad[] = { "Z", "Zg=", "Zg=a", "Z===", "Zm8 ", "=m8=", "Zg==Zg==" };

        for (size_t i = 0; i < ELEMENTS(plain); i++) {
                _cleanup_free_ char *text = base64_encode(plain[i], strlen(plain[i]));
                _cleanup_free_ char *back = NULL;
                size_t length;

                ASSERT_STR(text, encoded[i]);
                ASSERT_INT(base64_decode(text, &back, &length, NULL), 0);
                ASSERT_INT(length, strlen(plain[i]));
                ASSERT_STR(back, plain[i]);
        }
        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                char *back;
                size_t length;

                ASSERT(base64_decode(bad[i], &back, &length, NULL) < 0);
        }
}

TEST(base64_of_either_alphabet) {
        static const struct {
                const char *text, *bytes; /* NULL: refused */
        } cases[] = {
                { "", "" },
                { "YQ==", "a" },
                { "YQ", "a" },
                { "Pz8_Pj4-", "\x3f\x3f\x3f>>>" },
                { "Pz8/Pj4+", "\x3f\x3f\x3f>>>" },
                { "Y", NULL },
                { "Y Q=", NULL },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_buf_ Buf bytes = { 0 };
                bool good = base64_decode_any(cases[i].text, &bytes) == 0;

                ASSERT_INT(good, cases[i].bytes != NULL);
                if (good)
                        ASSERT_STR(bytes.data ?: "", cases[i].bytes);
        }
}

TEST(base64_of_urls) {
        _cleanup_free_ char *text = base64_url_encode("\xfb\xff?>", 4);

        ASSERT_STR(text, "-_8_Pg==");
}

TEST_MAIN()
