/* git-checkout.c: see git-job.h. Below GIT_WORK: "fs", the files, and "repository-N", bare, one for
 * the repository and one for each submodule, which go when they are checked out. Submodules are
 * done here, not by `git submodule`: what .gitmodules says is looked at before git hears of it, and
 * nothing of it but a path and a URL is used. gitmodules(5). */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "format/git-source.h"
#include "image/confine.h"
#include "image/git-job.h"

#define FILES GIT_WORK "/fs"
#define FETCHED "refs/brig/fetched"
#define DEPTH_MAX 16
#define REPOSITORIES_MAX 2000

/* One repository that is being checked out. */
typedef struct Checkout {
        GitJob *job;
        const char *url, *ref, *object; /* ref: full, or NULL */
        const char *path;               /* below FILES; NULL: FILES itself */
        unsigned depth;
        char name[32]; /* of its repository, below GIT_WORK */
        char commit[GIT_OBJECT_MAX];
        int64_t time;
} Checkout;

/* ---- commands ---- */

/* Which repository a command is of, in its environment; the caller's. */
static char *git_dir(const Checkout *checkout) {
        return str_format("GIT_DIR=" GIT_WORK "/%s", checkout->name);
}

static int git(const Checkout *checkout, GitOutput *output, char *const *arguments, Error *err) {
        _cleanup_free_ char *directory = git_dir(checkout);
        char *extra[] = { directory, NULL };

        return git_run(&checkout->job->runner, arguments, extra, output, err);
}
#define GIT(checkout, output, err, ...)                                                            \
        git((checkout), (output), (char *const *)(const char *const[]){ __VA_ARGS__, NULL }, (err))

static int git_line(const Checkout *checkout, char **ret, Error *err, char *const *arguments) {
        _cleanup_(git_output_done) GitOutput output = {};
        int r = git(checkout, &output, arguments, err);

        if (r < 0)
                return r;
        *ret = str_copy_n(output.text.data ?: "", strcspn(output.text.data ?: "", "\n"));
        return 0;
}

/* ---- fetching ---- */

static int init(Checkout *checkout, Error *err) {
        GitJob *job = checkout->job;
        bool sha256 = strlen(checkout->object) == 64;

        if (job->repositories >= REPOSITORIES_MAX)
                return error_kind(err, ERROR_INVALID, "it has more than %d submodules",
                                  REPOSITORIES_MAX);
        (void)snprintf(checkout->name, sizeof(checkout->name), "repository-%zu",
                       job->repositories++);
        return GIT(checkout, NULL, err, "init", "-q", "--bare",
                   "--template=", sha256 ? "--object-format=sha256" : "--object-format=sha1");
}

static int fetch(const Checkout *checkout, bool shallow, const char *refspec, const char *more,
                 Error *err) {
        const char *arguments[] = { "fetch",
                                    "--progress",
                                    "--no-tags",
                                    "--no-write-fetch-head",
                                    "--no-recurse-submodules",
                                    "--no-auto-gc",
                                    "--no-auto-maintenance",
                                    "--update-shallow",
                                    shallow ? "--depth=1" : "--force",
                                    "--",
                                    "origin",
                                    refspec,
                                    more,
                                    NULL };
        _cleanup_free_ char *directory = git_dir(checkout);
        char *extra[] = { directory, NULL };

        return git_remote_run(checkout->job, (char *const *)arguments, extra, NULL, err);
}

/* What a server says that gives no commit by its name, or no shallow ones. */
static bool is_limitation(const Error *err) {
        static const char *const signs[] = {
                "not our ref", "unadvertised",          "shallow",
                "--depth",     "Server does not allow", "couldn't find remote ref"
        };

        for (size_t i = 0; i < ELEMENTS(signs); i++)
                if (strstr(err->message, signs[i]))
                        return true;
        return false;
}

static bool has_object(const Checkout *checkout) {
        _cleanup_free_ char *commit = str_format("%s^{commit}", checkout->object);

        return GIT(checkout, NULL, NULL, "cat-file", "-e", commit) == 0;
}

/* The ref, shallow or not, as it may have moved since; else everything. */
static int fetch_otherwise(const Checkout *checkout, Error *err) {
        _cleanup_free_ char *refspec =
                checkout->ref ? str_format("+%s:" FETCHED, checkout->ref) : NULL;
        Error why = {};

        for (int shallow = 1; refspec && shallow >= 0; shallow--) {
                int r = fetch(checkout, shallow, refspec, NULL, &why);

                if (r == 0 && has_object(checkout))
                        return 0;
                if (r < 0 && !is_limitation(&why)) {
                        *err = why;
                        return r;
                }
        }
        int r = fetch(checkout, false, "+refs/heads/*:refs/brig/heads/*",
                      "+refs/tags/*:refs/brig/tags/*", err);
        if (r == 0 && !has_object(checkout))
                r = error_kind(err, ERROR_NOT_FOUND,
                               "the server does not give the commit %s: no branch and no tag has "
                               "it (any more): build again",
                               checkout->object);
        return r;
}

