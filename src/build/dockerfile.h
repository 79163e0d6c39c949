/* dockerfile.h: Dockerfiles as text to instructions with their places. Knows the language's grammar
 * and nothing of stages' meaning, images or files. Dockerfile reference; moby/buildkit's
 * frontend/dockerfile/parser is the behaviour that users have. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/str.h"

/* Lines and columns (of bytes) count from 1; end_line is the last line of the instruction, heredocs
 * included. */
typedef struct SourceRange {
        unsigned line, column, end_line;
} SourceRange;

typedef enum InstructionKind {
        INSTRUCTION_ADD,
        INSTRUCTION_ARG,
        INSTRUCTION_CMD,
        INSTRUCTION_COPY,
        INSTRUCTION_ENTRYPOINT,
        INSTRUCTION_ENV,
        INSTRUCTION_EXPOSE,
        INSTRUCTION_FROM,
        INSTRUCTION_HEALTHCHECK,
        INSTRUCTION_LABEL,
        INSTRUCTION_MAINTAINER,
        INSTRUCTION_ONBUILD,
        INSTRUCTION_RUN,
        INSTRUCTION_SHELL,
        INSTRUCTION_STOPSIGNAL,
        INSTRUCTION_USER,
        INSTRUCTION_VOLUME,
        INSTRUCTION_WORKDIR,
        INSTRUCTION_KINDS
} InstructionKind;

/* --name=value, or --name with value NULL. */
typedef struct InstructionFlag {
        char *name, *value;
        SourceRange at;
} InstructionFlag;

/* <<NAME …: content as it stands in the file (tabs taken off for <<-), with its last newline. */
typedef struct Heredoc {
        char *name, *content;
        bool expand; /* the name was not quoted */
        bool strip_tabs;
        SourceRange at; /* of the content; end_line < line where there is none */
} Heredoc;

typedef struct Instruction {
        InstructionKind kind;
        char *keyword; /* as it was written: "from" */
        char *text;    /* the whole, continuation lines joined, without comments: for history and
                          errors */
        char *rest;    /* what follows keyword and flags */
        InstructionFlag *flags;
        size_t flag_count;
        bool is_json; /* exec form: words holds the array */
        char **words; /* by the kind's own splitting, before any substitution: the array's strings;
                         for ENV, LABEL, ARG: name, value, name, value (ARG without a value: "");
                         for RUN, CMD, ENTRYPOINT in shell form: one word, the command line;
                         for HEALTHCHECK: the type, then as CMD; NULL where there is none */
        size_t word_count;
        bool *has_value;   /* ARG only, one a name: "ARG a" and "ARG a=" differ */
        bool old_pairs;    /* ENV and LABEL: "ENV name value", without '=' */
        Heredoc *heredocs; /* of ONBUILD: in the instruction that it keeps */
        size_t heredoc_count;
        unsigned empty_continuation; /* its last line, where blank lines stood between its lines */
        char **comments; /* the comment lines right above it, without '#': descriptions. A blank
                            line or an empty comment starts them anew */
        struct Instruction *onbuild; /* of ONBUILD: the instruction that it keeps */
        SourceRange at;
} Instruction;

/* # syntax=…, # escape=…, # check=skip=…;error=… */
typedef struct Directives {
        char *syntax;
        char escape;         /* '\\' or '`' */
        char **skip;         /* names of checks; "all" */
        char **experimental; /* names of checks that are off by default; "all" */
        bool error;          /* a finding fails the build */
} Directives;

typedef struct Dockerfile {
        char *name;   /* of the file, for errors */
        char *source; /* the text, for quoting lines */
        Directives directives;
        Instruction *instructions;
        size_t count;
} Dockerfile;

/* Reads the text and checks each instruction by itself. text need not be NUL-terminated. Errors are
 * of the kind invalid and say "NAME:LINE:COLUMN: dockerfile parse error on line N: what (did you
 * mean X?)", the line quoted below as BuildKit's client shows it.
 * *ret is the caller's to dockerfile_done, and empty after an error. */
int dockerfile_parse(const char *name, const char *text, size_t length, Dockerfile *ret,
                     Error *err);
/* What stands before the first instruction that is wrong, for telling what else is wrong with it;
 * the caller's to dockerfile_done. */
void dockerfile_parse_start(const char *name, const char *text, size_t length, Dockerfile *ret);
/* One instruction that ONBUILD keeps, in an image or a stage: a file of it alone, checked; neither
 * FROM, MAINTAINER nor ONBUILD. *ret is the caller's to dockerfile_done, and empty after an error.
 */
int dockerfile_parse_trigger(const char *text, Dockerfile *ret, Error *err);

void dockerfile_done(Dockerfile *file);

const char *instruction_name(InstructionKind kind);                             /* "FROM" */
const char *instruction_flag(const Instruction *instruction, const char *name); /* borrowed; NULL */
/* "name:line:column: message" and the quoted line: what every later step says of an instruction. */
int dockerfile_error(const Dockerfile *file, SourceRange at, Error *err, const char *format, ...)
        PRINTF_LIKE(4, 5);
/* What such an error's message is made of: its place (of lines those that are marked in the quote)
 * and its words, the caller's. False: it is about no place of the file of this name. */
bool dockerfile_error_read(const char *name, const char *message, SourceRange *ret_at,
                           char **ret_words);
/* The instruction with its heredocs, as text that can be read again: what ONBUILD leaves in an
 * image of its onbuild. The caller's. */
char *instruction_source(const Instruction *instruction);
/* Whether a word of ADD, COPY or RUN stands for a heredoc; then its name, the caller's (ret_name
 * may be NULL). */
bool heredoc_word(const char *word, char **ret_name);

/* A word of EXPOSE, its variables replaced. */
typedef struct ExposedPorts {
        unsigned first, last; /* 0 to 65535 */
        char protocol[5];     /* "tcp", "udp", "sctp" */
        bool mapped; /* an address or a port of the host was written, which nothing comes of
                        (ExposeInvalidFormat) */
        bool cased;  /* the protocol was not in lower case (ExposeProtoCasing) */
} ExposedPorts;
/* "80", "80/udp", "8000-8010"; also the forms of publishing, "host:port" and "address:host:port".
 * Errors are of the kind invalid. */
int exposed_ports_read(const char *word, ExposedPorts *ret, Error *err);
