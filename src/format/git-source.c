/* git-source.c: see git-source.h. */
#include "format/git-source.h"

#include "base/str.h"

#define REF_MAX 1000
#define URL_MAX 4096

static const char word_letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";

void git_remote_done(GitRemote *remote) {
        free(remote->url);
        free(remote->user);
        free(remote->host);
        free(remote->origin);
        *remote = (GitRemote){};
}

void git_source_done(GitSource *source) {
        git_remote_done(&source->remote);
        free(source->ref);
        free(source->subdir);
        free(source->checksum);
        *source = (GitSource){};
}

/* ---- percent-encoding ---- */

static int hex_value(char digit) {
        static const char digits[] = "0123456789abcdef0123456789ABCDEF";
        const char *at = digit ? strchr(digits, digit) : NULL;

        return at ? (int)((at - digits) % 16) : -1;
}

/* RFC 3986, section 2.1; plus: a '+' is a space, as in queries. A zero is as wrong as half a code.
 */
static int decode(const char *text, size_t length, bool plus, char **ret, Error *err) {
        _cleanup_buf_ Buf decoded = {};

        for (size_t i = 0; i < length; i++) {
                int high, low;

                if (text[i] != '%') {
                        buf_add_char(&decoded, plus && text[i] == '+' ? ' ' : text[i]);
                        continue;
                }
                high = i + 2 < length ? hex_value(text[i + 1]) : -1;
                low = i + 2 < length ? hex_value(text[i + 2]) : -1;
                if (high < 0 || low < 0 || high + low == 0)
                        return error_kind(err, ERROR_INVALID, "invalid URL escape \"%.3s\"",
                                          text + i);
                buf_add_char(&decoded, (char)(high * 16 + low));
                i += 2;
        }
        *ret = buf_take(&decoded);
        return 0;
}

/* ---- repositories ---- */

static bool has_bad_byte(const char *text) {
        for (; *text; text++)
                if ((unsigned char)*text <= ' ' || *text == 127 || strchr("\"\\<>`", *text))
                        return true;
        return false;
}

static int bad_remote(const char *why, Error *err) {
        return error_kind(err, ERROR_INVALID, "invalid URL of a git repository: %s", why);
}

/* user@host:path; the lengths of user and host, or false. */
static bool is_scp(const char *text, size_t *ret_user, size_t *ret_host) {
        size_t user = strspn(text, word_letters), host;

        if (!user || text[user] != '@')
                return false;
        for (host = 0; text[user + 1 + host];) {
                char c = text[user + 1 + host];

                if (c != '.' && (c == '_' || !strchr(word_letters, c)))
                        break;
                host++;
        }
        *ret_user = user;
        *ret_host = host;
        return host > 0 && text[user + 1 + host] == ':';
}

static int parse_scp(const char *text, size_t user, size_t host, GitRemote *ret, Error *err) {
        const char *path = text + user + 1 + host + 1;

        if (*text == '-' || text[user + 1] == '-' || *path == '-')
                return bad_remote("a part of it begins with '-'", err);
        if (!*path)
                return bad_remote("it has no path", err);
        *ret = (GitRemote){ .url = str_copy(text),
                            .host = str_copy_n(text + user + 1, host),
                            .ssh = true };
        return 0;
}

static const char *const schemes[] = { "http", "https", "ssh", "git" };
enum { HTTP, HTTPS, SSH, GIT };

/* Its number and what follows "://"; -1: none of git's. */
static int scheme_of(const char *text, const char **ret_rest) {
        _cleanup_free_ char *scheme = str_lower(str_copy_n(text, strcspn(text, ":/")));
        const char *rest = str_after(text + strlen(scheme), "://");

        for (int i = 0; rest && i < (int)ELEMENTS(schemes); i++)
                if (str_equal(scheme, schemes[i])) {
                        *ret_rest = rest;
                        return i;
                }
        return -1;
}

/* What stands before the host. Of http it becomes a header, so that it is on no command line. */
static int take_user(int scheme, const char *rest, size_t length, GitRemote *ret, Error *err) {
        int r;

        if (scheme == SSH && memchr(rest, ':', length))
                return bad_remote("ssh takes no password from it: give an agent with --ssh", err);
        if (scheme == GIT)
                return bad_remote("git:// has no users", err);
        if (*rest == '-')
                return bad_remote("its user begins with '-'", err);
        if (scheme == SSH)
                return 0;
        r = decode(rest, length, false, &ret->user, err);
        if (r == 0 && !strchr(ret->user, ':')) {
                char *with_colon = str_format("%s:", ret->user);

                free(ret->user);
                ret->user = with_colon;
        }
        return r;
}

