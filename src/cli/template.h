/* template.h: Go's text/template over JSON documents, with Docker's functions: what --format takes.
 * Knows nothing of tables or commands. https://pkg.go.dev/text/template */
#pragma once

#include <json-c/json_object.h>
#include <json-c/linkhash.h>

#include "base/error.h"
#include "base/str.h"

typedef struct Template Template;

/* Parses text. On ERROR_INVALID the message is Go's: "template: :1: unclosed action". */
int template_parse(const char *text, Template **ret, Error *err);
Template *template_free(Template *template);
DEFINE_CLEANUP(Template *, template_free)

/* What a template is run on. */
typedef struct TemplateData {
        json_object *dot;
        const char *type;    /* what errors call dot if it is one of Docker's rows; NULL: a map */
        json_object *labels; /* what .Label "name" looks into; NULL: there is no such method */
        bool headers;        /* dot holds columns' heads: functions leave texts as they are */
        bool typed;          /* members that Docker's document types have are nil if absent */
} TemplateData;

/* Appends what the template prints. */
int template_run(const Template *template, const TemplateData *data, Buf *out, Error *err);

/* Compact JSON as Go writes it: members in the document's order, '<', '>' and '&' escaped if html.
 */
void json_add_go(Buf *out, json_object *value, bool html);
