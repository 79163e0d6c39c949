/* completion.c: completion in bash, zsh and fish. The shells' scripts only ask `brig __complete`;
 * the words come from the tables of commands and options, and names from the daemon, if one runs.
 */
#include "cli/commands.h"

/* ---- names that the daemon knows ---- */

/* What the tables call a thing, and how to list those. */
typedef struct Source {
        const char *word; /* in a command's arguments: "CONTAINER [CONTAINER...]" */
        const char *path;
        const char *member; /* of the answer that has the list; NULL: the answer is the list */
        const char *name;   /* of an element: a text, or a list of texts */
} Source;

static const Source sources[] = {
        { "CONTAINER", "/containers/json?all=1", NULL, "Names" },
        { "EXEC", "/exec/json", NULL, "ID" },
        { "IMAGE", "/images/json", NULL, "RepoTags" },
        { "NETWORK", "/networks", NULL, "Name" },
        { "VOLUME", "/volumes", "Volumes", "Name" },
};

static const struct {
        const char *option, *word;
} option_sources[] = {
        { "network", "NETWORK" },
        { "net", "NETWORK" },
        { "volumes-from", "CONTAINER" },
};

static void offer(const char *word, const char *prefix) {
        if (str_after(word, prefix))
                (void)printf("%s\n", word);
}

static void offer_text(json_object *text, const char *prefix) {
        const char *name = json_object_get_string(text);

        /* Containers are told as "/name"; links, as "/other/alias", are nobody's name. */
        if (name && *name == '/')
                name++;
        if (name && !strchr(name, '<') && !str_after(name, "/"))
                offer(name, prefix);
}

/* A daemon that can't be asked leaves the user to type: that is no error. */
static void offer_source(Cli *cli, const Source *source, const char *prefix) {
        json_object *answer = NULL, *list;
        Error ignored = {};

        cli->no_start = true;
        if (api_json(cli, "GET", source->path, NULL, &answer, &ignored) < 0)
                return;
        list = source->member ? json_member(answer, source->member) : answer;
        for (size_t i = 0;
             json_object_is_type(list, json_type_array) && i < json_object_array_length(list);
             i++) {
                json_object *name = json_member(json_object_array_get_idx(list, i), source->name);

                if (!json_object_is_type(name, json_type_array))
                        offer_text(name, prefix);
                for (size_t j = 0; json_object_is_type(name, json_type_array) &&
                                   j < json_object_array_length(name);
                     j++)
                        offer_text(json_object_array_get_idx(name, j), prefix);
        }
        (void)json_object_put(answer);
}

/* word begins with what the tables call a thing: "CONTAINER...]". */
static void offer_things(Cli *cli, const char *word, const char *prefix) {
        size_t length = strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_");

        for (size_t i = 0; i < ELEMENTS(sources); i++)
                if (strlen(sources[i].word) == length &&
                    strncmp(sources[i].word, word, length) == 0)
                        offer_source(cli, &sources[i], prefix);
}

/* ---- where the words lead ---- */

typedef struct Place {
        const Group *group;
        const Command *command; /* NULL: not reached yet */
        const OptionTable *table;
        const Option *wants; /* the next word is this option's */
        size_t arguments;    /* of the command, so far */
        bool closed;         /* what follows is not read for options */
        bool lost;           /* a word leads nowhere */
} Place;

static const Option *option_of(const OptionTable *table, const char *word) {
        return word[1] == '-' ? option_find(table, word + 2, strlen(word + 2))
                              : option_by_letter(table, word[strlen(word) - 1]);
}

static void enter(Place *place, const char *word) {
        for (size_t i = 0; i < place->group->count; i++) {
                const Entry *entry = &place->group->entries[i];

                if (!str_equal(entry->name, word))
                        continue;
                place->command = entry->command;
                if (entry->command)
                        place->table = entry->command->shared ?: &entry->command->table;
                else if (entry->group)
                        place->group = entry->group;
                place->lost = !entry->command && !entry->group;
                return;
        }
        place->lost = true;
}

static void step(Place *place, const char *word) {
        if (place->wants) {
                place->wants = NULL;
        } else if (!place->closed && word[0] == '-' && word[1]) {
                const Option *option = place->table ? option_of(place->table, word) : NULL;

                place->closed = str_equal(word, "--");
                if (option && option->type != OPTION_BOOL)
                        place->wants = option;
        } else if (!place->command) {
                enter(place, word);
        } else {
                place->arguments++;
                place->closed = place->closed || place->command->flags & COMMAND_FIRST;
        }
}

/* ---- what may follow ---- */

static void offer_options(const OptionTable *table, const char *prefix) {
        for (size_t i = 0; i < table->count; i++) {
                _cleanup_free_ char *word = str_format("--%s", table->rows[i].name);

                if (!(table->rows[i].flags & (OPTION_HIDDEN | OPTION_REFUSED)))
                        offer(word, prefix);
        }
        offer("--help", prefix);
}

