/* manual.c: the manual pages, one a command, in the macros of man(7), from the tables of commands
 * and options. `brig __manual DIRECTORY` writes them there: the installation does. */
#include <errno.h>

#include "cli/cli.h"

/* roff takes "-" for a hyphen, which can't be copied into a shell, and a dot or an apostrophe at a
 * line's start for a request. */
static void put_escaped(const char *text, FILE *out) {
        if (*text == '.' || *text == '\'')
                (void)fputs("\\&", out);
        for (; *text; text++) {
                if (*text == '-' || *text == '\\')
                        (void)fputs(*text == '-' ? "\\-" : "\\e", out);
                else
                        (void)fputc(*text, out);
        }
}

static void put_line(const char *text, FILE *out) {
        put_escaped(text, out);
        (void)fputc('\n', out);
}

/* "brig container ls" with dashes: a page's name; the caller's. */
static char *page_name(const char *path) {
        char *name = str_copy(path);

        for (char *c = name; *c; c++)
                if (*c == ' ')
                        *c = '-';
        return name;
}

static void put_head(const char *name, const char *summary, const char *path, const char *arguments,
                     FILE *out) {
        _cleanup_free_ char *upper = str_copy(name);

        for (char *c = upper; *c; c++)
                if (*c >= 'a' && *c <= 'z')
                        *c = (char)(*c - 'a' + 'A');
        (void)fprintf(out, ".TH %s 1 \"\" \"brig " BRIG_VERSION "\" \"User Commands\"\n.SH NAME\n",
                      upper);
        put_escaped(name, out);
        (void)fputs(" \\- ", out);
        put_line(summary, out);
        (void)fputs(".SH SYNOPSIS\n.B ", out);
        put_line(path, out);
        put_line(arguments, out);
}

/* ---- options ---- */

static void put_option(const Option *option, FILE *out) {
        _cleanup_free_ char *name = str_format("--%s", option->name);
        const char *kind = option_kind(option);

        (void)fputs(".TP\n", out);
        if (option->letter)
                (void)fprintf(out, "\\fB\\-%c\\fR, ", option->letter);
        (void)fputs("\\fB", out);
        put_escaped(name, out);
        (void)fputs("\\fR", out);
        if (*kind) {
                (void)fputs(" \\fI", out);
                put_escaped(kind, out);
                (void)fputs("\\fR", out);
        }
        (void)fputc('\n', out);
        put_line(option->help, out);
        if (option->initial) {
                (void)fputs("(default ", out);
                put_escaped(option->initial, out);
                (void)fputs(")\n", out);
        }
        if (option->flags & OPTION_REFUSED)
                (void)fputs("(not done yet)\n", out);
}

static void put_options(const OptionTable *table, const char *title, FILE *out) {
        size_t count;
        _cleanup_free_ const Option **sorted = options_shown(table, &count);

        if (count == 0)
                return;
        (void)fprintf(out, ".SH %s\n", title);
        for (size_t i = 0; i < count; i++)
                put_option(sorted[i], out);
}

/* ---- pages ---- */

static void put_entries(const Group *group, FILE *out) {
        (void)fputs(".SH COMMANDS\n", out);
        for (size_t i = 0; i < group->count; i++) {
                const Entry *entry = &group->entries[i];

                if (entry->section == SECTION_ALIAS || (!entry->command && !entry->group))
                        continue;
                (void)fputs(".TP\n.B ", out);
                put_line(entry->name, out);
                put_line(entry_summary(entry), out);
        }
}

static void write_group(const Group *group, const char *path, const char *name, FILE *out) {
        bool root = group == &root_group;

        put_head(name, group->summary, path, root ? "[OPTIONS] COMMAND [ARG...]" : "COMMAND", out);
        put_entries(group, out);
        if (root)
                put_options(&global_option_table, "GLOBAL OPTIONS", out);
        (void)fprintf(out, ".SH SEE ALSO\n%s\n",
                      root ? "Each command has a page: \\fBbrig\\-run\\fR(1).\n\\fBbrigd\\fR(8), "
                             "\\fBbrig\\-runtime\\fR(8)"
                           : "\\fBbrig\\fR(1)");
}

static void write_command(const Command *command, char *const *paths, const char *path,
                          const char *name, FILE *out) {
        put_head(name, command->summary, path, command->arguments, out);
        if (strv_length(paths) > 1) {
                (void)fputs(".SH ALIASES\n", out);
                for (size_t i = 0; paths[i]; i++) {
                        put_line(paths[i], out);
                        (void)fputs(".br\n", out);
                }
        }
        put_options(command->shared ?: &command->table, "OPTIONS", out);
        (void)fputs(".SH SEE ALSO\n\\fBbrig\\fR(1)\n", out);
}

static size_t words_in(const char *path) {
        size_t count = 1;

        for (; *path; path++)
                count += *path == ' ';
        return count;
}

/* The path whose page tells it all; the others lead there. */
static const char *main_path(char *const *paths) {
        const char *best = paths[0];

        for (size_t i = 1; paths[i]; i++)
                if (words_in(paths[i]) < words_in(best))
                        best = paths[i];
        return best;
}

static int open_page(const char *directory, const char *name, FILE **ret, Error *err) {
        _cleanup_free_ char *path = str_format("%s/%s.1", directory, name);

        *ret = fopen(path, "we");
        return *ret ? 0 : error_set(err, errno, "write '%s'", path);
}

static int close_page(FILE *out, const char *name, Error *err) {
        bool failed = ferror(out) != 0;

        return fclose(out) != 0 || failed
                       ? error_set(err, errno ?: EIO, "write the page '%s'", name)
                       : 0;
}

static int write_entry(const Cli *cli, const char *directory, const char *path, const Entry *entry,
                       Error *err) {
        _cleanup_strv_ char **paths = NULL;
        _cleanup_free_ char *name = page_name(path), *target = NULL;
        FILE *out;
        int r = open_page(directory, name, &out, err);

        if (r < 0)
                return r;
        if (entry->command) {
                paths = command_paths(cli, entry->command);
                target = page_name(main_path(paths));
        }
        if (entry->group)
                write_group(entry->group, path, name, out);
        else if (str_equal(target, name))
                write_command(entry->command, paths, path, name, out);
        else
                (void)fprintf(out, ".so man1/%s.1\n", target);
        return close_page(out, name, err);
}

static int write_below(const Cli *cli, const char *directory, const char *path, const Group *group,
                       Error *err) {
        for (size_t i = 0; i < group->count; i++) {
                const Entry *entry = &group->entries[i];
                _cleanup_free_ char *below = str_format("%s %s", path, entry->name);
                int r = 0;

                if (entry->command || entry->group)
                        r = write_entry(cli, directory, below, entry, err);
                if (r == 0 && entry->group)
                        r = write_below(cli, directory, below, entry->group, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

int manual_write(const Cli *cli, const char *directory, Error *err) {
        const Entry root = { .name = cli->program, .group = &root_group };
        int r = write_entry(cli, directory, cli->program, &root, err);

        return r < 0 ? r : write_below(cli, directory, cli->program, &root_group, err);
}