static int check_host(const char *host, Error *err) {
        static const char letters[] = "[]:.%~";

        if (!*host || *host == ':')
                return bad_remote("it has no host", err);
        if (*host == '-')
                return bad_remote("its host begins with '-'", err);
        for (; *host; host++)
                if (!strchr(word_letters, *host) && !strchr(letters, *host))
                        return bad_remote("its host has a letter that no host has", err);
        return 0;
}

static int parse_url(int scheme, const char *rest, GitRemote *ret, Error *err) {
        size_t authority = strcspn(rest, "/");
        const char *at = memrchr(rest, '@', authority), *host = at ? at + 1 : rest;
        bool is_http = scheme == HTTP || scheme == HTTPS;
        int r = at ? take_user(scheme, rest, (size_t)(at - rest), ret, err) : 0;

        if (r < 0)
                return r;
        ret->host = str_copy_n(host, authority - (size_t)(host - rest));
        r = check_host(ret->host, err);
        if (r < 0)
                return r;
        if (rest[authority] == '\0' || rest[authority + 1] == '\0')
                return bad_remote("it has no path", err);
        ret->ssh = scheme == SSH;
        ret->url = str_format("%s://%s", schemes[scheme], is_http ? host : rest);
        if (is_http)
                ret->origin = str_format("%s://%s/", schemes[scheme], ret->host);
        return 0;
}

int git_remote_parse(const char *text, GitRemote *ret, Error *err) {
        GitRemote remote = {};
        const char *rest;
        int scheme = scheme_of(text, &rest), r;
        size_t user, host;

        if (strlen(text) > URL_MAX)
                return bad_remote("it is longer than 4096 bytes", err);
        if (has_bad_byte(text))
                return bad_remote("it has a space, a quote or a control character", err);
        if (scheme < 0 && is_scp(text, &user, &host))
                return parse_scp(text, user, host, ret, err);
        if (scheme < 0)
                return bad_remote("it is none of https://, http://, ssh://, git:// and "
                                  "user@host:path",
                                  err);
        r = parse_url(scheme, rest, &remote, err);
        if (r < 0)
                git_remote_done(&remote);
        else
                *ret = remote;
        return r;
}

char *git_remote_join(const char *base, const char *url) {
        _cleanup_free_ char *top = str_copy(base);
        char separator = '/';

        if (!str_after(url, "./") && !str_after(url, "../"))
                return str_copy(url);
        while (str_ends(top, "/"))
                top[strlen(top) - 1] = '\0';
        for (;;) {
                char *last;

                if (str_after(url, "./")) {
                        url += strlen("./");
                        continue;
                }
                if (!str_after(url, "../"))
                        break;
                url += strlen("../");
                last = strrchr(top, '/');
                if (!last) {
                        last = strrchr(top, ':');
                        separator = ':';
                }
                if (!last)
                        break;
                *last = '\0';
        }
        return str_format("%s%c%s", top, separator, url);
}

/* ---- refs ---- */

bool git_is_commit(const char *text) {
        size_t length = text ? strlen(text) : 0;

        return (length == 40 || length == 64) && strspn(text, "0123456789abcdef") == length;
}

static bool is_bad_component(const char *component, size_t length) {
        return length == 0 || component[0] == '.' || component[length - 1] == '.' ||
               (length >= 5 && memcmp(component + length - 5, ".lock", 5) == 0);
}

int git_ref_check(const char *ref, Error *err) {
        const char *why = NULL;

        if (strlen(ref) > REF_MAX)
                return error_kind(err, ERROR_INVALID,
                                  "invalid git ref '%.40s…': it is longer than 1000 bytes", ref);
        if (*ref == '-')
                why = "it begins with '-'";
        else if (strstr(ref, "..") || strstr(ref, "@{"))
                why = "it has '..' or '@{'";
        for (const char *at = ref; *at && !why; at++)
                if ((unsigned char)*at <= ' ' || *at == 127 || strchr("~^:?*[\\", *at))
                        why = "it has a character that no ref has";
        for (const char *at = ref; !why;) {
                size_t length = strcspn(at, "/");

                if (is_bad_component(at, length))
                        why = "a part of it is empty, begins or ends with '.', or ends with "
                              "'.lock'";
                if (!at[length])
                        break;
                at += length + 1;
        }
        return why ? error_kind(err, ERROR_INVALID, "invalid git ref '%.100s': %s", ref, why) : 0;
}

/* ---- sources ---- */

