/* copy-test.c: the copy of a database, the refusal of a damaged one, and what restores it. */
#include "sql/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "base/test.h"
#include "sql/sql.h"

static char directory[] = "/tmp/brig-copy-XXXXXX";

static char *path_of(const char *name) {
        return str_format("%s/%s", directory, name);
}

/* A database with the number 7 in it, and its copy. */
static void make(const char *name, const char *path) {
        _cleanup_close_ int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        SqlCopier *copier = sql_copier_new(path);
        sqlite3 *db = NULL;
        Error err = {};

        ASSERT_OK(sql_open_at(fd, name, "PRAGMA journal_mode=WAL; CREATE TABLE t(n INTEGER);", &db,
                              &err),
                  &err);
        sql_copier_watch(copier, db);
        ASSERT_OK(sql_run(db, &err, "INSERT INTO t VALUES(7)", ""), &err);
        sql_copier_free(copier); /* makes the copy */
        sql_close(db);
}

static mode_t mode_of(const char *path, const char *end) {
        _cleanup_free_ char *file = str_format("%s%s", path, end);
        struct stat st;

        return stat(file, &st) < 0 ? 0 : st.st_mode & ALLPERMS;
}

/* What a container's environment says is in them. */
TEST(nobody_else_reads_a_database) {
        static const char *const ends[] = { "", "-wal", "-shm", ".copy" };
        _cleanup_free_ char *path = path_of("closed.db"), *copy = path_of("closed.db.copy");
        _cleanup_close_ int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        sqlite3 *db = NULL;
        Error err = {};

        (void)umask(0022);
        make("closed.db", path);
        for (int round = 0; round < 2; round++) {
                ASSERT_OK(sql_open_at(fd, "closed.db", "", &db, &err), &err);
                ASSERT_OK(sql_run(db, &err, "INSERT INTO t VALUES(8)", ""), &err);
                for (size_t i = 0; i < ELEMENTS(ends); i++)
                        ASSERT_INT(mode_of(path, ends[i]), 0600);
                sql_close(db);
                /* An earlier daemon's. */
                ASSERT_INT(chmod(path, 0644), 0);
                ASSERT_INT(chmod(copy, 0644), 0);
        }
}

static void number_in(const char *name, int64_t *ret) {
        _cleanup_close_ int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        sqlite3 *db = NULL;
        Error err = {};

        ASSERT_OK(sql_open_at(fd, name, "", &db, &err), &err);
        ASSERT_OK(sql_number(db, ret, &err, "SELECT sum(n) FROM t", ""), &err);
        sql_close(db);
}

static void overwrite(const char *path, off_t offset) {
        _cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);
        char noise[3000];

        memset(noise, 0xa5, sizeof(noise));
        ASSERT_INT(pwrite(fd, noise, sizeof(noise), offset), sizeof(noise));
}

TEST(sound_is_left_alone) {
        _cleanup_free_ char *path = path_of("sound.db"), *none = path_of("none.db");
        bool restored = true;
        Error err = {};

        make("sound.db", path);
        ASSERT_OK(sql_check_file(path, &err), &err);
        ASSERT_OK(sql_restore(path, &restored, &err), &err);
        ASSERT_INT(restored, false);
        ASSERT_INT(sql_was_restored(path), false);
        ASSERT_OK(sql_check_file(none, &err), &err);
}

/* Each: refused with the file's name and the remedy, restored, and sound again. */
static void damaged(const char *name, void (*damage)(const char *path)) {
        _cleanup_free_ char *path = path_of(name);
        int64_t number = -1;
        bool restored = false;
        Error err = {};

        make(name, path);
        damage(path);
        ASSERT_INT(sql_check_file(path, &err), -EUCLEAN);
        ASSERT(strstr(err.message, path));
        ASSERT(strstr(err.message, "--restore"));
        ASSERT_OK(sql_restore(path, &restored, &err), &err);
        ASSERT_INT(restored, true);
        ASSERT_OK(sql_check_file(path, &err), &err);
        number_in(name, &number);
        ASSERT_INT(number, 7);
}

static void lose_header(const char *path) {
        overwrite(path, 0);
}

static void lose_page(const char *path) {
        overwrite(path, 4096);
}

static void lose_end(const char *path) {
        ASSERT_INT(truncate(path, 4096 + 100), 0);
}

static void lose_all(const char *path) {
        ASSERT_INT(unlink(path), 0);
}

static void lose_pages(const char *path) {
        ASSERT_INT(truncate(path, 0), 0);
}

