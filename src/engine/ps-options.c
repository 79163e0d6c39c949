/* ps-options.c: ps(1)'s command line. Its options are of three kinds: clusters after a dash, as of
 * UNIX, clusters without one, as of BSD, and long words. Which processes are meant is not theirs to
 * say here: it is all of a container. */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "engine/ps.h"

/* What the words have asked for; `list` is built as they come. */
typedef struct Asked {
        bool full, extra, jobs, user, bsd, threads, forest;
        PsLayout list;
} Asked;

void ps_layout_done(PsLayout *layout) {
        for (size_t i = 0; i < layout->count; i++)
                free(layout->items[i].title);
        free(layout->items);
        *layout = (PsLayout){ 0 };
}

/* ---- lists of columns ---- */

static void layout_add(PsLayout *layout, const PsColumn *column, const char *title) {
        GROW(layout->items, layout->count);
        layout->items[layout->count].column = column;
        layout->items[layout->count++].title = str_copy(title);
}

/* "comm", "comm=NAME", "comm=" for no header, "comm:20", whose width means nothing here. */
static int add_word(PsLayout *layout, const char *word, Error *err) {
        size_t length = strcspn(word, ":=");
        const char *rest = word + length;
        _cleanup_free_ char *name = str_copy_n(word, length);
        const PsColumn *column = ps_column_find(name);

        if (*rest == ':')
                rest += 1 + strspn(rest + 1, "0123456789");
        if (!column || (*rest && *rest != '='))
                return error_kind(err, ERROR_INVALID, "top: ps's column '%s' is not supported",
                                  word);
        layout_add(layout, column, *rest ? rest + 1 : column->title);
        return 0;
}

static int add_list(PsLayout *layout, const char *text, Error *err) {
        _cleanup_strv_ char **words = str_split(text, ',');
        int r = 0;

        for (char **word = words; r == 0 && word && *word; word++)
                r = add_word(layout, *word, err);
        return r;
}

/* -o's list is the rest of its cluster, or the next word. */
static int take_list(Asked *asked, const char *rest, char ***word, Error *err) {
        const char *list = *rest ? rest : (*word)[1] ? *++*word : "";

        if (!*list)
                return error_kind(err, ERROR_INVALID,
                                  "top: ps's option '-o' wants a list of columns");
        return add_list(&asked->list, list, err);
}

/* ---- clusters ---- */

static int refuse(const char *option, const char *word, Error *err) {
        return error_kind(err, ERROR_INVALID,
                          "top: ps's option '%s' (of '%s') is not supported: -A -e -a -d -f -F -j "
                          "-L -w, a u x f w, --forest and -o with a list of columns are",
                          option, word);
}

static int read_unix(Asked *asked, char ***word, Error *err) {
        for (const char *at = **word + 1; *at; at++) {
                const char option[] = { '-', *at, '\0' };

                if (*at == 'o')
                        return take_list(asked, at + 1, word, err);
                asked->full |= *at == 'f' || *at == 'F';
                asked->extra |= *at == 'F';
                asked->jobs |= *at == 'j';
                asked->threads |= *at == 'L';
                if (!strchr("AeadwfFjL", *at))
                        return refuse(option, **word, err);
        }
        return 0;
}

static int read_bsd(Asked *asked, const char *text, char ***word, Error *err) {
        for (const char *at = text; *at; at++) {
                const char option[] = { *at, '\0' };

                asked->bsd = true;
                if (*at == 'o')
                        return take_list(asked, at + 1, word, err);
                asked->user |= *at == 'u';
                asked->forest |= *at == 'f';
                if (!strchr("axwuf", *at))
                        return refuse(option, **word, err);
        }
        return 0;
}

/* There is no -x, so that ps takes the cluster for one without a dash: "-aux", "-axo pid". */
static bool is_bsd_all_the_same(const char *cluster) {
        size_t end = strcspn(cluster, "xo");

        return cluster[end] == 'x';
}

static int read_long(Asked *asked, char ***word, Error *err) {
        const char *list = str_after(**word, "--format=");

        if (list || str_equal(**word, "--format"))
                return take_list(asked, list ?: "", word, err);
        if (!str_equal(**word, "--forest"))
                return error_kind(err, ERROR_INVALID,
                                  "top: ps's option '%s' is not supported: --forest and "
                                  "--format=LIST are",
                                  **word);
        asked->forest = true;
        return 0;
}

static int read_word(Asked *asked, char ***word, Error *err) {
        const char *text = **word;

        if (str_after(text, "--"))
                return read_long(asked, word, err);
        /* Not ps's BSD "ef", which tells the environment: it is written for -ef. */
        if (str_equal(text, "ef")) {
                asked->full = true;
                return 0;
        }
        if (*text != '-')
                return read_bsd(asked, text, word, err);
        return is_bsd_all_the_same(text + 1) ? read_bsd(asked, text + 1, word, err)
                                             : read_unix(asked, word, err);
}

/* ---- layouts ---- */

static bool conflicts(const Asked *asked) {
        bool unix_format = asked->full || asked->jobs || asked->threads;

        return asked->user && (unix_format || asked->list.count > 0);
}

/* ps's own, in the words of its -o; the caller's. */
static char *standard(const Asked *asked) {
        const bool full = asked->full, jobs = asked->jobs, threads = asked->threads;

        if (asked->user)
                return str_copy("user,pid,pcpu,pmem,vsz,rss,tty=TTY,stat,start_time,bsdtime,args");
        if (asked->bsd && !full && !jobs && !threads)
                return str_copy("pid,tty=TTY,stat,bsdtime,args");
        return str_format("%s%s%s%s%s%stty=TTY,time,%s", full ? "user=UID,pid,ppid," : "pid,",
                          jobs ? "pgid,sid," : "", threads ? "lwp," : "",
                          full ? threads ? "c,nlwp," : "c," : "", asked->extra ? "sz,rss,psr," : "",
                          full ? "stime," : "", full ? "cmd" : "ucmd");
}

static int finish(Asked *asked, Error *err) {
        int r = 0;

        if (conflicts(asked))
                return error_kind(err, ERROR_INVALID, "ps: error: conflicting format options");
        if (asked->list.count == 0) {
                _cleanup_free_ char *list = standard(asked);

                r = add_list(&asked->list, list, err);
        }
        asked->list.forest = asked->forest;
        asked->list.threads = asked->threads;
        for (size_t i = 0; r == 0 && i < asked->list.count; i++)
                if (ps_column_is_pid(asked->list.items[i].column))
                        return 0;
        return r < 0 ? r : error_kind(err, ERROR_INTERNAL, "Couldn't find PID field in ps output");
}

int ps_layout_parse(const char *args, PsLayout *ret, Error *err) {
        _cleanup_strv_ char **words = str_split(str_empty(args) ? "-ef" : args, ' ');
        Asked asked = { 0 };
        int r = 0;

        for (char **word = words; r == 0 && word && *word; word++)
                if (**word)
                        r = read_word(&asked, &word, err);
        if (r == 0)
                r = finish(&asked, err);
        if (r < 0)
                ps_layout_done(&asked.list);
        else
                *ret = asked.list;
        return r;
}
