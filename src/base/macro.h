/* macro.h: the few macros that every file may use; knows nothing. */
#pragma once

/* First the headers that declare what is poisoned below. */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* clang's fortified headers make macros of some. */
#undef strcpy
#undef strcat
#undef sprintf
#undef vsprintf

/* Calls that have hurt too many C programs do not compile here. */
#pragma GCC poison strcpy strcat sprintf vsprintf strtok atoi atol gets tmpnam mktemp

#define ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))
/* Each argument is evaluated once; no constant expressions. */
#ifdef BRIG_CPPCHECK /* which has no expressions of statements */
#define CHOOSE_NAMED_(than, a, b, number) ((a)than(b) ? (a) : (b))
#else
#define CHOOSE_NAMED_(than, a, b, number)                                                          \
        ({                                                                                         \
                __typeof__((a)than(b) ? (a) : (b)) one_##number = (a), other_##number = (b);       \
                one_##number than other_##number ? one_##number : other_##number;                  \
        })
#endif
#define MIN(a, b) CHOOSE_(<, a, b, __COUNTER__)
#define MAX(a, b) CHOOSE_(>, a, b, __COUNTER__)
#define CHOOSE_(than, a, b, number) CHOOSE_NAMED_(than, a, b, number)

#define PRINTF_LIKE(text, first) __attribute__((__format__(printf, text, first)))
#define MUST_CHECK __attribute__((warn_unused_result))
#define UNUSED __attribute__((unused))

#define CONTAINER_OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))
