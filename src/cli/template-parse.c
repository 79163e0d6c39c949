/* template-parse.c: text to tree; see template.h. One pass, no tokens kept: the grammar needs one
 * character of look-ahead. */
#include <ctype.h>

#include "cli/template-parser.h"

#define DEPTH_MAX 64 /* of parentheses and of blocks */
#define SPACES " \t\r\n"

/* What ended a list of nodes. */
typedef enum Stop { STOP_END_OF_TEXT, STOP_END, STOP_ELSE } Stop;

static int parse_pipeline(Parser *p, const char *what, char closer, Pipeline **ret);

/* ---- freeing ---- */

static void pipeline_free(Pipeline *pipeline);

static void term_free(Term *term) {
        while (term) {
                Term *next = term->next;

                free(term->name);
                (void)strv_free(term->chain);
                (void)json_object_put(term->literal);
                pipeline_free(term->pipeline);
                free(term);
                term = next;
        }
}

static void pipeline_free(Pipeline *pipeline) {
        if (!pipeline)
                return;
        while (pipeline->stages) {
                Stage *next = pipeline->stages->next;

                term_free(pipeline->stages->terms);
                free(pipeline->stages);
                pipeline->stages = next;
        }
        free(pipeline->names[0]);
        free(pipeline->names[1]);
        free(pipeline);
}
DEFINE_CLEANUP(Pipeline *, pipeline_free)

static void node_free(Node *node) {
        while (node) {
                Node *next = node->next;

                free(node->text);
                pipeline_free(node->pipeline);
                node_free(node->body);
                node_free(node->otherwise);
                free(node);
                node = next;
        }
}

Template *template_free(Template *template) {
        if (template) {
                node_free(template->nodes);
                free(template->text);
                free(template);
        }
        return NULL;
}

/* ---- characters ---- */

static bool skip_spaces(Parser *p) {
        size_t before = p->at;

        p->at += strspn(p->text + p->at, SPACES);
        return p->at > before;
}

/* "}}", or "-}}" after a space. */
static bool at_close(const Parser *p) {
        return parser_ahead(p, "}}") ||
               (parser_ahead(p, "-}}") && p->at > 0 && strchr(SPACES, p->text[p->at - 1]));
}

static size_t word_length(const char *text) {
        size_t length = 0;

        while (isalnum((unsigned char)text[length]) || text[length] == '_' ||
               (unsigned char)text[length] >= 0x80)
                length++;
        return length;
}

/* A reserved word that ends here. */
static bool ahead_word(const Parser *p, const char *word) {
        return parser_ahead(p, word) && word_length(p->text + p->at) == strlen(word);
}

/* ---- terms ---- */

static bool variable_known(const Parser *p, const char *name) {
        return str_equal(name, "$") || strv_has(p->variables, name);
}

static int parse_variable(Parser *p, Term *term) {
        size_t length = 1 + word_length(p->text + p->at + 1);

        term->type = TERM_VARIABLE;
        term->name = str_copy_n(p->text + p->at, length);
        p->at += length;
        return variable_known(p, term->name)
                       ? 0
                       : parser_fail(p, "undefined variable \"%s\"", term->name);
}

static int parse_word(Parser *p, Term *term) {
        const char *word = p->text + p->at;
        size_t length = word_length(word);

        if (ahead_word(p, "true") || ahead_word(p, "false")) {
                term->type = TERM_LITERAL;
                term->literal = json_object_new_boolean(*word == 't');
        } else if (ahead_word(p, "nil")) {
                term->type = TERM_NIL;
        } else {
                term->type = TERM_FUNCTION;
                term->function = function_find(word, length);
                if (!term->function)
                        return parser_fail(p, "function \"%.*s\" not defined", (int)length, word);
        }
        p->at += length;
        return 0;
}

static int parse_parentheses(Parser *p, Term *term) {
        int r;

        if (++p->depth > DEPTH_MAX)
                return parser_fail(p, "too deeply nested");
        p->at++;
        term->type = TERM_PIPELINE;
        r = parse_pipeline(p, "parenthesized pipeline", ')', &term->pipeline);
        p->depth--;
        if (r < 0)
                return r;
        p->at++;
        return 0;
}

