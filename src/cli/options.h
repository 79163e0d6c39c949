/* options.h: command lines by table, as pflag reads them for Docker: clusters of letters (-it),
 * --name=value, lists. Help and completion read the same tables. Knows no command. */
#pragma once

#include "base/error.h"
#include "base/map.h"
#include "base/str.h"

/* What an option takes, and the C type of the member that holds it. */
typedef enum OptionType {
        OPTION_BOOL,     /* bool; --flag, --flag=false */
        OPTION_STRING,   /* char *; NULL unless given */
        OPTION_LIST,     /* char **; each occurrence adds one */
        OPTION_STRINGS,  /* char **; each occurrence adds what commas part */
        OPTION_FILTER,   /* char **; key=value */
        OPTION_ENV,      /* char **; NAME or NAME=value */
        OPTION_LABEL,    /* char **; NAME or NAME=value */
        OPTION_INT,      /* int64_t */
        OPTION_UINT16,   /* int64_t */
        OPTION_BYTES,    /* int64_t: bytes; "512m" */
        OPTION_SWAP,     /* int64_t: bytes, or -1 */
        OPTION_CPUS,     /* int64_t: billionths of a processor; "1.5" */
        OPTION_DURATION, /* int64_t: ns */
        OPTION_MAP,      /* Pairs: key=value */
        OPTION_PARSED,   /* by .parse, which gets the member */
} OptionType;

#define OPTION_REFUSED (1u << 0) /* not done yet: using it is an error by name */
#define OPTION_HIDDEN (1u << 1)  /* not in the help */
#define OPTION_IGNORED (1u << 2) /* accepted, has no effect in docker 28 either */

typedef struct Option {
        const char *name;
        char letter; /* 0: none */
        OptionType type;
        size_t offset; /* of the member in the command's struct of values */
        const char *help;
        const char *kind;    /* what the help calls the argument; NULL: by the type */
        const char *initial; /* what the help gives as default, quoted as needed; NULL: none */
        unsigned flags;
        int (*parse)(void *member, const char *text, Error *err);
        const char *remedy; /* OPTION_REFUSED: what to do instead; NULL: leave it out */
} Option;

typedef struct OptionTable {
        const Option *rows;
        size_t count;
        size_t size; /* of the struct of values */
        void (*done)(
                void *values); /* frees what OPTION_PARSED members hold; NULL: there are none */
} OptionTable;

#define OPTION_TABLE(struct_, rows_) ((OptionTable){ rows_, ELEMENTS(rows_), sizeof(struct_) })
#define OPTIONS_MAX 128

/* What a command line gave. */
typedef struct Options {
        const OptionTable *table;
        void *values;            /* the command's struct */
        bool given[OPTIONS_MAX]; /* by the row's index */
        char **arguments;        /* borrowed from the command line, NULL-terminated */
        size_t count;            /* of them */
        bool help;               /* --help was given */
        bool dash_h_is_help;     /* no option has the letter h */
} Options;

/* Reads words (NULL-terminated, the command's name not among them) into ret, whose values point to
 * a zeroed struct. With interspersed false the first argument ends the options. On ERROR_INVALID
 * the message is pflag's; ERROR_UNSUPPORTED names an option that is not done. */
int options_parse(const OptionTable *table, char **words, bool interspersed, Options *ret,
                  Error *err);
void options_done(Options *options); /* frees the values' members, not the struct */
bool options_given(const Options *options, const char *name);
/* NULL if there is none. */
const Option *option_find(const OptionTable *table, const char *name, size_t length);
const Option *option_by_letter(const OptionTable *table, char letter);
/* The options that the help shows, by name; the list is the caller's, what it holds is the table's.
 */
const Option **options_shown(const OptionTable *table, size_t *count);
/* What the help calls the option's argument; "" for a bool. */
const char *option_kind(const Option *option);
