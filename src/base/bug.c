/* bug.c: see bug.h. */
#include "base/bug.h"

#ifdef BRIG_BUGS

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/macro.h"

#define NAMES_MAX 4096

/* As the program began; not changed after. */
static char first_names[NAMES_MAX];

/* False where the file is out of sight. */
static bool read_names(char names[NAMES_MAX]) {
        _cleanup_close_ int fd = open(BUG_FILE, O_RDONLY | O_CLOEXEC);
        ssize_t length = fd < 0 ? -1 : read(fd, names, NAMES_MAX - 1);

        names[MAX(length, 0)] = '\0';
        return fd >= 0;
}

__attribute__((constructor)) static void begin(void) {
        (void)read_names(first_names);
}

/* Takes no lock and mallocs nothing: it runs after a fork of a program with threads, too. */
bool bug_is_on(const char *name) {
        char now[NAMES_MAX];
        const char *names = read_names(now) ? now : first_names;
        size_t length = strlen(name);

        for (const char *line = names; *line; line += strcspn(line, "\n"), line += *line == '\n')
                if (strcspn(line, "\n") == length && strncmp(line, name, length) == 0)
                        return true;
        return false;
}

#endif