/* Clean and below the root whatever ".." it has; NULL: the root itself. */
static char *clean_subdir(const char *path) {
        _cleanup_strv_ char **parts = str_split(path, '/');
        _cleanup_buf_ Buf clean = {};

        for (char **part = parts; part && *part; part++) {
                if (!**part || str_equal(*part, "."))
                        continue;
                if (!str_equal(*part, "..")) {
                        buf_format(&clean, "%s%s", clean.length ? "/" : "", *part);
                } else if (clean.length) {
                        char *last = strrchr(clean.data, '/');

                        clean.length = last ? (size_t)(last - clean.data) : 0;
                        clean.data[clean.length] = '\0';
                }
        }
        return clean.length ? buf_take(&clean) : NULL;
}

/* One thing said twice must be the same. */
static int set_once(char **place, const char *what, const char *value, Error *err) {
        if (*place && !str_equal(*place, value))
                return error_kind(err, ERROR_INVALID, "%s conflicts: \"%.200s\" vs \"%.200s\"",
                                  what, *place, value);
        str_replace(place, value);
        return 0;
}

static int read_fragment(const char *fragment, GitSource *ret, Error *err) {
        _cleanup_free_ char *text = NULL;
        char *colon;
        int r = decode(fragment, strlen(fragment), false, &text, err);

        if (r < 0)
                return r;
        colon = strchr(text, ':');
        if (colon)
                *colon = '\0';
        if (*text)
                ret->ref = str_copy(text);
        if (colon)
                ret->subdir = clean_subdir(colon + 1);
        return 0;
}

/* A query's values: each at most once. */
typedef struct Query {
        char *ref, *tag, *branch, *subdir, *checksum, *keep_git_dir, *submodules, *mtime;
} Query;

static void query_done(Query *query) {
        free(query->ref);
        free(query->tag);
        free(query->branch);
        free(query->subdir);
        free(query->checksum);
        free(query->keep_git_dir);
        free(query->submodules);
        free(query->mtime);
}

static int set_value(Query *query, const char *key, const char *value, Error *err) {
        const struct {
                const char *key;
                char **place;
                bool bare; /* it may have no value */
        } keys[] = {
                { "ref", &query->ref, false },
                { "tag", &query->tag, false },
                { "branch", &query->branch, false },
                { "subdir", &query->subdir, false },
                { "checksum", &query->checksum, false },
                { "commit", &query->checksum, false },
                { "keep-git-dir", &query->keep_git_dir, true },
                { "submodules", &query->submodules, true },
                { "mtime", &query->mtime, false },
        };

        for (size_t i = 0; i < ELEMENTS(keys); i++) {
                if (!str_equal(keys[i].key, key))
                        continue;
                if (!*value && !keys[i].bare)
                        return error_kind(err, ERROR_INVALID, "query \"%s\" has no value", key);
                if (*keys[i].place)
                        return error_kind(err, ERROR_INVALID, "query \"%s\" has multiple values",
                                          key);
                *keys[i].place = str_copy(*value ? value : "true");
                return 0;
        }
        return error_kind(err, ERROR_INVALID,
                          "unexpected query \"%.100s\": a git repository's has ref, tag, branch, "
                          "subdir, checksum, commit, keep-git-dir, submodules and mtime",
                          key);
}

static int read_query(const char *text, Query *ret, Error *err) {
        _cleanup_strv_ char **pairs = str_split(text, '&');
        int r = 0;

        for (char **pair = pairs; r == 0 && pair && *pair; pair++) {
                _cleanup_free_ char *key = NULL, *value = NULL;
                size_t length = strcspn(*pair, "=");
                const char *rest = (*pair)[length] ? *pair + length + 1 : "";

                if (!**pair)
                        continue;
                r = decode(*pair, length, true, &key, err);
                if (r == 0)
                        r = decode(rest, strlen(rest), true, &value, err);
                if (r == 0)
                        r = set_value(ret, key, value, err);
        }
        return r;
}

/* Go's strconv.ParseBool. */
static int read_bool(const char *key, const char *value, bool *ret, Error *err) {
        static const char *const words[] = { "1", "t", "T", "TRUE",  "true",  "True",
                                             "0", "f", "F", "FALSE", "false", "False" };

        for (size_t i = 0; i < ELEMENTS(words); i++)
                if (str_equal(value, words[i])) {
                        *ret = i < ELEMENTS(words) / 2;
                        return 0;
                }
        return error_kind(err, ERROR_INVALID, "invalid %s value: \"%.100s\"", key, value);
}

static int set_full_ref(GitSource *ret, const char *prefix, const char *name, Error *err) {
        _cleanup_free_ char *full =
                str_after(name, prefix) ? str_copy(name) : str_format("%s%s", prefix, name);

        return set_once(&ret->ref, "ref", full, err);
}