/* The term itself, without what is looked up in it. */
static int parse_operand(Parser *p, Term *term) {
        char first = parser_peek(p);

        term->type = TERM_LITERAL;
        if (first == '"')
                return literal_string(p, &term->literal);
        if (first == '`')
                return literal_raw_string(p, &term->literal);
        if (first == '\'')
                return literal_character(p, &term->literal);
        if (first == '$')
                return parse_variable(p, term);
        if (first == '(')
                return parse_parentheses(p, term);
        if (isdigit((unsigned char)first) || first == '+' || first == '-')
                return literal_number(p, &term->literal);
        if (first == '.' && isdigit((unsigned char)p->text[p->at + 1]))
                return literal_number(p, &term->literal);
        if (first == '.' && word_length(p->text + p->at + 1) > 0) {
                term->type = TERM_FIELD;
                return 0;
        }
        if (first == '.') {
                term->type = TERM_DOT;
                p->at++;
                return 0;
        }
        if (word_length(p->text + p->at) > 0)
                return parse_word(p, term);
        if (!first)
                return parser_fail(p, "unclosed action");
        if (p->depth > 0 && parser_ahead(p, "}}"))
                return parser_fail(p, "unclosed left paren");
        return parser_fail(p, "unexpected \"%c\" in command", first);
}

static int parse_chain(Parser *p, Term *term) {
        size_t links = 0;

        while (parser_peek(p) == '.' && term->type != TERM_DOT) {
                size_t length = word_length(p->text + p->at + 1);

                if (length == 0)
                        return parser_fail(p, "unexpected . after term");
                if (term->type == TERM_LITERAL || term->type == TERM_NIL)
                        return parser_fail(p, "unexpected . after term");
                if (links == (term->type == TERM_FIELD ? 1u : 0u))
                        term->position = p->at; /* where Go says that a chain is */
                strv_take(&term->chain, str_copy_n(p->text + p->at + 1, length));
                p->at += 1 + length;
                links++;
        }
        return 0;
}

static int parse_term(Parser *p, Term **ret) {
        Term *term = NEW(Term);
        int r;

        *ret = term; /* the stage frees it, on error too */
        term->start = term->position = p->at;
        r = parse_operand(p, term);
        if (r == 0)
                r = parse_chain(p, term);
        term->end = p->at;
        return r;
}

/* ---- pipelines ---- */

static bool ends_pipeline(const Parser *p, char closer) {
        return closer == ')' ? parser_peek(p) == ')' : at_close(p);
}

/* What may stand between two terms. */
static int check_separator(Parser *p, char closer, bool spaces) {
        char next = parser_peek(p);

        if (spaces || next == '|' || ends_pipeline(p, closer) || next == '(')
                return 0;
        if (!next)
                return parser_fail(p, closer == ')' ? "unclosed left paren" : "unclosed action");
        if (next == ')')
                return parser_fail(p, "unexpected right paren");
        if (closer == ')' && next == '}')
                return parser_fail(p, "unclosed left paren");
        return parser_fail(p, "bad character U+%04X '%c'", (unsigned char)next, next);
}

static int parse_stage(Parser *p, char closer, Stage **ret) {
        Stage *stage = NEW(Stage);
        Term **slot = &stage->terms;
        size_t count = 0;

        *ret = stage; /* the pipeline frees it, on error too */
        stage->start = p->at;
        for (;;) {
                bool spaces;
                int r;

                if (ends_pipeline(p, closer) || parser_peek(p) == '|')
                        break;
                if (!parser_peek(p))
                        return parser_fail(p, closer == ')' ? "unclosed left paren"
                                                            : "unclosed action");
                if (parser_peek(p) == ')')
                        return parser_fail(p, "unexpected right paren");
                if (++count > ARGUMENTS_MAX)
                        return parser_fail(p, "too many arguments");
                r = parse_term(p, slot);
                if (r < 0)
                        return r;
                slot = &(*slot)->next;
                stage->end = p->at;
                spaces = skip_spaces(p);
                r = check_separator(p, closer, spaces);
                if (r < 0)
                        return r;
        }
        return count == 0 ? parser_fail(p, "missing value for command") : 0;
}

/* "$a := ", "$a, $b := " or "$a = "; leaves the parser where it was if there is none. */
static int parse_declaration(Parser *p, bool two, Pipeline *pipeline) {
        size_t start = p->at;

        while (parser_peek(p) == '$' && pipeline->name_count < (two ? 2u : 1u)) {
                size_t length = 1 + word_length(p->text + p->at + 1);

                pipeline->names[pipeline->name_count++] = str_copy_n(p->text + p->at, length);
                p->at += length;
                (void)skip_spaces(p);
                if (parser_peek(p) != ',')
                        break;
                p->at++;
                (void)skip_spaces(p);
        }
        if (pipeline->name_count > 0 && parser_ahead(p, ":=")) {
                p->at += 2;
        } else if (pipeline->name_count > 0 && parser_peek(p) == '=') {
                pipeline->assigns = true;
                p->at++;
        } else {
                for (size_t i = 0; i < pipeline->name_count; i++) {
                        free(pipeline->names[i]);
                        pipeline->names[i] = NULL;
                }
                pipeline->name_count = 0;
                p->at = start;
                return 0;
        }
        for (size_t i = 0; pipeline->assigns && i < pipeline->name_count; i++)
                if (!variable_known(p, pipeline->names[i]))
                        return parser_fail(p, "undefined variable \"%s\"", pipeline->names[i]);
        (void)skip_spaces(p);
        return 0;
}

