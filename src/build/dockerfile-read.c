/* dockerfile-read.c: the file as lines: directives at its top, comments, continuation lines, and
 * heredocs below their instruction. What is in a line is dockerfile-line.c's. */
#include <string.h>
#include <strings.h>

#include "build/dockerfile-private.h"
#include "build/scan.h"
#include "build/words.h"

typedef struct FileReader {
        Dockerfile *file;
        const char *at;  /* the next line */
        unsigned line;   /* the number of the one last read */
        char **comments; /* those right above */
        size_t comment_count;
} FileReader;

typedef struct Line {
        const char *text; /* not terminated */
        size_t length;    /* without the line's end */
        size_t whole;     /* with it */
} Line;

static bool next_line(FileReader *reader, Line *ret) {
        if (!*reader->at)
                return false;
        const char *end = strchr(reader->at, '\n');
        size_t whole = end ? (size_t)(end - reader->at) + 1 : strlen(reader->at);
        size_t length = whole;
        while (length && (reader->at[length - 1] == '\n' || reader->at[length - 1] == '\r'))
                length--;
        *ret = (Line){ reader->at, length, whole };
        reader->at += whole;
        reader->line++;
        return true;
}

/* The first character of the line that is no white space; length if there is none. */
static size_t indentation(const Line *line) {
        return MIN(space_span(line->text), line->length);
}

static bool is_comment(const Line *line) {
        size_t start = indentation(line);
        return start < line->length && line->text[start] == '#';
}

/* ---- directives ---- */

static int read_bool(const char *text, bool *ret) {
        static const char *const yes[] = { "1", "t", "T", "true", "TRUE", "True" };
        static const char *const no[] = { "0", "f", "F", "false", "FALSE", "False" };
        for (size_t i = 0; i < ELEMENTS(yes); i++)
                if (str_equal(text, yes[i]) || str_equal(text, no[i])) {
                        *ret = str_equal(text, yes[i]);
                        return 0;
                }
        return -1;
}

static char **trimmed_list(const char *text) {
        char **list = str_split(text, ',');
        for (char **item = list; item && *item; item++) {
                char *kept = str_copy(str_trim(*item));
                free(*item);
                *item = kept;
        }
        return list;
}

/* One of check's options: skip=A,B; experimental=A; error=true. */
static int read_check(FileReader *reader, SourceRange at, char *option, Error *err) {
        Directives *directives = &reader->file->directives;
        char *equals = strchr(option, '=');
        if (!equals)
                return dockerfile_parse_error(reader->file, at, err,
                                              "invalid check option \"%.200s\"", option);
        *equals = '\0';
        const char *name = str_trim(option), *value = str_trim(equals + 1);
        char ***list = str_equal(name, "skip")           ? &directives->skip
                       : str_equal(name, "experimental") ? &directives->experimental
                                                         : NULL;
        if (list) {
                strv_free(*list);
                *list = trimmed_list(value);
        } else if (!str_equal(name, "error")) {
                return dockerfile_parse_error(reader->file, at, err,
                                              "invalid check option \"%.200s\" (skip, experimental "
                                              "and error are known)",
                                              name);
        } else if (read_bool(value, &directives->error) < 0) {
                return dockerfile_parse_error(reader->file, at, err,
                                              "failed to parse check option \"error=%.200s\": it "
                                              "is true or false",
                                              value);
        }
        return 0;
}

static int set_check(FileReader *reader, SourceRange at, const char *value, Error *err) {
        _cleanup_free_ char *first = str_copy_n(value, strcspn(value, " "));
        _cleanup_strv_ char **options = str_split(first, ';');
        int r = 0;
        for (char **option = options; r == 0 && option && *option; option++)
                r = read_check(reader, at, *option, err);
        return r;
}

static int set_escape(FileReader *reader, SourceRange at, const char *value, Error *err) {
        if (!str_equal(value, "\\") && !str_equal(value, "`"))
                return dockerfile_parse_error(
                        reader->file, at, err,
                        "invalid escape token '%.200s' does not match ` or \\", value);
        reader->file->directives.escape = *value;
        return 0;
}

static int set_syntax(FileReader *reader, SourceRange at, const char *value, Error *err) {
        reader->file->directives.syntax = str_copy_n(value, strcspn(value, " "));
        return 0;
}

static const struct {
        const char *name;
        int (*set)(FileReader *reader, SourceRange at, const char *value, Error *err);
} directives[] = { { "syntax", set_syntax }, { "escape", set_escape }, { "check", set_check } };

