/* dockerfile-line.c: one joined line to an instruction: keyword, flags, and arguments by the
 * keyword's own rules. Where quotes end is decided here; what they mean is words.h's, later. */
#include <string.h>

#include "build/dockerfile-private.h"
#include "build/scan.h"
#include "build/words.h"

typedef struct LineReader {
        const Dockerfile *file;
        const JoinedLine *line;
        SourceRange at;
} LineReader;

SourceRange joined_line_place(const JoinedLine *line, size_t offset) {
        size_t low = 0, high = line->piece_count; /* the last piece that begins at or before it */
        while (high - low > 1) {
                size_t middle = low + (high - low) / 2;
                if (line->pieces[middle].offset <= offset)
                        low = middle;
                else
                        high = middle;
        }
        const LinePiece *found = &line->pieces[low];
        return (SourceRange){ .line = found->line,
                              .column = found->column + (unsigned)(offset - found->offset),
                              .end_line = found->line };
}

static void add_word(Instruction *instruction, char *word) {
        strv_take_at(&instruction->words, instruction->word_count++, word);
}

/* ---- flags ---- */

/* The word at `at`, quotes and escapes taken off; returns where it ends. */
static size_t read_flag(const char *text, size_t at, size_t end, char escape, Buf *ret) {
        char quote = '\0';
        while (at < end && (quote || !space_at(text + at))) {
                char c = text[at++];
                if (quote ? c == quote : c == '\'' || c == '"') {
                        quote = quote ? '\0' : c;
                        continue;
                }
                if (c == escape) {
                        if (at == end)
                                break;
                        c = text[at++];
                }
                buf_add_char(ret, c);
        }
        return at;
}

static void add_flag(Instruction *instruction, const char *word, SourceRange at) {
        const char *name = word + 2, *equals = strchr(name, '=');
        GROW(instruction->flags, instruction->flag_count);
        instruction->flags[instruction->flag_count++] = (InstructionFlag){
                .name = equals ? str_copy_n(name, (size_t)(equals - name)) : str_copy(name),
                .value = equals ? str_copy(equals + 1) : NULL,
                .at = at,
        };
}

/* Reads what begins with "--" up to a lone "--" or the first other word; returns where that is. */
static size_t read_flags(const LineReader *reader, size_t at, size_t end, Instruction *ret) {
        const char *text = reader->line->text.data;
        for (;;) {
                at += space_span(text + at);
                if (at + 2 > end || text[at] != '-' || text[at + 1] != '-')
                        return MIN(at, end);
                size_t start = at;
                _cleanup_buf_ Buf word = {};
                at = read_flag(text, at, end, reader->file->directives.escape, &word);
                if (str_equal(word.data, "--"))
                        return at;
                add_flag(ret, word.data, joined_line_place(reader->line, start));
        }
}

/* ---- arguments ---- */

/* Words at white space outside quotes; quotes and escapes stay. */
static char **quoted_words(const char *at, char escape, size_t *ret_count) {
        char **words = NULL, quote = '\0';
        for (size_t count = *ret_count = 0;; *ret_count = ++count) {
                _cleanup_buf_ Buf word = {};
                at += space_span(at);
                while (*at && (quote || !space_at(at))) {
                        if (quote && *at == quote)
                                quote = '\0';
                        else if (!quote && (*at == '\'' || *at == '"'))
                                quote = *at;
                        if (*at == escape && quote != '\'') {
                                /* One at the very end stands for nothing. */
                                if (!*++at)
                                        break;
                                buf_add_char(&word, escape);
                        }
                        buf_add_char(&word, *at++);
                }
                if (!word.length)
                        return words;
                strv_take_at(&words, count, buf_take(&word));
        }
}

static void read_spaced(Instruction *ret) {
        for (const char *at = ret->rest; *at; at += strspn(at, WORD_SPACE)) {
                size_t length = strcspn(at, WORD_SPACE);
                add_word(ret, str_copy_n(at, length));
                at += length;
        }
}

static int read_list(const LineReader *reader, Instruction *ret, Error *err) {
        read_spaced(ret);
        return 0;
}

static int read_text(const LineReader *reader, Instruction *ret, Error *err) {
        if (*ret->rest)
                add_word(ret, str_copy(ret->rest));
        return 0;
}

