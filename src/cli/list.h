/* list.h: rows of texts as Docker's tables, as JSON, or through a template: --format of ps, images
 * and the like. */
#pragma once

#include "cli/cli.h"
#include "cli/template.h"

typedef struct ListColumn {
        const char *field; /* of the rows */
        const char *head;  /* over its column */
} ListColumn;

typedef struct ListKind {
        const char *type;    /* what Docker's errors call a row: "*formatter.ContainerContext" */
        const char *table;   /* the template of the usual table */
        const char *quiet;   /* the template of -q */
        const char *config;  /* config.json's member with the user's own format, or NULL */
        const char *failure; /* what comes before a template's error */
        const ListColumn *columns;
        size_t count;
} ListKind;

typedef struct ListRow {
        json_object *fields; /* owned */
        json_object *labels; /* owned; may be NULL */
} ListRow;

typedef struct List {
        ListRow *rows;
        size_t count;
} List;

/* Adds a row; both objects become the list's. */
void list_add(List *list, json_object *fields, json_object *labels);
void list_done(List *list);

/* The format that is in force: --format, config.json's, or NULL for the usual table. */
const char *list_format(Cli *cli, const ListKind *kind, const char *format, bool quiet);
/* format: as list_format gave it; table: the usual table's template, NULL for the kind's. */
int list_print(const ListKind *kind, const char *format, const char *table, bool quiet,
               const List *list, Error *err);
/* The same to out. */
int list_write(const ListKind *kind, const char *format, const char *table, bool quiet,
               const List *list, FILE *out, Error *err);

/* text: lines of cells that tabs part, aligned as Go's tabwriter does with a minimum of `least`
 * columns and `padding` spaces; printed. */
void table_print(const char *text, size_t least, size_t padding, FILE *out);

/* Says why a format is none; the exit code that Docker has for it in what is no list. */
int format_refused(const char *words, Error *err);
/* One document through a template: version and info. NULL or "": an error of the caller. "json" is
 * the document itself. What format_refused gives, for no template. */
int format_document(const char *format, const TemplateData *data, Buf *out, Error *err);
/* The text with the escapes \t and \n as the characters. The caller's. */
char *format_unescape(const char *format);
