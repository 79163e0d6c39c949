/* options-private.h: what the files of brigd's options share: a row of the table, and the ways of
 * its kinds. */
#pragma once

#include "daemon/options.h"

typedef enum OptionKind {
        OPTION_STRING,
        OPTION_LIST,
        OPTION_PAIR,
        OPTION_BOOL,
        OPTION_MAYBE_BOOL, /* bool *: NULL where nothing was said */
        OPTION_MAYBE_INT,  /* int64_t * */
        OPTION_SIZE,       /* json_object *: a number of bytes, or a text such as 64m */
        OPTION_POOL,       /* JsonArray of AddressPoolSpec */
        OPTION_ULIMIT,     /* JsonArray of Ulimit: nofile=512:1024 */
        OPTION_RUNTIME,    /* JsonArray of RuntimeSpec: name=path */
        OPTION_FEATURE,    /* json_object *: name=true */
} OptionKind;

#define OPTION_RELOADS 1u /* read again at SIGHUP */

typedef struct Option {
        const char *name;
        char letter; /* 0: none */
        OptionKind kind;
        size_t offset;      /* in DaemonOptions */
        const char *member; /* in daemon.json; NULL: not there */
        const char *argument, *help;
        unsigned flags;
} Option;

/* ---- options-table.c ---- */
extern const Option option_rows[];
extern const size_t option_row_count;
extern const JsonTable options_file_table;                  /* daemon.json as DaemonOptions */
const Option *option_find(const char *name, size_t length); /* by its long name */
const Option *option_find_letter(char letter);
const Option *option_find_member(const char *name);

/* ---- options-set.c ---- */
/* Takes a flag's value; NULL for a switch without one. */
int option_set(DaemonOptions *values, const Option *option, const char *value, Error *err);
bool option_is_switch(const Option *option);

/* ---- options-fixed.c ---- */
typedef struct FixedOption {
        const char *name;   /* the flag's; NULL: only in the file */
        const char *member; /* NULL: only a flag */
        bool is_switch;
        const char *taken[4]; /* values that mean what is so anyway; "": nothing, also [] and {} */
        const char *reason;   /* why no other, with what to do instead */
} FixedOption;
const FixedOption *fixed_find(const char *name, size_t length);
const FixedOption *fixed_find_member(const char *name);
/* unsupported, with the option's name, for a value that is not taken. what: "flag --x" or the
 * like. */
int fixed_check(const FixedOption *fixed, const char *value, Error *err);
int fixed_check_json(const FixedOption *fixed, json_object *value, Error *err);

/* ---- options-check.c ---- */
/* Fills in the defaults and checks what the values say together. */
int options_complete(DaemonOptions *values, Error *err);
