/* tree.h: trees of files: what COPY and ADD select of one, the digest of it, and copying it into
 * another root. Everything is below a root descriptor; links never lead out of it. Knows no
 * Dockerfile, cache or overlay. design: File key. */
#pragma once

#include <stdint.h>
#include <sys/stat.h>

#include "base/error.h"
#include "build/ignore.h"
#include "format/digest.h"

/* Remembers the digests of files' contents and extended attributes by what stat(2) says of them, so
 * that a file that did not change is not read again. Both may be called from any thread. */
typedef struct FileStamp {
        uint64_t device, inode, size;
        int64_t mtime, ctime; /* ns */
} FileStamp;
typedef struct FileMemo {
        bool (*get)(void *data, const FileStamp *stamp, char digest[DIGEST_TEXT_MAX]);
        void (*put)(void *data, const FileStamp *stamp, const char *digest);
        void *data;
} FileMemo;

typedef struct Tree {
        int root_fd;                   /* a directory, O_RDONLY or O_PATH */
        const IgnorePatterns *ignored; /* .dockerignore, or NULL */
        const FileMemo *memo;          /* or NULL */
        bool neutral_owner;            /* a build context: every file counts as owned by 0:0 */
        /* Regular files that grow while the tree is read (what the client's own output goes to), as
         * they were once: they count as that, with as many of their bytes. Borrowed. */
        const struct stat *growing;
        size_t growing_count;
} Tree;

typedef struct SelectOptions {
        char *const *patterns; /* as CopySource.path: Go's filepath.Match with ** for --parents;
                                  relative to the root; "" and "." are the root */
        char *const
                *excludes;  /* COPY --exclude: compared with names below the destination (a file's
                               own name, paths in a directory, with --parents those kept) */
        bool parents;       /* --parents: keep the path from the pivot "/./" or the root on */
        bool allow_nothing; /* a wildcard that matches nothing is no error, as in BuildKit: "COPY
                               package.json yarn.lock* ./" is usual */
        const char *chmod;  /* the digest then has the permission bits that result from it: with an
                               octal one, those of the files are no part of it */
        bool chown;         /* where given, owners are no part of the digest */
        bool literal;       /* patterns are names: no character in them means anything */
        bool itself;        /* a directory that is selected is shown itself, not its content alone:
                               its mode, owner and attributes are part of the digest, but for those of
                               a neutral tree's root, which no clone of it has in common */
} SelectOptions;

/* One thing that was selected: below it everything that is not ignored belongs to it. */
typedef struct Selected {
        char *path; /* below the root, clean, "" for the root itself */
        char *name; /* what it is called below the destination: its base name, with --parents its
                       path; "" for a directory, whose content is copied */
        bool directory;
} Selected;

typedef struct Selection {
        Selected *items;
        size_t count;
        bool wildcard; /* any pattern had one */
} Selection;

/* Sorted, each once a pattern. Symbolic links are followed within the root before the first
 * wildcard and at the end, as BuildKit does; one that a wildcard names and that leads nowhere is
 * selected itself. With --parents only the part before the pivot is followed. What ignored or
 * excludes take is not there; an exclude's is no error. not_found: "\"/x\": not found" as BuildKit
 * words a failed checksum. */
int tree_select(const Tree *tree, const SelectOptions *options, Selection *ret, Error *err);
void selection_done(Selection *selection);

/* Called once a file, directory and link that the digest covers, in its order: path as selected,
 * digest of its entry. For explaining a miss. May be NULL. */
typedef void (*EntrySink)(void *data, const char *path, const char *digest);

/* The digest of what is selected: how many things, names below the destination and, of each entry,
 * mode, owner, size, type, link, device, extended attributes (not security.selinux, not
 * user.overlay.* nor trusted.overlay.*), content. Not times, not where it lay. cancelled (may be
 * NULL) is asked now and then, by any of the threads: true ends it with -ECANCELED. A file that
 * changes meanwhile is an error, conflict. */
typedef struct TreeJob {
        EntrySink sink;
        void *data;
        bool (*cancelled)(void *data);
        /* Of tree_digest: contents were read, that many bytes more; by any of the threads, several
         * at once. May be NULL. */
        void (*read)(void *data, size_t bytes);
        unsigned threads; /* that read contents at once, at most 8; 0: one a processor */
} TreeJob;
int tree_digest(const Tree *tree, const Selection *selection, const SelectOptions *options,
                const TreeJob *job, char digest[DIGEST_TEXT_MAX], Error *err);

/* Of what is selected the path below the root of the file, directory or link whose inode was
 * changed last ("": the root; a file that is gone changed its directory). *ret: the caller's; NULL:
 * nothing is selected. */
int tree_newest(const Tree *tree, const Selection *selection, const SelectOptions *options,
                char **ret, Error *err);

typedef struct CopyOptions {
        const char *dest;  /* absolute path in the destination root, resolved within it; a trailing
                              '/' asks for a directory */
        int64_t uid, gid;  /* -1: as in the source (0:0 of a neutral tree) */
        const char *chmod; /* octal ("755") or symbolic ("u+rwx,go=rX"), or NULL */
        int64_t epoch;     /* times are set to at most this many seconds; -1: kept as they are */
        char *const *excludes;
        bool parents;
        bool itself;   /* a directory's own mode, owner, attributes and times go to dest, too: what
                          SelectOptions.itself digests */
        bool harmless; /* for a user of this host, of whom the files were not: no devices, and of
                          the attributes user.* only (no capabilities) */
        bool replace_links; /* --link: a destination's parent that is a symbolic link is replaced
                               by a directory in place of being followed */
        /* ADD: a regular file that was selected itself and that this says is an archive is unpacked
         * by it into the directory target_fd instead. Called first with target_fd -1, only to say
         * whether it is one: 1, or 0; then, rewound, to unpack it. Negative errno. NULL: no
         * archives.
         */
        int (*unpack)(void *data, int file_fd, int target_fd, Error *err);
        void *unpack_data;
} CopyOptions;
/* Copies what is selected into the directory tree dest_fd (the root of a container, writable).
 * Missing parents are made 0755, owned by uid:gid. Hard links among what is copied stay such;
 * contents go by FICLONE, copy_file_range or plain reads. Docker's rules: a file onto a directory's
 * name goes into the directory; more than one thing demands a directory (a wildcard that found one
 * does not: "COPY target/x-*.jar app.jar"); a directory's content goes into dest, which keeps its
 * own mode and owner or is made as parents are (chmod applied). A link at a file's own name is
 * replaced, links before it are followed within the root. Of a failed copy the part stays. A file
 * whose stamp changes while it is copied is an error, conflict, "changed during the build". */
int tree_copy(const Tree *tree, const Selection *selection, int dest_fd, const CopyOptions *options,
              const TreeJob *job, Error *err);
/* Writes one file with that content (a heredoc, a download): the rules of tree_copy with a
 * selection of one. mode: of the file. name: used where dest is a directory. */
int tree_put_file(int dest_fd, const char *name, const void *data, size_t length, unsigned mode,
                  const CopyOptions *options, Error *err);
/* mkdir -p of path in the root, links followed within it; 0755, uid:gid for what is made. True in
 * *ret_made if anything was. For WORKDIR. */
int tree_make_directory(int root_fd, const char *path, int64_t uid, int64_t gid, bool *ret_made,
                        Error *err);
/* chmod's symbolic or octal mode applied to a mode: "u+x,g=rX", "0755", "755". invalid says what is
 * wrong. */
int mode_apply(const char *text, unsigned mode, bool directory, unsigned *ret, Error *err);