static int fetch_object(const Checkout *checkout, Error *err) {
        _cleanup_free_ char *refspec = str_format("+%s:" FETCHED, checkout->object);
        Error why = {};
        int r = fetch(checkout, true, refspec, NULL, &why);

        if (r == 0)
                return 0;
        if (is_limitation(&why))
                return fetch_otherwise(checkout, err);
        *err = why;
        return r;
}

static int read_commit(Checkout *checkout, Error *err) {
        _cleanup_free_ char *wanted = str_format("%s^{commit}", checkout->object), *commit = NULL;
        _cleanup_free_ char *date = NULL;
        const char *parse[] = { "rev-parse", "--verify", "-q", "--end-of-options", wanted, NULL };
        int r = git_line(checkout, &commit, err, (char *const *)parse);

        if (r == -ECANCELED)
                return r;
        if (r < 0 || !git_is_commit(commit))
                return error_kind(err, ERROR_INVALID, "'%s' is no commit", checkout->object);
        memcpy(checkout->commit, commit, strlen(commit) + 1);
        const char *show[] = { "log", "-1", "--no-show-signature", "--format=%ct", commit, NULL };
        r = git_line(checkout, &date, err, (char *const *)show);
        if (r == 0 && (str_to_int64(date, &checkout->time) < 0 || checkout->time < 0))
                checkout->time = 0;
        return r;
}

/* ---- files ---- */

/* The directory is there: made for FILES, by git for a submodule. Nothing below FILES moves
 * meanwhile, so what was opened without a link is what the path leads to. */
static int open_place(const Checkout *checkout, int *ret_fd, Error *err) {
        struct open_how how = { .flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
                                .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
                                           RESOLVE_NO_MAGICLINKS };
        _cleanup_free_ char *path =
                str_format("fs%s%s", checkout->path ? "/" : "", checkout->path ?: "");
        int fd = (int)syscall(SYS_openat2, checkout->job->work_fd, path, &how, sizeof(how));

        if (fd < 0)
                return error_set(err, errno, "open the place of submodule '%s'",
                                 checkout->path ?: "");
        *ret_fd = fd;
        return 0;
}

static int check_out(const Checkout *checkout, Error *err) {
        _cleanup_free_ char *directory = git_dir(checkout);
        _cleanup_free_ char *tree = str_format("GIT_WORK_TREE=" FILES "%s%s",
                                               checkout->path ? "/" : "", checkout->path ?: "");
        char *extra[] = { directory, tree, NULL };
        const char *arguments[] = { "read-tree", "--reset", "-u", checkout->commit, NULL };

        return git_run(&checkout->job->runner, (char *const *)arguments, extra, NULL, err);
}

/* ---- .git ---- */

static int write_file(int dir_fd, const char *name, const char *text, Error *err) {
        return file_replace_at(dir_fd, name, text, strlen(text), 0644, false, err);
}

/* What .git says of the commit: HEAD, and the ref that it was asked for by. */
static int set_refs(const Checkout *checkout, Error *err) {
        int r = GIT(checkout, NULL, err, "update-ref", "--no-deref", "HEAD", checkout->commit);

        if (r == 0 && checkout->ref)
                r = GIT(checkout, NULL, err, "update-ref", checkout->ref, checkout->object);
        return r;
}

/* An index without the times and inodes of this machine: the same each time. */
static int write_index(const Checkout *checkout, int repository_fd, Error *err) {
        if (unlinkat(repository_fd, "index", 0) < 0 && errno != ENOENT)
                return error_set(err, errno, "remove the index");
        return GIT(checkout, NULL, err, "read-tree", checkout->commit);
}

