/* terminal.c: see terminal.h. termios(3), ioctl_tty(2). */
#include "cli/terminal.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static struct termios saved;
static int saved_fd = -1;

void terminal_restore(void) {
        if (saved_fd >= 0)
                (void)tcsetattr(saved_fd, TCSADRAIN, &saved);
        saved_fd = -1;
}

int terminal_raw(int fd, Error *err) {
        struct termios raw;

        if (!isatty(fd) || saved_fd >= 0)
                return 0;
        if (tcgetattr(fd, &saved) < 0)
                return error_set(err, errno, "read the terminal's settings");
        raw = saved;
        cfmakeraw(&raw);
        if (tcsetattr(fd, TCSADRAIN, &raw) < 0)
                return error_set(err, errno, "set the terminal to raw mode");
        saved_fd = fd;
        (void)atexit(terminal_restore);
        return 0;
}

/* One typed byte: 1 the line is done, 0 more, or a negative errno. In raw mode the keys that the
 * terminal would act on are acted on here. */
static int take_key(char key, bool raw, Buf *line) {
        if (key == '\n' || key == '\r' || (raw && key == 4))
                return 1;
        if (raw && key == 3)
                return -ECANCELED;
        if (raw && (key == 8 || key == 127)) {
                if (line->length > 0)
                        line->data[--line->length] = '\0';
                return 0;
        }
        if (key) /* no text has a NUL */
                buf_add_char(line, key);
        return 0;
}

int terminal_read_line(int fd, const char *prompt, bool hidden, size_t limit, Buf *line) {
        bool raw = hidden && isatty(fd);
        Error err = {};
        int r = raw ? terminal_raw(fd, &err) : 0;

        (void)fputs(prompt, stdout);
        (void)fflush(stdout);
        buf_reserve(line, 1); /* an empty line is a text, too */
        line->data[line->length] = '\0';
        while (r == 0) {
                char key;
                ssize_t n = read(fd, &key, 1);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        r = n < 0 ? -errno : 1;
                else if (line->length >= limit)
                        r = -EFBIG;
                else
                        r = take_key(key, raw, line);
        }
        if (raw)
                terminal_restore();
        return MIN(r, 0);
}

bool terminal_size(int fd, unsigned *rows, unsigned *columns) {
        struct winsize size;

        if (ioctl(fd, TIOCGWINSZ, &size) < 0)
                return false;
        *rows = size.ws_row;
        *columns = size.ws_col;
        return true;
}

/* "ctrl-p" or a single character; -1 for anything else. */
static int key_code(const char *name) {
        const char *letter = str_after(name, "ctrl-");

        if (!letter)
                return name[0] && !name[1] ? (unsigned char)name[0] : -1;
        if (!letter[0] || letter[1])
                return -1;
        if (isalpha((unsigned char)*letter) && islower((unsigned char)*letter))
                return *letter - 'a' + 1;
        return strchr("@[\\]^_", *letter) ? *letter - '@' : -1;
}

int detach_keys_parse(const char *text, DetachKeys *ret, Error *err) {
        _cleanup_strv_ char **names = str_split(str_empty(text) ? "ctrl-p,ctrl-q" : text, ',');

        *ret = (DetachKeys){};
        for (char **name = names; *name; name++) {
                int code = key_code(*name);

                if (code < 0 || ret->count >= DETACH_KEYS_MAX)
                        return error_kind(err, ERROR_INVALID, "invalid detach keys provided: %s",
                                          text ?: "");
                ret->keys[ret->count++] = (unsigned char)code;
        }
        return 0;
}

bool detach_keys_filter(DetachKeys *keys, const char *data, size_t length, Buf *out) {
        for (size_t i = 0; i < length; i++) {
                unsigned char byte = (unsigned char)data[i];

                if (keys->matched > 0 && byte != keys->keys[keys->matched]) {
                        buf_add(out, keys->keys, keys->matched);
                        keys->matched = 0;
                }
                if (byte != keys->keys[keys->matched])
                        buf_add_char(out, (char)byte);
                else if (++keys->matched == keys->count)
                        return true;
        }
        return false;
}