static int parse_pipeline(Parser *p, const char *what, char closer, Pipeline **ret) {
        _cleanup_(pipeline_freep) Pipeline *pipeline = NEW(Pipeline);
        Stage **slot = &pipeline->stages;
        int r;

        (void)skip_spaces(p);
        pipeline->start = p->at;
        if (closer == '}') {
                r = parse_declaration(p, str_equal(what, "range"), pipeline);
                if (r < 0)
                        return r;
        }
        if (ends_pipeline(p, closer))
                return parser_fail(p, "missing value for %s", what);
        for (;;) {
                r = parse_stage(p, closer, slot);
                if (r < 0)
                        return r;
                if (slot != &pipeline->stages && (*slot)->terms->type != TERM_FUNCTION &&
                    (*slot)->terms->type != TERM_FIELD && (*slot)->terms->type != TERM_VARIABLE)
                        return parser_fail(p, "non executable command in pipeline stage 2");
                slot = &(*slot)->next;
                if (parser_peek(p) != '|')
                        break;
                p->at++;
                (void)skip_spaces(p);
        }
        pipeline->end = p->at;
        for (size_t i = 0; !pipeline->assigns && i < pipeline->name_count; i++)
                strv_add(&p->variables, pipeline->names[i]);
        *ret = TAKE_PTR(pipeline);
        return 0;
}

/* ---- nodes ---- */

/* Past "}}" or "-}}". */
static int parse_close(Parser *p) {
        (void)skip_spaces(p);
        if (!at_close(p))
                return parser_peek(p)
                               ? parser_fail(p, "unexpected \"%c\" in command", parser_peek(p))
                               : parser_fail(p, "unclosed action");
        p->trim = parser_peek(p) == '-';
        p->at += p->trim ? 3 : 2;
        return 0;
}

static int parse_nodes(Parser *p, Node **ret, Stop *stop);

static void drop_variables(Parser *p, size_t count) {
        for (size_t i = strv_length(p->variables); i > count; i--) {
                free(p->variables[i - 1]);
                p->variables[i - 1] = NULL;
        }
}

static int parse_block(Parser *p, const char *word, Node *node);

/* {{else}}, {{else if …}}, {{else with …}}: up to and with the {{end}}. */
static int parse_else(Parser *p, Node *node) {
        Stop stop = STOP_END_OF_TEXT;
        int r;

        (void)skip_spaces(p);
        if (ahead_word(p, "if") || ahead_word(p, "with")) {
                bool is_if = ahead_word(p, "if");

                p->at += is_if ? 2 : 4;
                node->otherwise = NEW(Node);
                node->otherwise->type = is_if ? NODE_IF : NODE_WITH;
                return parse_block(p, is_if ? "if" : "with", node->otherwise);
        }
        r = parse_close(p);
        if (r == 0)
                r = parse_nodes(p, &node->otherwise, &stop);
        if (r < 0)
                return r;
        if (stop == STOP_ELSE)
                return parser_fail(p, "expected end; found {{else}}");
        return stop == STOP_END ? 0 : parser_fail(p, "unexpected EOF");
}

/* What follows {{if, {{range or {{with, up to and with its {{end}}. */
static int parse_block(Parser *p, const char *word, Node *node) {
        size_t scope = strv_length(p->variables);
        Stop stop = STOP_END_OF_TEXT;
        int r;

        if (++p->depth > DEPTH_MAX)
                return parser_fail(p, "too deeply nested");
        r = parse_pipeline(p, word, '}', &node->pipeline);
        if (r == 0)
                r = parse_close(p);
        p->ranges += node->type == NODE_RANGE;
        if (r == 0)
                r = parse_nodes(p, &node->body, &stop);
        p->ranges -= node->type == NODE_RANGE;
        if (r < 0)
                return r;
        if (stop == STOP_END_OF_TEXT)
                return parser_fail(p, "unexpected EOF");
        if (stop == STOP_ELSE)
                r = parse_else(p, node);
        drop_variables(p, scope);
        p->depth--;
        return r;
}