TEST(damage_is_refused_and_restored) {
        _cleanup_free_ char *page = path_of("page.db"), *all = path_of("all.db");

        damaged("header.db", lose_header);
        damaged("page.db", lose_page);
        ASSERT_INT(sql_was_restored(page), true);
        damaged("end.db", lose_end);
        damaged("pages.db", lose_pages);
        damaged("all.db", lose_all);
        ASSERT_INT(sql_was_restored(all), true); /* nothing was left of it, and that is told */
}

/* As a restoration leaves it that was killed where the file had its new name, and the log not yet:
 * the log must not come to the copy. */
TEST(a_restoration_that_was_cut_short_is_done_by_the_next) {
        _cleanup_free_ char *path = path_of("cut.db"), *log = path_of("cut.db-wal"),
                            *old = path_of("cut.db.damaged-wal"), *was = path_of("cut.db.damaged");
        int64_t number = -1;
        bool restored = false;
        struct stat st;
        Error err = {};

        make("cut.db", path);
        ASSERT_INT(rename(path, was), 0);
        ASSERT_OK(stat(was, &st), &err);
        const off_t size = st.st_size;
        _cleanup_close_ int fd = open(log, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        ASSERT(fd >= 0);
        ASSERT_INT(sql_check_file(path, &err), -EUCLEAN);
        ASSERT_OK(sql_restore(path, &restored, &err), &err);
        ASSERT_INT(restored, true);
        ASSERT_OK(stat(was, &st), &err);
        ASSERT_INT(st.st_size, size);
        ASSERT_INT(access(log, F_OK), -1);
        ASSERT_INT(access(old, F_OK), 0);
        number_in("cut.db", &number);
        ASSERT_INT(number, 7);
}

/* One that can't move the log has moved the file: without its log that could pass for sound. */
TEST(a_restoration_that_fails_is_done_by_the_next) {
        _cleanup_close_ int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_free_ char *path = path_of("order.db"), *log = path_of("order.db-wal"),
                            *old = path_of("order.db.damaged-wal");
        int64_t number = -1;
        bool restored = true;
        sqlite3 *db = NULL;
        Error err = {};

        make("order.db", path);
        ASSERT_OK(sql_open_at(fd, "order.db", "", &db, &err), &err); /* keeps the log there */
        ASSERT_OK(sql_run(db, &err, "INSERT INTO t VALUES(8)", ""), &err);
        lose_header(path);
        ASSERT_INT(mkdir(old, 0700), 0);
        ASSERT_INT(sql_restore(path, &restored, &err), -EISDIR);
        ASSERT_INT(restored, false);
        ASSERT_INT(access(path, F_OK), -1);
        ASSERT_INT(access(log, F_OK), 0);
        ASSERT_INT(rmdir(old), 0);
        err = (Error){};
        ASSERT_OK(sql_restore(path, &restored, &err), &err);
        ASSERT_INT(restored, true);
        ASSERT_INT(access(old, F_OK), 0);
        sql_close(db);
        number_in("order.db", &number);
        ASSERT_INT(number, 7);
}

TEST(damage_without_a_sound_copy) {
        _cleanup_free_ char *path = path_of("both.db"), *copy = path_of("both.db.copy");
        bool restored = true;
        Error err = {};

        make("both.db", path);
        lose_header(path);
        lose_header(copy);
        ASSERT_INT(sql_restore(path, &restored, &err), -EUCLEAN);
        ASSERT_INT(restored, false);
        ASSERT(strstr(err.message, "the copy"));
        ASSERT_INT(unlink(copy), 0);
        ASSERT_INT(sql_restore(path, &restored, &err), -EUCLEAN);
        ASSERT(strstr(err.message, "has no copy"));
        ASSERT(strstr(err.message, path));
}

/* What the copier cannot read leaves the copy of before. */
TEST(damage_is_not_copied) {
        _cleanup_free_ char *path = path_of("kept.db");
        int64_t number = -1;
        bool restored = false;
        Error err = {};

        make("kept.db", path);
        lose_header(path);
        SqlCopier *copier = sql_copier_new(path);
        sql_copier_want(copier);
        sql_copier_free(copier);
        ASSERT_OK(sql_restore(path, &restored, &err), &err);
        number_in("kept.db", &number);
        ASSERT_INT(number, 7);
}

TEST(cleans_up) {
        Error err = {};

        ASSERT_OK(dir_remove_at(AT_FDCWD, directory, &err), &err);
}

__attribute__((constructor)) static void make_directory(void) {
        if (!mkdtemp(directory))
                abort();
}

TEST_MAIN()
