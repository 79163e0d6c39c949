/* drill.h: what a drill is, and what one is made of: hostile archives, containers that run our
 * guest, and the host as it is. See docs/drill.md. */
#pragma once

#include "cli/cli.h"
#include "cli/stream.h"

/* ---- one drill ---- */

typedef struct Drill Drill;
typedef struct Host Host;

/* What a drill needs while it runs, and what it says. */
typedef struct Attempt {
        Cli *cli;
        const char *image; /* the guest's */
        const Host *host;
        const char *directory; /* a new one on the host, in which "canary" is */
        int64_t rounds;
        Buf *got; /* what got through, a text; empty: everything held */
} Attempt;

/* 0: it was tried, and attempt->got says what got through; or a negative errno: it could not be
 * tried, which is no success. */
typedef int (*DrillRun)(const Drill *drill, Attempt *attempt, Error *err);

struct Drill {
        const char *name, *cve; /* cve: as published, or "" where the attack has no number */
        const char *summary, *remedy;
        DrillRun run;
        const char *guest; /* what the guest does, or NULL */
};

typedef struct DrillSet {
        const Drill *drills;
        size_t count;
} DrillSet;

extern const DrillSet runtime_drills, bundle_drills, exec_drills, flood_drills, api_drills,
        copy_drills, image_drills, build_drills, network_drills, registry_drills;
extern const DrillSet *const drill_sets[]; /* in the order in which they are tried, then NULL */

/* Of the catalogue, what no drill tries yet. */
typedef struct Uncovered {
        const char *name, *where; /* where: what holds it instead, or "" */
} Uncovered;
extern const Uncovered uncovered[];
extern const size_t uncovered_count;

/* Where a drill looks for descriptors that the runtime left open. */
#define FIRST_FD 3
#define END_FD 16

/* ---- a run's name (run-name.c) ---- */

/* Before anything is made: this run gets a name. */
int run_name_begin(Error *err);
char *run_name(void); /* the caller's */

typedef enum Owner {
        OWNER_NONE,  /* no run's name */
        OWNER_SELF,  /* this run */
        OWNER_ENDED, /* the run's process is no more, and that is certain */
        OWNER_LIVES, /* or cannot be asked after from here */
} Owner;
/* Whose name the whole text is; directory: with what mkdtemp(3) puts behind it. */
Owner run_owner(const char *text, bool directory);

/* ---- what a run makes, and leaves where it is killed (leftovers.c) ---- */

#define RUN_LABEL "brig-drill.run"
/* With the run's name: the project of its containers, which is the namespace of its policy, too. */
#define RUN_PROJECT "brig-drill-"
#define POLICIES "/brig/policies"
void run_label(json_object *request); /* of a container or network: it is this run's */
/* A new directory of this run's below /var/tmp, the caller's path. */
int run_place(bool bundle, char **ret, Error *err);
/* Removes what runs whose process is no more have left in the engine and on the host, and says so
 * on standard error, and what cannot go as well. */
void leftovers_remove(Cli *cli, const Host *host);
/* All that is named brig-drill:…, whoever made it: the repository is the drills' own. *count is
 * counted up. The error is the first one's that cannot go. */
int images_remove(Cli *cli, size_t *count, Error *err);
/* The cache mounts of builds whose description is wanted; the same. */
int caches_drop(Cli *cli, bool (*wanted)(void *data, const char *description), void *data,
                size_t *count, Error *err);
/* drills-bundle.c: the containers of a bundle in that directory, whatever their runtime is at. */
void bundle_delete_left(const Host *host, const char *directory);

/* ---- archives (tar.c) ---- */

#define TAR_FILE '0'
#define TAR_HARD_LINK '1'
#define TAR_LINK '2'
#define TAR_DIRECTORY '5'
#define TAR_FIFO '6'

typedef struct TarEntry {
        const char *path, *target; /* target: a link's, or NULL; both up to 100 bytes */
        char type;
        unsigned mode;
        const void *data;
        size_t length;
        const char *pax; /* its PAX records, "KEY=VALUE", a line each, or NULL */
} TarEntry;

void tar_add(Buf *tar, const TarEntry *entry);
void tar_end(Buf *tar);

/* ---- containers (box.c) ---- */

/* Imports an archive as brig-drill:tag: 0, or 1 where the engine refused it for the reason that is
 * wanted: its words have why in them. Any other refusal is an error, as is any where why is NULL.
 */
