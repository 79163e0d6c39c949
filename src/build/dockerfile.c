/* dockerfile.c: the language's names, its errors, and the life of what was read. Reading is in
 * dockerfile-read.c (lines) and dockerfile-line.c (words), checks in dockerfile-check.c. */
#include <stdarg.h>
#include <stdlib.h>
#include <strings.h>

#include "build/dockerfile-private.h"

static const char *const names[INSTRUCTION_KINDS] = {
        [INSTRUCTION_ADD] = "ADD",
        [INSTRUCTION_ARG] = "ARG",
        [INSTRUCTION_CMD] = "CMD",
        [INSTRUCTION_COPY] = "COPY",
        [INSTRUCTION_ENTRYPOINT] = "ENTRYPOINT",
        [INSTRUCTION_ENV] = "ENV",
        [INSTRUCTION_EXPOSE] = "EXPOSE",
        [INSTRUCTION_FROM] = "FROM",
        [INSTRUCTION_HEALTHCHECK] = "HEALTHCHECK",
        [INSTRUCTION_LABEL] = "LABEL",
        [INSTRUCTION_MAINTAINER] = "MAINTAINER",
        [INSTRUCTION_ONBUILD] = "ONBUILD",
        [INSTRUCTION_RUN] = "RUN",
        [INSTRUCTION_SHELL] = "SHELL",
        [INSTRUCTION_STOPSIGNAL] = "STOPSIGNAL",
        [INSTRUCTION_USER] = "USER",
        [INSTRUCTION_VOLUME] = "VOLUME",
        [INSTRUCTION_WORKDIR] = "WORKDIR",
};

const char *instruction_name(InstructionKind kind) {
        return kind < INSTRUCTION_KINDS ? names[kind] : "";
}

InstructionKind instruction_kind(const char *keyword) {
        InstructionKind kind = 0;
        while (kind < INSTRUCTION_KINDS && strcasecmp(names[kind], keyword) != 0)
                kind++;
        return kind;
}

const char *instruction_flag(const Instruction *instruction, const char *name) {
        for (size_t i = 0; i < instruction->flag_count; i++)
                if (str_equal(instruction->flags[i].name, name))
                        return instruction->flags[i].value;
        return NULL;
}

char *instruction_source(const Instruction *instruction) {
        const Instruction *inner = instruction->onbuild ? instruction->onbuild : instruction;
        _cleanup_buf_ Buf out = {};
        buf_add_str(&out, instruction->text);
        for (size_t i = 0; i < inner->heredoc_count; i++)
                buf_format(&out, "\n%s%s", inner->heredocs[i].content, inner->heredocs[i].name);
        return buf_take(&out);
}

void heredoc_done(Heredoc *heredoc) {
        free(heredoc->name);
        free(heredoc->content);
        *heredoc = (Heredoc){};
}

/* ONBUILD keeps no ONBUILD, so this goes one level deep. */
static void instruction_done(Instruction *instruction) {
        free(instruction->keyword);
        free(instruction->text);
        free(instruction->rest);
        for (size_t i = 0; i < instruction->flag_count; i++) {
                free(instruction->flags[i].name);
                free(instruction->flags[i].value);
        }
        free(instruction->flags);
        strv_free(instruction->words);
        free(instruction->has_value);
        for (size_t i = 0; i < instruction->heredoc_count; i++)
                heredoc_done(&instruction->heredocs[i]);
        free(instruction->heredocs);
        strv_free(instruction->comments);
        if (instruction->onbuild)
                instruction_done(instruction->onbuild);
        free(instruction->onbuild);
}

void dockerfile_done(Dockerfile *file) {
        free(file->name);
        free(file->source);
        free(file->directives.syntax);
        strv_free(file->directives.skip);
        strv_free(file->directives.experimental);
        for (size_t i = 0; i < file->count; i++)
                instruction_done(&file->instructions[i]);
        free(file->instructions);
        *file = (Dockerfile){};
}

int dockerfile_parse(const char *name, const char *text, size_t length, Dockerfile *ret,
                     Error *err) {
        int r = dockerfile_read(name, text, length, ret, err);
        if (r < 0)
                return r;
        r = dockerfile_check(ret, NULL, err);
        if (r < 0)
                dockerfile_done(ret);
        return r;
}

void dockerfile_parse_start(const char *name, const char *text, size_t length, Dockerfile *ret) {
        size_t right = 0;
        int r = dockerfile_read_start(name, text, length, ret, NULL);
        if (r < 0 && ret->count > 0) /* it is the last that cannot be read */
                instruction_done(&ret->instructions[--ret->count]);
        (void)dockerfile_check(ret, &right, NULL);
        while (ret->count > right)
                instruction_done(&ret->instructions[--ret->count]);
}

