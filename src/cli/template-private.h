/* template-private.h: the tree that template-parse.c builds and template-run.c walks, and the
 * functions of template-functions.c. */
#pragma once

#include "cli/template.h"

typedef struct Pipeline Pipeline;
typedef struct Function Function;

typedef enum TermType {
        TERM_DOT,      /* . */
        TERM_FIELD,    /* .A.B */
        TERM_VARIABLE, /* $x.A.B */
        TERM_LITERAL,
        TERM_NIL,
        TERM_FUNCTION,
        TERM_PIPELINE, /* ( … ).A.B */
} TermType;

typedef struct Term {
        TermType type;
        size_t start, end; /* in the text, for errors */
        size_t position;   /* where errors say that it is */
        char *name;        /* a variable's */
        char **chain;      /* the members looked up, one after the other */
        json_object *literal;
        const Function *function;
        Pipeline *pipeline;
        struct Term *next;
} Term;

/* Terms: a value, or a function or method and its arguments. */
typedef struct Stage {
        Term *terms;
        size_t start, end;
        struct Stage *next;
} Stage;

struct Pipeline {
        char *names[2]; /* variables set by it; range sets two */
        size_t name_count;
        bool assigns; /* =, not := */
        Stage *stages;
        size_t start, end;
};

typedef enum NodeType {
        NODE_TEXT,
        NODE_ACTION,
        NODE_IF,
        NODE_RANGE,
        NODE_WITH,
        NODE_BREAK,
        NODE_CONTINUE,
} NodeType;

typedef struct Node {
        NodeType type;
        char *text;
        Pipeline *pipeline;
        struct Node *body, *otherwise, *next;
} Node;

struct Template {
        char *text;
        Node *nodes;
};

/* A value while a template runs; the run owns the object. */
typedef struct Value {
        json_object *object; /* NULL: nil */
        bool pointer;        /* a nil of a known type: prints <nil>, not <no value> */
        bool nil;            /* a slice or map that is none: prints as an empty one, but as JSON */
} Value;

#define ARGUMENTS_MAX 64

/* On error *ret holds nothing. The object of *ret is a new reference. */
struct Function {
        const char *name;
        int least, most; /* arguments; most < 0: any number */
        int (*call)(const Value *arguments, size_t count, Value *ret, Error *err);
};

const Function *function_find(const char *name, size_t length);

bool value_true(Value value);
/* Go's name of the value's type: "string", "int", "map[string]interface {}" … */
const char *value_type(Value value);
/* As fmt.Print writes it. */
void value_print(Buf *out, Value value);
/* As fmt.Sprintf. */
void value_printf(Buf *out, const char *format, const Value *arguments, size_t count);