/* Adds the array's strings to the words and returns 1, or 0 if text is no array. */
static int read_json(const LineReader *reader, const char *text, Instruction *ret, Error *err) {
        _cleanup_strv_ char **strings = NULL;
        size_t count = 0;
        switch (json_strings(text, &strings, &count)) {
        case JSON_NOT_ARRAY:
                return 0;
        case JSON_NOT_STRINGS:
                return dockerfile_parse_error(reader->file, reader->at, err,
                                              "when using JSON array syntax, arrays must be "
                                              "comprised of strings only");
        case JSON_STRINGS:
                break;
        }
        for (size_t i = 0; i < count; i++)
                add_word(ret, TAKE_PTR(strings[i]));
        ret->is_json = true;
        return 1;
}

static int read_json_or_text(const LineReader *reader, Instruction *ret, Error *err) {
        int r = read_json(reader, ret->rest, ret, err);
        return r ? MIN(r, 0) : read_text(reader, ret, err);
}

static int read_json_or_list(const LineReader *reader, Instruction *ret, Error *err) {
        int r = read_json(reader, ret->rest, ret, err);
        return r ? MIN(r, 0) : read_list(reader, ret, err);
}

static int read_healthcheck(const LineReader *reader, Instruction *ret, Error *err) {
        size_t length = 0;
        while (ret->rest[length] && !space_at(ret->rest + length))
                length++;
        if (!length)
                return 0;
        add_word(ret, str_copy_n(ret->rest, length));
        const char *command = ret->rest + length + space_span(ret->rest + length);
        int r = read_json(reader, command, ret, err);
        if (r == 0 && *command)
                add_word(ret, str_copy(command));
        return MIN(r, 0);
}

static void add_pair(Instruction *ret, const char *word, const char *equals) {
        add_word(ret, str_copy_n(word, (size_t)(equals - word)));
        add_word(ret, str_copy(equals + 1));
}

/* "name value with blanks": the form before there was one with '='. */
static int read_old_pair(const LineReader *reader, Instruction *ret, Error *err) {
        size_t length = strcspn(ret->rest, WORD_SPACE);
        if (!ret->rest[length])
                return dockerfile_parse_error(reader->file, reader->at, err,
                                              "%s must have two arguments",
                                              instruction_name(ret->kind));
        add_word(ret, str_copy_n(ret->rest, length));
        add_word(ret, str_copy(ret->rest + length + strspn(ret->rest + length, WORD_SPACE)));
        ret->old_pairs = true;
        return 0;
}

static int read_pairs(const LineReader *reader, Instruction *ret, Error *err) {
        size_t count;
        _cleanup_strv_ char **words =
                quoted_words(ret->rest, reader->file->directives.escape, &count);
        if (count && !strchr(words[0], '='))
                return read_old_pair(reader, ret, err);
        for (size_t i = 0; i < count; i++) {
                const char *equals = strchr(words[i], '=');
                if (!equals)
                        return dockerfile_parse_error(reader->file, reader->at, err,
                                                      "Syntax error - can't find = in \"%.200s\". "
                                                      "Must be of the form: name=value",
                                                      words[i]);
                add_pair(ret, words[i], equals);
        }
        return 0;
}

static int read_args(const LineReader *reader, Instruction *ret, Error *err) {
        size_t count;
        _cleanup_strv_ char **words =
                quoted_words(ret->rest, reader->file->directives.escape, &count);
        ret->has_value = count ? NEW_ARRAY(bool, count) : NULL;
        for (size_t i = 0; i < count; i++) {
                const char *equals = strchr(words[i], '=');
                ret->has_value[i] = equals != NULL;
                if (equals) {
                        add_pair(ret, words[i], equals);
                } else {
                        add_word(ret, str_copy(words[i]));
                        add_word(ret, str_copy(""));
                }
        }
        return 0;
}

static int read_onbuild(const LineReader *reader, Instruction *ret, Error *err) {
        if (!*ret->rest)
                return 0;
        const char *text = reader->line->text.data;
        _cleanup_free_ char *keyword = str_copy_n(ret->rest, strcspn(ret->rest, WORD_SPACE));
        if (instruction_kind(keyword) == INSTRUCTION_ONBUILD)
                return dockerfile_parse_error(reader->file, reader->at, err,
                                              "Chaining ONBUILD via `ONBUILD ONBUILD` isn't "
                                              "allowed");
        /* rest is what the line ends with but for white space. */
        size_t end = trimmed_length(text, reader->line->text.length);
        ret->onbuild = NEW(Instruction);
        return instruction_read(reader->file, reader->line, end - strlen(ret->rest), ret->onbuild,
                                err);
}