static void offer_entries(const Group *group, const char *prefix) {
        for (size_t i = 0; i < group->count; i++)
                if (group->entries[i].command || group->entries[i].group)
                        offer(group->entries[i].name, prefix);
}

static void offer_value(Cli *cli, const Option *option, const char *prefix) {
        for (size_t i = 0; i < ELEMENTS(option_sources); i++)
                if (str_equal(option->name, option_sources[i].option))
                        offer_things(cli, option_sources[i].word, prefix);
}

/* By the place in "[OPTIONS] CONTAINER [CONTAINER...]"; the last word stands for all that follow if
 * it says so. */
static void offer_argument(Cli *cli, const Place *place, const char *prefix) {
        _cleanup_strv_ char **words = str_split(place->command->arguments, ' ');
        size_t count = strv_length(words), at = 0;
        const char *word;

        while (at < count && str_equal(words[at], "[OPTIONS]"))
                at++;
        at += place->arguments;
        if (at >= count && count > 0 && strstr(words[count - 1], "..."))
                at = count - 1;
        if (at >= count)
                return;
        word = words[at];
        offer_things(cli, word + strspn(word, "["), prefix);
}

static void offer_at(Cli *cli, const Place *place, const char *last) {
        if (place->lost)
                return;
        if (place->wants)
                offer_value(cli, place->wants, last);
        else if (*last == '-' && !place->closed)
                offer_options(place->table ?: &global_option_table, last);
        else if (!place->command)
                offer_entries(place->group, last);
        else
                offer_argument(cli, place, last);
}

void complete(Cli *cli, char **words) {
        size_t count = strv_length(words);
        _cleanup_strv_ char **before = strv_copy(words);
        const char *last = count > 0 ? words[count - 1] : "";
        Options globals = { .values = cli };
        Error ignored = {};
        Place place = { .group = &root_group };

        if (count > 0) {
                free(before[count - 1]);
                before[count - 1] = NULL;
        }
        /* The global options say which daemon to ask. One that still lacks its value is the user's
         * to give. */
        if (options_parse(&global_option_table, before, false, &globals, &ignored) == 0) {
                for (size_t i = 0; i < globals.count; i++)
                        step(&place, globals.arguments[i]);
                offer_at(cli, &place, last);
        }
        options_done(&globals);
}

/* ---- the shells ---- */

static const struct {
        const char *shell, *script; /* %: the program's name */
} scripts[] = {
        { "bash",
          "# bash completion for %: the words come from the program's own tables.\n"
          "_%_complete() {\n"
          "        local cur words cword IFS=$'\\n'\n"
          "        if declare -F _get_comp_words_by_ref >/dev/null; then\n"
          "                _get_comp_words_by_ref -n : cur words cword # names have colons\n"
          "        else\n"
          "                words=(\"${COMP_WORDS[@]}\") cword=$COMP_CWORD\n"
          "        fi\n"
          "        COMPREPLY=($(% __complete \"${words[@]:1:cword}\" 2>/dev/null))\n"
          "        declare -F __ltrim_colon_completions >/dev/null && __ltrim_colon_completions "
          "\"$cur\"\n"
          "        return 0\n"
          "}\n"
          "complete -o default -F _%_complete %\n" },
        { "zsh",
          "#compdef %\n"
          "# zsh completion for %: the words come from the program's own tables.\n"
          "_%() {\n"
          "        local -a found\n"
          "        found=(${(f)\"$(% __complete \"${(@)words[2,CURRENT]}\" 2>/dev/null)\"})\n"
          "        if (( $#found )); then compadd -- $found; else _files; fi\n"
          "}\n"
          "if [[ $funcstack[1] == _% ]]; then _% \"$@\"; else compdef _% %; fi\n" },
        { "fish", "# fish completion for %: the words come from the program's own tables.\n"
                  "function __%_complete\n"
                  "        set -l words (commandline -opc)\n"
                  "        % __complete $words[2..-1] (commandline -ct | string collect "
                  "--allow-empty) 2>/dev/null\n"
                  "end\n"
                  "complete -c % -a '(__%_complete)'\n" },
};

static int run_completion(Cli *cli, const Options *options, Error *err) {
        for (size_t i = 0; i < ELEMENTS(scripts); i++) {
                if (!str_equal(options->arguments[0], scripts[i].shell))
                        continue;
                for (const char *next = scripts[i].script; *next; next++)
                        if (*next == '%')
                                (void)fputs(cli->program, stdout);
                        else
                                (void)putchar(*next);
                return 0;
        }
        return error_kind(err, ERROR_INVALID,
                          "no completion for '%s': there are bash, zsh and fish",
                          options->arguments[0]);
}

const Command completion_command = {
        .arguments = "bash|zsh|fish",
        .summary = "Print the completion script of a shell",
        .run = run_completion,
        .least = 1,
        .most = 1,
};