int dockerfile_parse_trigger(const char *text, Dockerfile *ret, Error *err) {
        int r = dockerfile_read("ONBUILD", text, strlen(text), ret, err);
        if (r < 0)
                return r;
        r = ret->count == 1 ? dockerfile_check_trigger(ret, &ret->instructions[0], err)
                            : error_kind(err, ERROR_INVALID,
                                         "onbuild trigger should be a single expression");
        if (r < 0)
                dockerfile_done(ret);
        return r;
}

/* ---- errors ---- */

#define QUOTE_RULE "--------------------"
#define QUOTE_MARK " | >>> "
#define NAME_LENGTH 80
/* An error holds some hundred bytes: so much of the file is shown. */
#define QUOTE_LINES 8
#define QUOTE_COLUMNS 100
#define QUOTE_BYTES 560

/* Which lines are shown: two around one line, or one on each side of several. */
static void quote_range(SourceRange at, unsigned *ret_first, unsigned *ret_last) {
        unsigned last = MAX(at.line, at.end_line), around = last > at.line ? 1 : 2;
        *ret_first = at.line > around ? at.line - around : 1;
        *ret_last = MIN(last + around, *ret_first + QUOTE_LINES - 1);
}

static void quote(const char *source, SourceRange at, Buf *out) {
        unsigned first, last, line = 1;
        quote_range(at, &first, &last);
        buf_add_str(out, "\n" QUOTE_RULE "\n");
        size_t end = out->length + QUOTE_BYTES;
        for (const char *text = source; line <= last && out->length < end; line++) {
                size_t length = strcspn(text, "\n");
                bool marked = line >= at.line && line <= MAX(at.line, at.end_line);
                size_t shown = MIN(length, (size_t)QUOTE_COLUMNS);
                while (shown && shown < length && ((unsigned char)text[shown] & 0xc0) == 0x80)
                        shown--;
                if (line >= first)
                        buf_format(out, " %3u%s%.*s\n", line, marked ? QUOTE_MARK : " |     ",
                                   (int)shown, text);
                if (!text[length])
                        break;
                text += length + 1;
        }
        buf_add_str(out, QUOTE_RULE);
}

static int error_at(const Dockerfile *file, SourceRange at, Error *err, const char *where,
                    const char *format, va_list args) {
        char words[400];
        _cleanup_buf_ Buf shown = {};
        (void)vsnprintf(words, sizeof(words), format, args);
        quote(file->source, at, &shown);
        return error_kind(err, ERROR_INVALID, "%.*s:%u:%u: %s%s%s", NAME_LENGTH, file->name,
                          at.line, at.column, where, words, shown.data);
}

int dockerfile_error(const Dockerfile *file, SourceRange at, Error *err, const char *format, ...) {
        va_list args;
        va_start(args, format);
        int r = error_at(file, at, err, "", format, args);
        va_end(args);
        return r;
}

/* The line that the instruction at `at` begins on: what BuildKit's users look for. */
static unsigned first_line(const Dockerfile *file, SourceRange at) {
        for (size_t i = file->count; i--;) {
                SourceRange range = file->instructions[i].at;
                if (range.line && range.line <= at.line)
                        return at.line <= range.end_line ? range.line : at.line;
        }
        return at.line;
}

int dockerfile_parse_error(const Dockerfile *file, SourceRange at, Error *err, const char *format,
                           ...) {
        char where[64];
        (void)snprintf(where, sizeof(where),
                       "dockerfile parse error on line %u: ", first_line(file, at));
        va_list args;
        va_start(args, format);
        int r = error_at(file, at, err, where, format, args);
        va_end(args);
        return r;
}

/* Reads digits and what must stand behind them. NULL: they are not there. */
static const char *read_number(const char *text, const char *after, unsigned *ret) {
        char *end;

        *ret = (unsigned)strtoul(text, &end, 10);
        return end > text ? str_after(end, after) : NULL;
}

/* The quoted lines that the error is about. */
static unsigned count_marked(const char *quoted) {
        unsigned marked = 0, number;

        for (const char *line = quoted; line; line = strchr(line, '\n')) {
                line += *line == '\n';
                marked += read_number(line, QUOTE_MARK, &number) != NULL;
        }
        return marked;
}

bool dockerfile_error_read(const char *name, const char *message, SourceRange *ret_at,
                           char **ret_words) {
        size_t length = strnlen(name, NAME_LENGTH);
        const char *text = strncmp(message, name, length) == 0 ? message + length : "";
        SourceRange at = {};

        text = *text == ':' ? read_number(text + 1, ":", &at.line) : NULL;
        text = text ? read_number(text, ": ", &at.column) : NULL;
        if (!text)
                return false;
        const char *quoted = strstr(text, "\n" QUOTE_RULE "\n");
        at.end_line = at.line + MAX(count_marked(quoted), 1u) - 1;
        *ret_at = at;
        *ret_words = str_copy_n(text, quoted ? (size_t)(quoted - text) : strlen(text));
        return true;
}