/* "# name = value": the number of the directive and its value (the caller's), or -1. */
static int directive_of(const Line *line, char **ret_value) {
        size_t start = indentation(line);
        if (start == line->length || line->text[start] != '#')
                return -1;
        _cleanup_free_ char *text = str_copy_n(line->text + start + 1, line->length - start - 1);
        char *name = text + space_span(text), *equals = strchr(name, '=');
        if (!equals)
                return -1;
        *equals = '\0';
        name = str_trim(name);
        const char *value = str_trim(equals + 1);
        for (size_t i = 0; i < ELEMENTS(directives) && *value; i++)
                if (!strcasecmp(name, directives[i].name)) {
                        *ret_value = str_copy(value);
                        return (int)i;
                }
        return -1;
}

/* Directives stand above all else but a shebang, behind which an escape is none. */
static int read_directives(FileReader *reader, Error *err) {
        bool seen[ELEMENTS(directives)] = {}, shebang = !strncmp(reader->at, "#!", 2);
        Line line;
        if (shebang)
                (void)next_line(reader, &line);
        for (;;) {
                FileReader before = *reader;
                _cleanup_free_ char *value = NULL;
                int which = next_line(reader, &line) ? directive_of(&line, &value) : -1;
                if (which < 0 || (shebang && directives[which].set == set_escape)) {
                        *reader = before;
                        return 0;
                }
                SourceRange at = { reader->line, (unsigned)indentation(&line) + 1, reader->line };
                if (seen[which])
                        return dockerfile_parse_error(reader->file, at, err,
                                                      "only one %s parser directive can be used",
                                                      directives[which].name);
                seen[which] = true;
                int r = directives[which].set(reader, at, value, err);
                if (r < 0)
                        return r;
        }
}

/* ---- lines ---- */

static void joined_line_done(JoinedLine *line) {
        buf_done(&line->text);
        free(line->pieces);
}

static void drop_comments(FileReader *reader) {
        reader->comments = strv_free(reader->comments);
        reader->comment_count = 0;
}

static void add_comment(FileReader *reader, const Line *line) {
        size_t start = indentation(line) + 1;
        _cleanup_free_ char *text = str_copy_n(line->text + start, line->length - start);
        const char *trimmed = str_trim(text);
        if (*trimmed)
                strv_take_at(&reader->comments, reader->comment_count++, str_copy(trimmed));
        else
                drop_comments(reader);
}

/* Adds a line from `start` on; whether the next one belongs to it. An escape in front of the escape
 * at its end makes that an ordinary character. */
static bool add_piece(FileReader *reader, JoinedLine *joined, const Line *line, size_t start) {
        const char *text = line->text + start;
        size_t length = line->length - start, end = length;
        char escape = reader->file->directives.escape;
        while (end && (text[end - 1] == ' ' || text[end - 1] == '\t'))
                end--;
        bool more = end && text[end - 1] == escape && (end == 1 || text[end - 2] != escape);
        GROW(joined->pieces, joined->piece_count);
        joined->pieces[joined->piece_count++] =
                (LinePiece){ joined->text.length, reader->line, (unsigned)start + 1 };
        buf_add(&joined->text, text, more ? end - 1 : length);
        joined->end_line = reader->line;
        return more;
}

static void join_lines(FileReader *reader, const Line *first, JoinedLine *ret) {
        bool more = add_piece(reader, ret, first, indentation(first)), blank = false;
        for (Line line; more && next_line(reader, &line);) {
                ret->end_line = reader->line;
                if (is_comment(&line))
                        continue;
                if (indentation(&line) == line.length)
                        blank = true;
                else
                        more = add_piece(reader, ret, &line, 0);
        }
        buf_add_str(&ret->text, "");
        ret->empty_continuation = blank ? ret->end_line : 0;
}

/* ---- heredocs ---- */

static void add_content(Buf *content, const Line *line, bool strip_tabs) {
        size_t tabs = strip_tabs ? MIN(strspn(line->text, "\t"), line->length) : 0;
        buf_add(content, line->text + tabs, line->whole - tabs);
}