static int keep_repository(const Checkout *checkout, int place_fd, Error *err) {
        _cleanup_close_ int repository_fd = -1;
        _cleanup_buf_ Buf config = {};
        int r = set_refs(checkout, err);

        if (r == 0)
                r = dir_open_at(checkout->job->work_fd, checkout->name, 0, &repository_fd, err);
        if (r == 0)
                r = dir_remove_at(repository_fd, "refs/brig", err);
        if (r == 0)
                r = write_index(checkout, repository_fd, err);
        if (r < 0)
                return r;
        git_kept_config(checkout->url, strlen(checkout->commit) == 64, &config);
        r = write_file(repository_fd, "config", config.data, err);
        if (r == 0 && renameat2(checkout->job->work_fd, checkout->name, place_fd, ".git",
                                RENAME_NOREPLACE) < 0)
                r = error_set(err, errno, "keep .git");
        return r;
}

/* ---- submodules ---- */

static int check_out_all(Checkout *checkout, Error *err);

/* Those that .gitmodules names, that are in the tree. */
static int read_modules(const Checkout *checkout, GitModules *ret, Error *err) {
        _cleanup_free_ char *file = str_format("%s:.gitmodules", checkout->commit);
        _cleanup_(git_output_done) GitOutput config = {}, tree = {};
        int r;

        if (GIT(checkout, NULL, NULL, "cat-file", "-e", file) < 0)
                return 0;
        r = GIT(checkout, &config, err, "config", "-z", "--list", "--blob", file);
        if (r == 0)
                r = GIT(checkout, &tree, err, "ls-tree", "-r", "-z", "--full-tree",
                        checkout->commit);
        return r < 0 ? r : git_modules_read(&config.text, &tree.text, ret, err);
}

static int check_out_module(const Checkout *above, const GitModule *module, Error *err) {
        _cleanup_free_ char *url = git_remote_join(above->url, module->url);
        _cleanup_free_ char *path =
                str_format("%s%s%s", above->path ?: "", above->path ? "/" : "", module->path);
        GitRemote remote = {};
        Checkout checkout = {
                .job = above->job, .object = module->commit, .path = path, .depth = above->depth + 1
        };
        int r = git_remote_parse(url, &remote, err);

        if (r == 0 && remote.user)
                r = error_kind(err, ERROR_INVALID,
                               "its URL has a user or a password in it: give it with --secret "
                               "id=GIT_AUTH_TOKEN.%s",
                               remote.host);
        if (r == 0)
                r = git_remote_set(above->job, remote.url, err);
        checkout.url = remote.url;
        if (r == 0)
                r = check_out_all(&checkout, err);
        git_remote_done(&remote);
        return r < 0 ? error_prefix(err, "submodule '%s'", module->path) : 0;
}

static int check_out_modules(const Checkout *checkout, Error *err) {
        GitModules modules = {};
        int r = read_modules(checkout, &modules, err);

        if (r == 0 && modules.count > 0 && checkout->depth >= DEPTH_MAX)
                r = error_kind(err, ERROR_INVALID, "submodules are more than %d deep", DEPTH_MAX);
        for (size_t i = 0; r == 0 && i < modules.count; i++)
                r = check_out_module(checkout, &modules.items[i], err);
        git_modules_done(&modules);
        return r;
}

/* ---- together ---- */

static int check_out_all(Checkout *checkout, Error *err) {
        const ImageMessage *request = checkout->job->request;
        _cleanup_close_ int place_fd = -1;
        int r = open_place(checkout, &place_fd, err);

        if (r == 0)
                r = init(checkout, err);
        if (r == 0)
                r = fetch_object(checkout, err);
        if (r == 0)
                r = read_commit(checkout, err);
        if (r == 0)
                r = check_out(checkout, err);
        if (r == 0 && request->submodules)
                r = check_out_modules(checkout, err);
        if (r == 0 && request->keep_git_dir)
                r = keep_repository(checkout, place_fd, err);
        else if (r == 0)
                r = dir_remove_at(checkout->job->work_fd, checkout->name, err);
        return r;
}

int git_checkout(GitJob *job, char commit[GIT_OBJECT_MAX], int64_t *ret_time, Error *err) {
        Checkout checkout = { .job = job,
                              .url = job->request->path,
                              .ref = job->request->ref,
                              .object = job->request->object };
        _cleanup_close_ int work_fd = open(GIT_WORK, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_close_ int files_fd = -1;
        int r;

        if (!git_is_commit(checkout.object))
                return error_kind(err, ERROR_INTERNAL, "brig-image was asked for no commit");
        if (work_fd < 0)
                return error_set(err, errno, "open the directory for the repository");
        job->work_fd = work_fd;
        r = dir_open_at(work_fd, "fs", 0755, &files_fd, err);
        if (r == 0)
                r = check_out_all(&checkout, err);
        if (r < 0)
                return r;
        memcpy(commit, checkout.commit, GIT_OBJECT_MAX);
        *ret_time = checkout.time;
        return 0;
}
