/* help.c: help, from the tables of commands and options. completion.c and manual.c read the same.
 */
#include "cli/cli.h"

#define HELP_WIDTH 80
#define NAME_WIDTH 11

const char *entry_summary(const Entry *entry) {
        return entry->command ? entry->command->summary
               : entry->group ? entry->group->summary
                              : entry->summary;
}

/* ---- commands ---- */

static void print_section(const Group *group, Section section, const char *title, FILE *out) {
        bool any = false;

        for (size_t i = 0; i < group->count; i++) {
                const Entry *entry = &group->entries[i];

                if (entry->section != section)
                        continue;
                if (!any)
                        (void)fprintf(out, "\n%s:\n", title);
                any = true;
                (void)fprintf(out, "  %-*s %s%s\n", NAME_WIDTH, entry->name, entry_summary(entry),
                              entry->command || entry->group ? "" : " (not done yet)");
        }
}

/* ---- options ---- */

/* "  -m, --memory bytes"; the caller's. */
static char *left_side(const Option *option) {
        const char *kind = option_kind(option);

        return option->letter ? str_format("  -%c, --%s%s%s", option->letter, option->name,
                                           *kind ? " " : "", kind)
                              : str_format("      --%s%s%s", option->name, *kind ? " " : "", kind);
}

/* Breaks text at spaces so that no line passes HELP_WIDTH; lines after the first are indented. */
static void print_wrapped(const char *text, size_t indent, FILE *out) {
        size_t room = HELP_WIDTH - MIN(indent, (size_t)(HELP_WIDTH - 24));

        while (*text) {
                size_t length = strlen(text);

                if (length > room) {
                        length = room;
                        while (length > 0 && text[length] != ' ')
                                length--;
                        if (length == 0)
                                length = strcspn(text, " ");
                }
                (void)fprintf(out, "%.*s\n", (int)length, text);
                text += length;
                text += strspn(text, " ");
                if (*text)
                        (void)fprintf(out, "%*s", (int)indent, "");
        }
}

static void print_option(const Option *option, size_t width, FILE *out) {
        _cleanup_free_ char *left = left_side(option), *right = NULL;

        right = str_format("%s%s%s%s%s", option->help, option->initial ? " (default " : "",
                           option->initial ?: "", option->initial ? ")" : "",
                           option->flags & OPTION_REFUSED ? " (not done yet)" : "");
        (void)fprintf(out, "%-*s   ", (int)width, left);
        print_wrapped(right, width + 3, out);
}

static void print_options(const OptionTable *table, const char *title, FILE *out) {
        size_t count, width = 0;
        _cleanup_free_ const Option **sorted = options_shown(table, &count);

        if (count == 0)
                return;
        for (size_t i = 0; i < count; i++) {
                _cleanup_free_ char *left = left_side(sorted[i]);

                width = MAX(width, strlen(left));
        }
        (void)fprintf(out, "\n%s:\n", title);
        for (size_t i = 0; i < count; i++)
                print_option(sorted[i], width, out);
}

/* ---- aliases ---- */

/* Every path that leads to command, groups first. */
static void collect_paths(const Group *group, const char *prefix, const Command *command,
                          char ***ret) {
        for (size_t i = 0; i < group->count; i++)
                if (group->entries[i].group) {
                        _cleanup_free_ char *path =
                                str_format("%s %s", prefix, group->entries[i].name);

                        collect_paths(group->entries[i].group, path, command, ret);
                }
        for (size_t i = 0; i < group->count; i++)
                if (group->entries[i].command == command)
                        strv_format(ret, "%s %s", prefix, group->entries[i].name);
}

char **command_paths(const Cli *cli, const Command *command) {
        char **paths = NULL;

        collect_paths(&root_group, cli->program, command, &paths);
        return paths;
}

static void print_aliases(const Cli *cli, const Command *command, FILE *out) {
        _cleanup_strv_ char **paths = command_paths(cli, command);
        _cleanup_free_ char *line = NULL;

        if (strv_length(paths) < 2)
                return;
        line = strv_join(paths, ", ");
        (void)fprintf(out, "\nAliases:\n  %s\n", line);
}

/* ---- pages ---- */

void help_root(const Cli *cli, FILE *out) {
        (void)fprintf(out, "Usage:  %s [OPTIONS] COMMAND\n\n%s\n", cli->program,
                      root_group.summary);
        print_section(&root_group, SECTION_COMMON, "Common Commands", out);
        print_section(&root_group, SECTION_MANAGEMENT, "Management Commands", out);
        print_section(&root_group, SECTION_SWARM, "Swarm Commands", out);
        print_section(&root_group, SECTION_COMMANDS, "Commands", out);
        print_options(&global_option_table, "Global Options", out);
        (void)fprintf(out, "\nRun '%s COMMAND --help' for more information on a command.\n",
                      cli->program);
}

void help_group(const Cli *cli, const Group *group, FILE *out) {
        (void)fprintf(out, "Usage:  %s COMMAND\n\n%s\n", cli->path, group->summary);
        print_section(group, SECTION_COMMANDS, "Commands", out);
        (void)fprintf(out, "\nRun '%s COMMAND --help' for more information on a command.\n",
                      cli->path);
}

void help_command(const Cli *cli, const Command *command, FILE *out) {
        (void)fprintf(out, "Usage:  %s %s\n\n%s\n", cli->path, command->arguments,
                      command->summary);
        print_aliases(cli, command, out);
        print_options(command->shared ?: &command->table, "Options", out);
}