/* Reads up to the line that is the name alone. */
static int read_content(FileReader *reader, const Instruction *owner, Heredoc *heredoc,
                        Error *err) {
        _cleanup_buf_ Buf content = {};
        size_t name_length = strlen(heredoc->name);
        heredoc->at = (SourceRange){ reader->line + 1, 1, reader->line };
        for (Line line; next_line(reader, &line);) {
                size_t tabs = heredoc->strip_tabs ? MIN(strspn(line.text, "\t"), line.length) : 0;
                if (line.length - tabs == name_length &&
                    !strncmp(line.text + tabs, heredoc->name, name_length)) {
                        heredoc->content = buf_take(&content);
                        return 0;
                }
                add_content(&content, &line, heredoc->strip_tabs);
                heredoc->at.end_line = reader->line;
        }
        return dockerfile_parse_error(reader->file, owner->at, err,
                                      "unterminated heredoc: no line is \"%.200s\" alone",
                                      heredoc->name);
}

static int read_heredocs(FileReader *reader, const char *text, Instruction *instruction,
                         Error *err) {
        Instruction *owner = instruction->onbuild ? instruction->onbuild : instruction;
        bool may = owner->kind == INSTRUCTION_ADD || owner->kind == INSTRUCTION_COPY ||
                   owner->kind == INSTRUCTION_RUN;
        if (!may || owner->is_json || !strstr(text, "<<"))
                return 0;
        /* What cannot be split, a lone quote of the shell's say, has none. */
        WordRules rules = { .escape = '\\', .keep_quotes = true, .keep_unset = true };
        _cleanup_strv_ char **words = NULL;
        Error unsplit = {};
        if (words_expand(text, &rules, &words, &unsplit) < 0)
                return 0;
        for (char **word = words; *word; word++) {
                Heredoc heredoc = {};
                if (!heredoc_read(*word, &heredoc))
                        continue;
                GROW(owner->heredocs, owner->heredoc_count);
                owner->heredocs[owner->heredoc_count++] = heredoc;
                int r = read_content(reader, owner, &owner->heredocs[owner->heredoc_count - 1],
                                     err);
                if (r < 0)
                        return r;
        }
        owner->at.end_line = instruction->at.end_line = reader->line;
        return 0;
}

/* ---- the file ---- */

static int read_instruction(FileReader *reader, const Line *first, Error *err) {
        Dockerfile *file = reader->file;
        _cleanup_(joined_line_done) JoinedLine joined = {};
        join_lines(reader, first, &joined);
        GROW(file->instructions, file->count);
        Instruction *instruction = &file->instructions[file->count++];
        *instruction = (Instruction){};
        int r = instruction_read(file, &joined, 0, instruction, err);
        if (r < 0)
                return r;
        instruction->comments = TAKE_PTR(reader->comments);
        reader->comment_count = 0;
        return read_heredocs(reader, joined.text.data, instruction, err);
}

static int read_instructions(FileReader *reader, Error *err) {
        for (Line line; next_line(reader, &line);) {
                if (is_comment(&line)) {
                        add_comment(reader, &line);
                } else if (indentation(&line) == line.length) {
                        drop_comments(reader);
                } else {
                        int r = read_instruction(reader, &line, err);
                        if (r < 0)
                                return r;
                }
        }
        if (!reader->file->count)
                return error_kind(err, ERROR_INVALID, "%.200s: file with no instructions",
                                  reader->file->name);
        return 0;
}

/* text is searched for what no C string holds. */
static int check_text(const char *name, const char *text, size_t length, Error *err) {
        unsigned line = 1;
        const char *nul = length ? memchr(text, '\0', length) : NULL;
        if (!nul)
                return 0;
        for (const char *at = text; at < nul; at++)
                line += *at == '\n';
        return error_kind(err, ERROR_INVALID,
                          "%.200s:%u: a NUL character: a Dockerfile is text in UTF-8", name, line);
}

int dockerfile_read_start(const char *name, const char *text, size_t length, Dockerfile *ret,
                          Error *err) {
        *ret = (Dockerfile){};
        int r = check_text(name, text, length, err);
        if (r < 0)
                return r;
        ret->name = str_copy(name);
        ret->source = str_copy_n(length ? text : "", length);
        ret->directives.escape = '\\';
        const char *after_bom = str_after(ret->source, "\xef\xbb\xbf");
        FileReader reader = { .file = ret, .at = after_bom ? after_bom : ret->source };
        r = read_directives(&reader, err);
        if (r == 0)
                r = read_instructions(&reader, err);
        drop_comments(&reader);
        return r;
}

int dockerfile_read(const char *name, const char *text, size_t length, Dockerfile *ret,
                    Error *err) {
        int r = dockerfile_read_start(name, text, length, ret, err);
        if (r < 0)
                dockerfile_done(ret);
        return r;
}
