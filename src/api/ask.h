/* ask.h: asks the API with the fake engine, as clients do, over a connection of its own; tests
 * only. */
#pragma once

#include <stddef.h>

extern char *answer; /* of the last ask; freed by the next */
void ask_done(void);

/* What comes back for one request, head and body; the caller's. */
char *ask_over(int pair[2], const char *text, size_t length);
/* The same where the client says no end: the answer must end by itself. */
char *ask_open(int pair[2], const char *text, size_t length);
char *ask_raw(const char *text, size_t length);
/* line: "GET /info"; fields: of the head, each with its end of line; body: NULL: none. */
void ask(const char *line, const char *fields, const char *body);
int status(void);         /* of the answer */
const char *body(void);   /* as it came */
size_t open_fds(void);    /* of this process */
const char *chunks(void); /* without the framing; valid until the next call */

#define JSON_TYPE "Content-Type: application/json\r\n"

#define ASK(line, expected_status, expected_body)                                                  \
        do {                                                                                       \
                ask(line, "", NULL);                                                               \
                ASSERT_INT(status(), expected_status);                                             \
                ASSERT_STR(body(), expected_body);                                                 \
        } while (0)

#define ASK_JSON(line, document, expected_status, expected_body)                                   \
        do {                                                                                       \
                ask(line, JSON_TYPE, document);                                                    \
                ASSERT_INT(status(), expected_status);                                             \
                ASSERT_STR(body(), expected_body);                                                 \
        } while (0)