static int parse_jump(Parser *p, const char *word, Node *node) {
        p->at += strlen(word);
        if (p->ranges == 0)
                return parser_fail(p, "{{%s}} outside {{range}}", word);
        return parse_close(p);
}

static int parse_comment(Parser *p) {
        const char *end = strstr(p->text + p->at, "*/");

        if (!end)
                return parser_fail(p, "unclosed comment");
        p->at = (size_t)(end + 2 - p->text);
        if (!parser_ahead(p, "}}") && !parser_ahead(p, " -}}"))
                return parser_fail(p, "comment ends before closing delimiter");
        return parse_close(p);
}

/* An action after "{{"; *ret stays NULL for a comment or where *stop says how the list ends. */
static int parse_action(Parser *p, Node **ret, Stop *stop, bool *stopped) {
        static const struct {
                const char *word;
                NodeType type;
        } words[] = { { "if", NODE_IF },
                      { "range", NODE_RANGE },
                      { "with", NODE_WITH },
                      { "break", NODE_BREAK },
                      { "continue", NODE_CONTINUE } };
        Node *node;
        int r;

        if (p->text[p->at - 1] == '-') /* after a trim marker a comment may stand behind spaces */
                (void)skip_spaces(p);
        if (parser_ahead(p, "/*"))
                return parse_comment(p);
        (void)skip_spaces(p);
        if (ahead_word(p, "end") || ahead_word(p, "else")) {
                *stop = ahead_word(p, "end") ? STOP_END : STOP_ELSE;
                *stopped = true;
                p->at += *stop == STOP_END ? 3 : 4;
                return *stop == STOP_END ? parse_close(p) : 0;
        }
        if (ahead_word(p, "template") || ahead_word(p, "define") || ahead_word(p, "block"))
                return parser_fail(p, "{{%.*s}} is not done", (int)word_length(p->text + p->at),
                                   p->text + p->at);
        node = *ret = NEW(Node);
        for (size_t i = 0; i < ELEMENTS(words); i++) {
                if (!ahead_word(p, words[i].word))
                        continue;
                node->type = words[i].type;
                if (node->type == NODE_BREAK || node->type == NODE_CONTINUE)
                        return parse_jump(p, words[i].word, node);
                p->at += strlen(words[i].word);
                return parse_block(p, words[i].word, node);
        }
        node->type = NODE_ACTION;
        r = parse_pipeline(p, "command", '}', &node->pipeline);
        return r < 0 ? r : parse_close(p);
}

/* The text up to the next "{{", trimmed where an action beside it asks for it; NULL if empty. */
static Node *parse_text(Parser *p) {
        const char *start = p->text + p->at, *open = strstr(start, "{{");
        size_t length = open ? (size_t)(open - start) : strlen(start);
        bool trim_end = open && open[2] == '-' && open[3] && strchr(SPACES, open[3]);
        Node *node;

        p->at += length;
        if (open)
                p->at += trim_end ? 3 : 2;
        if (p->trim)
                while (length > 0 && strchr(SPACES, *start)) {
                        start++;
                        length--;
                }
        p->trim = false;
        while (trim_end && length > 0 && strchr(SPACES, start[length - 1]))
                length--;
        if (length == 0)
                return NULL;
        node = NEW(Node);
        node->type = NODE_TEXT;
        node->text = str_copy_n(start, length);
        return node;
}

static int parse_nodes(Parser *p, Node **ret, Stop *stop) {
        Node **slot = ret;

        for (;;) {
                bool stopped = false, more = strstr(p->text + p->at, "{{") != NULL;
                int r;

                *slot = parse_text(p);
                if (*slot)
                        slot = &(*slot)->next;
                if (!more) {
                        *stop = STOP_END_OF_TEXT;
                        return 0;
                }
                r = parse_action(p, slot, stop, &stopped);
                if (r < 0 || stopped)
                        return r;
                if (*slot)
                        slot = &(*slot)->next;
        }
}

int template_parse(const char *text, Template **ret, Error *err) {
        _cleanup_(template_freep) Template *template = NEW(Template);
        Parser parser = { .text = text, .length = strlen(text), .err = err };
        Stop stop = STOP_END_OF_TEXT;
        int r;

        template->text = str_copy(text);
        r = parse_nodes(&parser, &template->nodes, &stop);
        if (r == 0 && stop != STOP_END_OF_TEXT)
                r = parser_fail(&parser, "unexpected {{%s}}", stop == STOP_END ? "end" : "else");
        (void)strv_free(parser.variables);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(template);
        return 0;
}
