/* solve-private.h: what the files of the solver share. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "build/solve.h"

#define SOLVE_IMAGES_AT_ONCE 8u /* threads that ask for images, and that bring their layers */

typedef struct Solver Solver;
typedef struct Fetched Fetched; /* solve-fetch.c */

typedef struct StepState {
        size_t number, written, triggers; /* see SolveEvent */
        char *name;                       /* "[build 2/5] RUN make", or NULL */
        char result[DIGEST_TEXT_MAX];     /* what its record gives it; "": not known yet */
        char key[DIGEST_TEXT_MAX]; /* what steps after it build their keys of; "": not known yet */
        char *layer;               /* NULL: not there yet; "": it changed nothing */
        int64_t created_at;        /* of its layer, ns; 0: it has none */
        bool told;                 /* the client knows that it is there */
        bool recalled;             /* another cache knows it; its layer has not been brought */
        bool lost;                 /* and it can't be: it is run */
        char **keys;               /* by which it was, until it is the cache's own */
        /* Of each input what the step reads of it; "": not read yet. Once a build. */
        char (*digests)[DIGEST_TEXT_MAX];
} StepState;

typedef struct NamedImage {
        char *name, *platform;
        const Plan *plan; /* that named it first, at `at` */
        SourceRange at;
        SolveImage image;
        /* Guarded by the solver's lock: */
        enum { IMAGE_KNOWN, IMAGE_COMING, IMAGE_CAME } state; /* of its layers */
        int result;
        Error error;
} NamedImage;

typedef struct StageState StageState;

/* The numbers of the steps that one stands upon. */
typedef struct StepInputs {
        size_t *list, count;
} StepInputs;

/* One plan's share. */
typedef struct Branch {
        Plan *plan;
        StageState *stages; /* one a stage of the plan; unreachable ones stay empty */
        size_t count;
} Branch;

struct StageState {
        Solver *solver;
        const Branch *branch;
        StageState *twin; /* an earlier branch's, which gives the same: it stands for this one */
        const Stage *stage;
        size_t index;
        size_t number, written, triggers; /* of its FROM; see SolveEvent */
        char *name;                       /* "[build 1/5] FROM busybox" */
        StagePlan plan;
        StepState *steps;
        NamedImage *image;         /* its base, where that is an image; the solver's */
        const char *base_key;      /* of image or stage; "": not known yet */
        char key[DIGEST_TEXT_MAX]; /* of the finished stage; "": not known yet */
        size_t missing;            /* the first step that must be run; step_count: none */
        bool wanted;               /* something names it: it was dispatched */
        bool needed;               /* its files are, not its key alone */
        /* Guarded by the solver's lock: */
        bool ended;
        int result;
};

struct Solver {
        const SolveOptions *options;
        Branch *branches;
        size_t branch_count;
        StageState *stages; /* of all branches */
        size_t count;
        NamedImage **images;
        size_t image_count;
        Fetched *fetched;
        size_t fetched_count;
        StepInputs *inputs; /* by a step's number */
        size_t input_count;
        unsigned depth;      /* of what solve-dispatch.c does just now */
        int64_t began;       /* ns since 1970 */
        NamedImage **wanted; /* images whose layers are brought, from the first on */
        size_t wanted_count;
        size_t next_wanted; /* guarded by lock */
        pthread_t bringers[SOLVE_IMAGES_AT_ONCE];
        size_t bringer_count;

        pthread_mutex_t lock; /* guards the ends of stages and images, what is held, the error */
        pthread_cond_t changed;
        char **held;
        bool failed;
        Error error;
        int result;
        pthread_mutex_t event_lock; /* one event at a time */
        bool refused;               /* the client wants no more; guarded by event_lock */
        atomic_size_t readings;     /* that were told */
};

/* ---- solve-pool.c ---- */
/* Calls run with each stage that is needed and has not ended, in threads, side by side; run ends
 * it. Returns when all have; an error: none was run. */
int solver_run_stages(Solver *solver, void (*run)(StageState *stage), Error *err);

/* ---- solve-images.c ---- */
/* The name of an input's image: what a named context stands for, or as written. NULL: none. */
const char *input_image_name(const Solver *solver, const Input *input);
/* An image that a stage names; NULL: the input is none, or it was not found yet. */
NamedImage *stage_image(const StageState *stage, const Input *input);
/* Notes an image, if the input is one, for the next images_find. */
void images_want(const StageState *stage, const Input *input);
/* Finds what was noted since there were `from` images, all at once. */
int images_find(Solver *solver, size_t from, Error *err);
/* Brings the layers of an image, or waits until another thread has; NULL is fine. */
int image_bring(Solver *solver, NamedImage *image, Error *err);
/* The image at the bottom of a stage, or NULL. */
NamedImage *stage_root(const StageState *stage);
/* Begins to bring what the stages that are needed will certainly read. */
int images_bring_needed(Solver *solver, Error *err);
void images_join(Solver *solver);
void images_done(Solver *solver);

