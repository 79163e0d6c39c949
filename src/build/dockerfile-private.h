/* dockerfile-private.h: what the files of the Dockerfile's language share: reading lines, then
 * words, then checking. */
#pragma once

#include "build/dockerfile.h"

/* A piece of a joined line: its text from offset on (to the next piece) stood at line and column.
 */
typedef struct LinePiece {
        size_t offset;
        unsigned line, column;
} LinePiece;

/* An instruction's line with its continuation lines joined. */
typedef struct JoinedLine {
        Buf text;
        LinePiece *pieces;
        size_t piece_count;
        unsigned end_line;
        unsigned empty_continuation;
} JoinedLine;

/* Where the text at offset stood. */
SourceRange joined_line_place(const JoinedLine *line, size_t offset);

/* dockerfile_parse without its checks. An instruction that is none has kind INSTRUCTION_KINDS. */
int dockerfile_read(const char *name, const char *text, size_t length, Dockerfile *ret, Error *err);
/* The same, but that after an error *ret, the caller's, has what was read, as the last the
 * instruction that cannot be. */
int dockerfile_read_start(const char *name, const char *text, size_t length, Dockerfile *ret,
                          Error *err);
/* What a single instruction must have: its arguments, flags and their values. *ret_right (may be
 * NULL): how many come before the first that is wrong, also after an error. */
int dockerfile_check(const Dockerfile *file, size_t *ret_right, Error *err);
int dockerfile_check_trigger(const Dockerfile *file, const Instruction *instruction, Error *err);

/* Reads the instruction that begins at offset. ret is empty before, and to be freed in any case. */
int instruction_read(const Dockerfile *file, const JoinedLine *line, size_t offset,
                     Instruction *ret, Error *err);
InstructionKind instruction_kind(const char *keyword);
void heredoc_done(Heredoc *heredoc);
/* The same with all that the word says; content is left NULL. */
bool heredoc_read(const char *word, Heredoc *ret);

/* What "\u0000" becomes: two bytes that UTF-8 never has. */
#define JSON_NUL "\xc0\x80"

typedef enum JsonStrings { JSON_STRINGS, JSON_NOT_ARRAY, JSON_NOT_STRINGS } JsonStrings;
/* An array of strings and nothing else. JSON_NOT_ARRAY: no JSON, or no array; JSON_NOT_STRINGS: one
 * that holds other values, too. */
JsonStrings json_strings(const char *text, char ***ret, size_t *ret_count);

/* "NAME:LINE:COLUMN: dockerfile parse error on line N: words" and the quoted line. N is the first
 * of the instruction's lines. */
int dockerfile_parse_error(const Dockerfile *file, SourceRange at, Error *err, const char *format,
                           ...) PRINTF_LIKE(4, 5);
