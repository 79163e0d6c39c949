/* corpora-main.c: what this folder makes of a text, in the forms in which other projects' test
 * tables write it; tests/corpora asks. Values are parted by NUL, as they may hold anything else. */
#include <ctype.h>

#include "build/dockerfile-private.h"
#include "build/ignore.h"
#include "build/words.h"

DEFINE_CLEANUP(IgnorePatterns *, ignore_free)

/* ---- trees, as Node.Dump of moby/buildkit's frontend/dockerfile/parser prints them ---- */

/* strconv.Quote of text that is UTF-8 and has nothing unprintable beyond ASCII. */
static void put_quoted(const char *text) {
        static const char names[] = "abtnvfr"; /* from \a, 7, on */
        putchar('"');
        while (*text) {
                unsigned char c = (unsigned char)*text;
                const char *after_nul = str_after(text, JSON_NUL);
                if (after_nul)
                        printf("\\x00");
                else if (c == '"' || c == '\\')
                        printf("\\%c", c);
                else if (c >= '\a' && c <= '\r')
                        printf("\\%c", names[c - '\a']);
                else if (iscntrl(c))
                        printf("\\x%02x", c);
                else
                        putchar(c);
                text = after_nul ?: text + 1;
        }
        putchar('"');
}

static void put_argument(const char *text) {
        putchar(' ');
        put_quoted(text);
}

static void put_flags(const Instruction *instruction) {
        for (size_t i = 0; i < instruction->flag_count; i++) {
                const InstructionFlag *flag = &instruction->flags[i];
                _cleanup_free_ char *text = str_format("--%s%s%s", flag->name,
                                                       flag->value ? "=" : "", flag->value ?: "");
                printf(i ? " " : " [");
                put_quoted(text);
        }
        if (instruction->flag_count)
                putchar(']');
}

static void put_pairs(const Instruction *instruction) {
        for (size_t i = 0; i + 1 < instruction->word_count; i += 2) {
                put_argument(instruction->words[i]);
                put_argument(instruction->words[i + 1]);
                put_argument(instruction->old_pairs ? "" : "=");
        }
}

static void put_args(const Instruction *instruction) {
        for (size_t i = 0; i + 1 < instruction->word_count; i += 2) {
                _cleanup_free_ char *text = str_format("%s%s%s", instruction->words[i],
                                                       instruction->has_value[i / 2] ? "=" : "",
                                                       instruction->words[i + 1]);
                put_argument(text);
        }
}

static void put_instruction(const Instruction *instruction) {
        _cleanup_free_ char *keyword = str_lower(str_copy(instruction->keyword));
        printf("(%s", keyword);
        put_flags(instruction);
        if (instruction->onbuild) {
                putchar(' ');
                put_instruction(instruction->onbuild);
        } else if (instruction->kind == INSTRUCTION_ENV || instruction->kind == INSTRUCTION_LABEL) {
                put_pairs(instruction);
        } else if (instruction->kind == INSTRUCTION_ARG) {
                put_args(instruction);
        } else {
                for (size_t i = 0; i < instruction->word_count; i++)
                        put_argument(instruction->words[i]);
        }
        putchar(')');
}

static void put_tree(const Dockerfile *file) {
        for (size_t i = 0; i < file->count; i++) {
                put_instruction(&file->instructions[i]);
                putchar('\n');
        }
}

/* ---- lines and heredocs ---- */

static void put_value(const char *text) {
        fputs(text, stdout);
        putchar('\0');
}

/* An instruction's first and last line, and the one of a continuation with blank lines, or 0. */
static void put_lines(const Dockerfile *file) {
        for (size_t i = 0; i < file->count; i++) {
                const Instruction *instruction = &file->instructions[i];
                printf("%u %u %u\n", instruction->at.line, instruction->at.end_line,
                       instruction->empty_continuation);
        }
}

