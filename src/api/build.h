/* build.h: what the files of POST /build share: the two forms of a request for a build, and those
 * of what is told of it. Inside api only. */
#pragma once

#include "api/request.h"
#include "engine/build.h"

/* The descriptors that came with a request; those that are taken are -1. */
typedef struct BuildFds {
        int fds[HTTP_FDS_MAX];
        size_t count;
} BuildFds;
void build_fds_done(BuildFds *fds);
/* What a descriptor must be; what, name: for errors. */
typedef struct BuildFdWanted {
        const char *what, *name;
        mode_t type; /* S_IFDIR, S_IFSOCK; 0: something that can be written to, or read from */
        bool read;
} BuildFdWanted;
/* Moves the descriptor at that position to *ret. */
int build_take_fd(BuildFds *fds, int64_t position, const BuildFdWanted *wanted, int *ret,
                  Error *err);
/* One of the document's outputs, moved to the request with its descriptor. build-outputs.c */
int build_output_add(BuildOutputDocument *document, BuildFds *fds, BuildRequest *ret, Error *err);
/* A list of BuildAnnotation. */
int build_annotations_check(const JsonArray *list, Error *err);

/* ---- build-document.c: brig's own form; spec/build.h ---- */
/* Reads text, a BuildDocument, into *ret, to which the descriptors go that it names. *ret is the
 * caller's to build_request_done, after an error, too. */
int build_document_read(const char *text, size_t length, BuildFds *fds, BuildRequest *ret,
                        Error *err);
/* A BuildSink that sends BuildProgress; data is the HttpExchange. */
int build_progress_send(void *data, const BuildEvent *event);
/* The last line: image (may be NULL) or err (NULL: it went well). */
void build_progress_end(HttpExchange *exchange, const char *image, const Error *err);

/* ---- build-query.c: Docker's parameters ---- */
/* As build_document_read; but the context of the body is the caller's to add. */
int build_query_read(const ApiRequest *request, BuildRequest *ret, Error *err);
/* "linux/amd64,linux/arm64"; NULL: none. The caller's. */
char **build_platforms_read(const char *list);
/* Takes each of tags once, by its full name. invalid on one that is no name. */
int build_tags_read(char *const *tags, char ***ret, Error *err);

/* ---- build-classic.c: Docker's stream of objects ---- */
typedef struct ClassicBuild ClassicBuild;
typedef struct ClassicOptions {
        bool quiet;  /* nothing but the id */
        bool remove; /* tell that containers were removed */
        bool aux;    /* the client understands {"aux": …} */
} ClassicOptions;
ClassicBuild *classic_new(HttpExchange *exchange, const ClassicOptions *options);
ClassicBuild *classic_free(ClassicBuild *build);
DEFINE_CLEANUP(ClassicBuild *, classic_free)
/* A BuildSink; data is a ClassicBuild. */
int classic_send(void *data, const BuildEvent *event);
/* What the build came to: 0 and the image's id, or its error. Returns 0, or r where nothing was
 * sent yet, so that the error becomes a plain answer. */
int classic_end(ClassicBuild *build, int r, const char *image, const Error *err);

/* ---- build-peer.c ---- */
/* Whether the client at the other end of the socket could do that (access(2): W_OK | X_OK, make
 * files in a directory; W_OK, connect to a socket) with what fd has open; forbidden where it could
 * not. */
int peer_may(int socket_fd, int fd, int mode, Error *err);

/* ---- build-text.c: the text of programs, which may be any bytes ---- */
bool text_is_utf8(const char *text, size_t length); /* and has no zero */
/* As a quoted JSON string; what is not UTF-8 becomes U+FFFD, as in Go's encoder. */
void text_add_quoted(Buf *json, const char *text, size_t length);
