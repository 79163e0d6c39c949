/* message.h: what brigd and its confined program brig-image say to each other: one JSON object a
 * message over a SOCK_SEQPACKET pair, descriptors beside it. Both ends are checked by the table. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "format/json.h"

/* Where a job of brig-image finds its descriptors. */
enum {
        IMAGE_FD_INPUT = 0,  /* unpack, tree, stage, compress, copy in: the stream */
        IMAGE_FD_SOCKET = 3, /* every job: reports, and requests for fetch */
        IMAGE_FD_TARGET = 4, /* unpack: the layer's directory; tree, stage: where files go;
                                download, compress: the file that is written; copy: the root */
        IMAGE_FD_COPY = 5,   /* unpack: the plain stream is written here too, if it is open */
        IMAGE_FD_OUTPUT = 5, /* copy out: the stream */
        IMAGE_FD_AGENT = 5,  /* git: the ssh agent's socket, if it is open */
};

typedef struct ImageMessage {
        char *kind; /* reports: "progress", "entry", "done", "error"; requests: "start", "get",
                       "blob", "manifest", "check", "search" */
        bool devices, detect, probe; /* start of tree: TreeUnpack */
        int64_t current, total; /* progress: bytes; get: current of them are in the file already */
        char *name, *link; /* entry: as in the archive; link: target of a symbolic or hard link;
                              done of download: the file's name; done of a fetch: the Link header */
        int64_t number;    /* entry: its content is the file of this name below the target; 0: none.
                              done of tree: 1 unpacked, 0 no archive */
        int64_t time;      /* done of download: Last-Modified, seconds since 1970; 0: not said */
        char *digest; /* entry: of the content; done: unpack's diff id, or of what was fetched */
        int64_t size; /* entry, done: bytes; get, start of tree: at most (0: unknown) */
        char *media_type; /* done of a fetch; start of compress: what is made, with `number` the
                             level where `detect` says that there is one */
        char *message;    /* error */
        int64_t error_kind, error_number;
        /* start, get */
        char *registry, *repository; /* "127.0.0.1:5000", "library/busybox" */
        char *username, *password, *identity_token, *registry_token;
        char **insecure, **mirrors;
        char **host_directories;        /* where hosts.toml and certificates are */
        int64_t attempts;               /* at a download; 0: as usual */
        bool no_mirrors;                /* the registry itself is meant */
        char *endpoint, *authorization; /* what one session found out, for the next: URL, header */
        char *path; /* "manifests/latest", "blobs/sha256:…"; start of download: the URL */
        char **accept;
        /* pushing */
        char **scopes;  /* start: what a token shall allow, "repository:x:pull,push" */
        bool offline;   /* start: a token that stands for the password is wanted */
        char **sources; /* blob: repositories of the registry that have it */
        char *outcome;  /* done of blob: PUSH_EXISTS and the like */
        char *source;   /* the repository that it was mounted from; of a compression: the digest of
                           the plain stream */
        int64_t status; /* error of a fetch: the HTTP status, 0 if there was none */
        char *code;     /* error of a fetch: the registry's code, "MANIFEST_UNKNOWN" */
        /* git; job-git.h */
        char *ref, *object, *commit;
        char **environment, **headers;
        bool keep_git_dir, submodules;
        /* copy; job-copy.c */
        char **hidden;                              /* start: mounts that are not seen */
        bool live, remapped, read_only, keep_types; /* start: see job-copy.c */
        int64_t *uid, *gid; /* start: who owns what comes; NULL: as the archive says */
        int64_t mode;       /* entry: st_mode */
} ImageMessage;

#define PUSH_EXISTS "exists"
#define PUSH_MOUNTED "mounted"
#define PUSH_UPLOADED "uploaded"
#define PUSH_ABSENT "absent" /* and no file to upload came with the question */

void image_message_done(ImageMessage *message);

/* 0 or a negative errno; -EPIPE: the other end is gone. */
int image_message_send(int socket_fd, const ImageMessage *message, const int *fds, size_t fd_count);
/* 1 a message (*ret, to be freed by image_message_done; descriptors are the caller's), 0 the end.
 */
int image_message_receive(int socket_fd, ImageMessage *ret, int *fds, size_t fd_max,
                          size_t *ret_fd_count, Error *err);
/* Sends err as an error message. */
void image_message_send_error(int socket_fd, const Error *err);
/* Sets *err from an error message; returns its negative errno. */
int image_message_to_error(const ImageMessage *message, Error *err);