/* The instruction's number, the name, "expand" or "", "strip" or "", and the content. */
static void put_heredocs(const Dockerfile *file) {
        for (size_t i = 0; i < file->count; i++)
                for (size_t j = 0; j < file->instructions[i].heredoc_count; j++) {
                        const Heredoc *heredoc = &file->instructions[i].heredocs[j];
                        _cleanup_free_ char *number = str_format("%zu", i);
                        put_value(number);
                        put_value(heredoc->name);
                        put_value(heredoc->expand ? "expand" : "");
                        put_value(heredoc->strip_tabs ? "strip" : "");
                        put_value(heredoc->content);
                }
}

/* ---- commands ---- */

static void read_input(Buf *ret) {
        char block[4096];
        buf_add_str(ret, "");
        for (size_t size; (size = fread(block, 1, sizeof(block), stdin)) > 0;)
                buf_add(ret, block, size);
}

static int with_dockerfile(void (*put)(const Dockerfile *file), Error *err) {
        _cleanup_buf_ Buf text = {};
        Dockerfile file;
        read_input(&text);
        int r = dockerfile_read("Dockerfile", text.data, text.length, &file, err);
        if (r < 0)
                return r;
        put(&file);
        dockerfile_done(&file);
        return 0;
}

static int do_tree(char **arguments, Error *err) {
        return with_dockerfile(put_tree, err);
}

static int do_lines(char **arguments, Error *err) {
        return with_dockerfile(put_lines, err);
}

static int do_heredocs(char **arguments, Error *err) {
        return with_dockerfile(put_heredocs, err);
}

/* WORD [NAME=VALUE...]: the word, then the names that had no value. */
static int do_word(char **arguments, Error *err) {
        _cleanup_strv_ char **unmatched = NULL;
        _cleanup_free_ char *word = NULL;
        WordRules rules = { .escape = '\\', .env = arguments + 1, .unmatched = &unmatched };
        int r = word_expand(arguments[0], &rules, &word, err);
        if (r < 0)
                return r;
        put_value(word);
        for (char **name = unmatched; name && *name; name++)
                put_value(*name);
        return 0;
}

/* ESCAPE WORD [NAME=VALUE...]: the word, its quotes and escapes left in it. */
static int do_raw(char **arguments, Error *err) {
        _cleanup_free_ char *word = NULL;
        WordRules rules = { .escape = *arguments[0], .env = arguments + 2, .keep_quotes = true };
        int r = word_expand(arguments[1], &rules, &word, err);
        if (r == 0)
                put_value(word);
        return r;
}

/* TEXT [NAME=VALUE...] */
static int do_words(char **arguments, Error *err) {
        _cleanup_strv_ char **words = NULL;
        WordRules rules = { .escape = '\\', .env = arguments + 1 };
        int r = words_expand(arguments[0], &rules, &words, err);
        for (char **word = words; r == 0 && word && *word; word++)
                put_value(*word);
        return r;
}

/* PATH [PATTERN...] */
static int do_ignore(char **arguments, Error *err) {
        _cleanup_(ignore_freep) IgnorePatterns *patterns = NULL;
        int r = ignore_from_list(arguments + 1, &patterns, err);
        if (r == 0)
                put_value(ignore_matches(patterns, arguments[0], NULL) ? "ignored" : "kept");
        return r;
}

static const struct {
        const char *name;
        int needs; /* arguments */
        int (*run)(char **arguments, Error *err);
} commands[] = {
        { "tree", 0, do_tree }, { "lines", 0, do_lines }, { "heredocs", 0, do_heredocs },
        { "word", 1, do_word }, { "words", 1, do_words }, { "ignore", 1, do_ignore },
        { "raw", 2, do_raw },
};

int main(int argc, char **argv) {
        Error err = {};
        for (size_t i = 0; argc > 1 && i < ELEMENTS(commands); i++) {
                if (!str_equal(commands[i].name, argv[1]) || argc - 2 < commands[i].needs)
                        continue;
                if (commands[i].run(argv + 2, &err) == 0)
                        return 0;
                fprintf(stderr, "%s\n", err.message);
                return 1;
        }
        fprintf(stderr, "build-corpora: tree|lines|heredocs, which read a Dockerfile; "
                        "word|words TEXT [NAME=VALUE...]; raw ESCAPE WORD [NAME=VALUE...]; ignore "
                        "PATH [PATTERN...]\n");
        return 64;
}