static int apply_refs(const Query *query, GitSource *ret, Error *err) {
        int r = query->ref ? set_once(&ret->ref, "ref", query->ref, err) : 0;

        if (r == 0 && query->tag && query->branch)
                return error_kind(err, ERROR_INVALID, "branch conflicts with tag");
        if (r == 0 && query->tag)
                r = set_full_ref(ret, "refs/tags/", query->tag, err);
        if (r == 0 && query->branch)
                r = set_full_ref(ret, "refs/heads/", query->branch, err);
        return r;
}

static int apply_checksum(const char *checksum, GitSource *ret, Error *err) {
        size_t length = strlen(checksum);

        if (length > 64 || strspn(checksum, "0123456789abcdefABCDEF") != length)
                return error_kind(err, ERROR_INVALID,
                                  "invalid checksum %.100s for Git URL, expected hex commit hash",
                                  checksum);
        ret->checksum = str_lower(str_copy(checksum));
        /* Without a ref it is the commit that is wanted. */
        if (!ret->ref && git_is_commit(ret->checksum))
                ret->ref = str_copy(ret->checksum);
        return 0;
}

static int apply_query(const Query *query, GitSource *ret, Error *err) {
        bool submodules = true;
        int r = apply_refs(query, ret, err);

        if (r == 0 && query->subdir) {
                _cleanup_free_ char *subdir = clean_subdir(query->subdir);

                if (ret->subdir || subdir)
                        r = set_once(&ret->subdir, "subdir", subdir ?: "", err);
        }
        if (r == 0 && query->checksum)
                r = apply_checksum(query->checksum, ret, err);
        if (r == 0 && query->keep_git_dir) {
                ret->keep_given = true;
                r = read_bool("keep-git-dir", query->keep_git_dir, &ret->keep_git_dir, err);
        }
        if (r == 0 && query->submodules)
                r = read_bool("submodules", query->submodules, &submodules, err);
        ret->no_submodules = !submodules;
        if (r == 0 && query->mtime && !str_equal(query->mtime, "commit"))
                r = error_kind(err, ERROR_UNSUPPORTED,
                               "mtime=%.40s: files have the time of their commit here: leave it "
                               "out, or write mtime=commit",
                               query->mtime);
        return r;
}

/* Splits off query and fragment: a query ends at the fragment; both borrowed by what they are in.
 */
static char *split(const char *text, char **ret_query, char **ret_fragment) {
        char *base = str_copy(text), *mark = strchr(base, '#');

        *ret_query = *ret_fragment = NULL;
        if (mark) {
                *mark = '\0';
                *ret_fragment = mark + 1;
        }
        mark = strchr(base, '?');
        if (mark) {
                *mark = '\0';
                *ret_query = mark + 1;
        }
        return base;
}

/* The repository as git has it; NULL: text is none. The caller's. */
static char *repository(const char *base, bool context) {
        const char *rest;
        int scheme = scheme_of(base, &rest);
        size_t user, host;

        if (context && str_after(base, "github.com/"))
                return str_format("https://%s", base);
        if (scheme == SSH || scheme == GIT)
                return str_copy(base);
        if (scheme == HTTP || scheme == HTTPS)
                return strchr(rest, '/') && str_ends(rest, ".git") ? str_copy(base) : NULL;
        return is_scp(base, &user, &host) ? str_copy(base) : NULL;
}

static int parse(const char *base, const char *query, const char *fragment, GitSource *ret,
                 Error *err) {
        _cleanup_(query_done) Query values = {};
        int r = git_remote_parse(base, &ret->remote, err);

        if (r == 0 && fragment)
                r = read_fragment(fragment, ret, err);
        if (r == 0 && query)
                r = read_query(query, &values, err);
        if (r == 0)
                r = apply_query(&values, ret, err);
        if (r == 0 && ret->ref)
                r = git_ref_check(ret->ref, err);
        return r;
}

int git_source_parse(const char *text, bool context, GitSource *ret, Error *err) {
        char *query, *fragment;
        _cleanup_free_ char *base = split(text, &query, &fragment);
        _cleanup_free_ char *remote = repository(base, context);
        GitSource source = {};
        int r;

        if (!remote)
                return 0;
        r = parse(remote, query, fragment, &source, err);
        if (r < 0) {
                git_source_done(&source);
                return r;
        }
        *ret = source;
        return GIT_SOURCE;
}

char *git_source_text(const GitSource *source) {
        return str_format("%s%s%s%s%s", source->remote.url,
                          source->ref || source->subdir ? "#" : "", source->ref ?: "",
                          source->subdir ? ":" : "", source->subdir ?: "");
}