static int (*const readers[INSTRUCTION_KINDS])(const LineReader *, Instruction *, Error *) = {
        [INSTRUCTION_ADD] = read_json_or_list,
        [INSTRUCTION_ARG] = read_args,
        [INSTRUCTION_CMD] = read_json_or_text,
        [INSTRUCTION_COPY] = read_json_or_list,
        [INSTRUCTION_ENTRYPOINT] = read_json_or_text,
        [INSTRUCTION_ENV] = read_pairs,
        [INSTRUCTION_EXPOSE] = read_list,
        [INSTRUCTION_FROM] = read_list,
        [INSTRUCTION_HEALTHCHECK] = read_healthcheck,
        [INSTRUCTION_LABEL] = read_pairs,
        [INSTRUCTION_MAINTAINER] = read_text,
        [INSTRUCTION_ONBUILD] = read_onbuild,
        [INSTRUCTION_RUN] = read_json_or_text,
        [INSTRUCTION_SHELL] = read_json_or_text,
        [INSTRUCTION_STOPSIGNAL] = read_text,
        [INSTRUCTION_USER] = read_text,
        [INSTRUCTION_VOLUME] = read_json_or_list,
        [INSTRUCTION_WORKDIR] = read_text,
};

int instruction_read(const Dockerfile *file, const JoinedLine *line, size_t offset,
                     Instruction *ret, Error *err) {
        const char *text = line->text.data;
        size_t end = trimmed_length(text, line->text.length);
        offset = MIN(offset + space_span(text + offset), end);
        size_t word = MIN(strcspn(text + offset, WORD_SPACE), end - offset);
        ret->at = joined_line_place(line, offset);
        ret->at.end_line = line->end_line;
        ret->empty_continuation = line->empty_continuation;
        ret->keyword = str_copy_n(text + offset, word);
        ret->text = str_copy_n(text + offset, end - offset);
        ret->kind = instruction_kind(ret->keyword);
        LineReader reader = { file, line, ret->at };
        size_t rest = read_flags(&reader, offset + word, end, ret);
        rest = MIN(rest + space_span(text + rest), end);
        ret->rest = str_copy_n(text + rest, end - rest);
        return ret->kind < INSTRUCTION_KINDS ? readers[ret->kind](&reader, ret, err) : 0;
}

/* ---- heredocs ---- */

static size_t count_quotes(const char *text) {
        size_t count = 0;
        for (; *text; text++)
                count += *text == '\'' || *text == '"';
        return count;
}

/* The one word that text is, or NULL. */
static char *single_word(const char *text, bool keep_quotes) {
        WordRules rules = { .escape = '\\', .keep_unset = true, .keep_quotes = keep_quotes };
        _cleanup_strv_ char **words = NULL;
        Error ignored = {};
        if (words_expand(text, &rules, &words, &ignored) < 0 || strv_length(words) != 1)
                return NULL;
        return TAKE_PTR(words[0]);
}

bool heredoc_read(const char *word, Heredoc *ret) {
        word += strspn(word, "0123456789");
        const char *name = str_after(word, "<<");
        if (!name)
                return false;
        bool strip = *name == '-';
        name += strip;
        name += strspn(name, "\t\n\f\r ");
        if (!*name || strchr(name, '<'))
                return false;
        _cleanup_free_ char *plain = single_word(name, false);
        _cleanup_free_ char *quoted = single_word(name, true);
        if (!plain || !quoted)
                return false;
        *ret = (Heredoc){ .expand = count_quotes(plain) == count_quotes(quoted),
                          .strip_tabs = strip };
        ret->name = TAKE_PTR(plain);
        return true;
}

bool heredoc_word(const char *word, char **ret_name) {
        _cleanup_(heredoc_done) Heredoc heredoc = {};
        if (!heredoc_read(word, &heredoc))
                return false;
        if (ret_name)
                *ret_name = TAKE_PTR(heredoc.name);
        return true;
}
