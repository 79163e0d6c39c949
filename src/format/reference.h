/* reference.h: names of images, as Docker's clients write them: parsing, normal and familiar forms.
 * Grammar: github.com/distribution/reference, whose rules the registries enforce. */
#pragma once

#include <stdbool.h>

#include "base/error.h"

typedef struct Reference {
        char *domain; /* "docker.io", "127.0.0.1:5000" */
        char *path;   /* "library/busybox" */
        char *tag;    /* or NULL */
        char *digest; /* "sha256:…" or NULL */
} Reference;

/* Reads a familiar or full name. invalid: "invalid reference format…", in Docker's words. */
int reference_parse(const char *text, Reference *ret, Error *err);
void reference_done(Reference *reference);
bool reference_tag_valid(const char *text); /* whether it is a tag */
/* Sets the tag "latest" where there is neither a tag nor a digest. */
void reference_default_tag(Reference *reference);

/* Each result is the caller's. */
char *reference_repository(const Reference *reference); /* docker.io/library/busybox */
char *reference_full(const Reference *reference);       /* docker.io/library/busybox:latest */
char *reference_familiar_repository(const Reference *reference); /* busybox */
char *reference_familiar(const Reference *reference); /* busybox:latest, busybox@sha256:… */