int box_import(Cli *cli, const char *tag, const Buf *tar, const char *why, Error *err);
/* The same with any call that takes an archive and answers with a stream of documents. */
int box_send_tar(Cli *cli, const char *path, const Buf *tar, const char *why, Error *err);
/* brig-drill:tag goes, where it is there: one whose name another takes stays, without a name. */
int box_remove_image(Cli *cli, const char *tag, Error *err);
/* The guest's program; the caller's. */
int box_guest(char **ret, size_t *ret_length, Error *err);
/* The guest as an image: a tar with it as /guest, not ended, so that a drill can add to it. */
int box_guest_tar(Buf *tar, Error *err);
/* The guest as brig-drill:tag, with a link at path to the drill's directory on the host. */
int box_import_link(const Attempt *attempt, const char *tag, const char *path, Error *err);
/* A create request that runs `/guest argument`, the caller's. */
json_object *box_request(const char *image, const char *argument);
json_object *box_host(json_object *request); /* its HostConfig, borrowed */

typedef struct BoxEnd {
        bool refused; /* at create or start; output has the engine's words */
        int code;
        char *output;
} BoxEnd;
void box_end_done(BoxEnd *end);
/* SIGINT, SIGTERM and SIGHUP are held back from then on, so that a drill takes back what it made;
 * interrupt_signal: the one that waits, 0: none. No container and no bundle is begun any more once
 * one does. */
void interrupt_begin(void);
int interrupt_signal(void);
int interrupt_check(Error *err);

/* Creates, starts, waits, reads what it said, removes. */
int box_run(Cli *cli, json_object *request, BoxEnd *ret, Error *err);
/* A container, and one that goes on; *ret_id is the caller's. box_end removes it, whatever r says
 * has gone wrong before: its own error is r's only where there is none yet. */
int box_create(Cli *cli, json_object *request, char **ret_id, Error *err);
int box_begin(Cli *cli, json_object *request, char **ret_id, Error *err);
int box_end(Cli *cli, const char *id, int r, Error *err);
int box_running(Cli *cli, const char *id, bool *ret, Error *err);
/* Waits for its end and reads what it said. */
int box_finish(Cli *cli, const char *id, BoxEnd *ret, Error *err);
/* Runs a command in such a one, to its end: an array of words, owned. directory: NULL: its own. */
int box_exec(Cli *cli, const char *id, json_object *words, const char *directory, BoxEnd *ret,
             Error *err);
json_object *box_words(const char *program, const char *argument); /* the caller's */
/* What a guest that has ended says got through; an error where it could not try. */
int box_take(Attempt *attempt, const BoxEnd *end, Error *err);
/* Runs the drill's guest and takes what it says. */
int box_attempt(Attempt *attempt, json_object *request, Error *err);
/* Of the containers made so far, and of those of earlier runs that this one removes; borrowed. */
char *const *box_ids(void);
void box_adopt(const char *id); /* is one of them from now on */
/* The status of a call whose path is sent as it is; what it says is added to ret_answer (NULL: not
 * wanted). */
int box_call(Cli *cli, const char *method, const char *path, const Buf *body, int *ret,
             Buf *ret_answer, Error *err);

/* ---- the host (host.c) ---- */

/* It would do as a container's passwd file, too. */
#define CANARY "canary of brig drill\nintruder:x:0:0:intruder:/:/guest\n"

struct Host {
        pid_t daemon;
        char *directory; /* with the canary, below /var/tmp */
};

int host_begin(Cli *cli, Host *ret, Error *err);
void host_done(Host *host);
/* The directory as it was made, whatever a drill has done to it. */
int host_renew(const Host *host, Error *err);
/* The path of the engine's runtime, the caller's; NULL: none is where the daemon looks for it. */
char *host_runtime(const Host *host);
/* What each descriptor of a process is, a line each: proc(5), /proc/PID/fd; the caller's list. */
char **host_descriptors(pid_t pid);
/* What no drill may change, sorted, a line each; the caller's list. */
char **host_snapshot(const Host *host);
/* Waits, some seconds at the most, until nothing that is seen bears the id of a container that the
 * drills made. */
void host_settle(const Host *host);
/* Adds to got what differs between two snapshots, without waiting. */
void host_differences(char *const *before, char *const *after, Buf *got);
/* Adds to got what differs, "gone: …" or "new: …", unless that settles within some seconds: a
 * removed container's mounts go a moment after the answer. */
void host_compare(const Host *host, char *const *before, Buf *got);

/* ---- the report (report.c) ---- */

typedef enum Verdict {
        VERDICT_HELD,
        VERDICT_BROKEN, /* something got through */
        VERDICT_ERROR,  /* it could not be tried */
} Verdict;

typedef struct Result {
        const Drill *drill;
        Verdict verdict;
        char *detail; /* what got through, or the error */
        int64_t duration;
} Result;

void report_write(const char *format, const Result *results, size_t count, FILE *out);
void report_list(const char *format, const Drill *const *drills, size_t count, FILE *out);