/* ---- solve-key.c ---- */
/* How many inputs a step reads, and which. */
size_t step_input_count(const Step *step);
const Input *step_input(const Step *step, size_t index);
/* See copy_is_linked. */
bool step_is_linked(const Step *step);
/* Whether the step reads files of that input: no cache mount does, and no COPY of heredocs alone.
 */
bool step_reads_files(const Step *step, size_t index);

typedef struct StepKeys {
        char def[DIGEST_TEXT_MAX];     /* of what its inputs are made of; "": not known yet */
        char content[DIGEST_TEXT_MAX]; /* of what its inputs hold */
} StepKeys;
/* by_content: opens stages and images and reads what the step reads of them, which must be there;
 * else def alone, where it is known. The same text in both where the step reads contexts only.
 * parts (may be NULL): what the key is made of, for explaining a miss. */
int step_keys(const StageState *stage, size_t index, const char *parent, bool by_content,
              StepKeys *ret, CacheParts *parts, Error *err);
/* After a step has run: that the contexts it read are what its key says. conflict where a file was
 * changed meanwhile: the layer may have either. */
int step_check_contexts(const StageState *stage, size_t index, Error *err);
/* That the step has only one key, and so will run where it was not found. */
bool step_is_certain(const StageState *stage, size_t index);
/* The layers of a stage up to (not including) a step, base first; the caller's. */
char **stage_layers(const StageState *stage, size_t steps);
void solve_input_done(SolveInput *input);
/* Its layers are here afterwards. */
int input_open(const StageState *stage, const Input *input, SolveInput *ret, Error *err);

/* ---- solve-fetch.c ---- */
/* Everything that steps of dispatched stages name by URL. An error is of this machine, not of what
 * could not be fetched. */
int solver_fetch_all(Solver *solver, Error *err);
/* What that gave. */
int solver_fetched(const Solver *solver, const char *url, const char *checksum,
                   char digest[DIGEST_TEXT_MAX], Error *err);
void solver_fetched_done(Solver *solver);

/* ---- solve-inputs.c ---- */
/* Notes for events which steps each of the `count` numbered ones stands upon. */
void solver_note_inputs(Solver *solver, size_t count);
void solver_inputs_done(Solver *solver);

/* ---- solve-step.c ---- */
/* Looks the step up, or runs it; its key and layer are known then. */
int step_solve(StageState *stage, size_t index, const char *parent, Error *err);
/* Looks the step up by what its inputs are made of, if that is known. True: it is there. */
int step_find(StageState *stage, size_t index, const char *parent, bool *ret, Error *err);

/* Tells of a step that failed before it could begin; returns r. */
int step_refused(StageState *stage, size_t index, int r, const Error *err);

/* Tells of a step that step_find found, once it is sure that it need not be run. */
int step_tell_found(StageState *stage, size_t index, Error *err);
/* It can't be had: the step is run. */
void step_lose(StepState *state);
/* The layer of a step that was recalled is here: it is the cache's own now. */
int step_adopt(StageState *stage, size_t index, int64_t size, Error *err);

/* ---- solve-dispatch.c ---- */
int solver_dispatch(Solver *solver, Error *err);

/* ---- solve-twins.c ---- */
/* Looks for a stage of an earlier branch that gives the same, once this one is dispatched. */
void stage_find_twin(StageState *stage);

/* ---- solve-recall.c ---- */
/* Marks what the target needs, brings the layers that were recalled of it, and has run what can't
 * be brought. */
int solver_settle(Solver *solver, Error *err);
void branch_records(const Branch *branch, SolveResult *ret);

/* ---- solve.c ---- */
void need(StageState *stage);
/* The stage of that number in the same plan, or its twin. */
StageState *stage_at(const StageState *stage, size_t index);
/* The stage that it is built upon, or NULL. A file may have thousands, each upon the one before it,
 * and stacks are small: who goes down such a chain does not call itself. */
const StageState *stage_below(const StageState *stage);
/* Whether it is worked on: a twin has its work done elsewhere. */
bool stage_is_live(const StageState *stage);
bool step_makes_layer(const Step *step);
/* The first error is the build's; those after it are mostly of its making. */
void solver_fail(Solver *solver, int r, const Error *err);
int solver_result(const Solver *solver, Error *err);
int solver_thread(pthread_t *ret, void *(*run)(void *), void *data, Error *err);
bool solver_cancelled(void *solver);
void solver_hold(Solver *solver, const char *layer);
bool solver_holds(Solver *solver, const char *layer);
/* What it says of the step, of any kind. */
SolveEvent step_event(const StageState *stage, size_t index, SolveEventKind kind);
/* -ECANCELED once the client wants no more. */
int solver_event(Solver *solver, const SolveEvent *event, Error *err);
/* Waits until the stage has ended. */
int stage_wait(StageState *stage, Error *err);
