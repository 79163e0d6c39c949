/* plan-copy.c: COPY and ADD: their sources by kind, destination and options. */
#include "build/ignore.h"
#include "build/plan-private.h"
#include "build/words.h"
#include "format/digest.h"
#include "format/git-source.h"

/* ---- remote sources ---- */

static bool is_url(const char *source) {
        return str_after(source, "http://") || str_after(source, "https://");
}

/* ---- paths ---- */

/* Clean and relative to the root of what it is in. The caller's. */
static char *relative_path(const char *path) {
        _cleanup_free_ char *clean = path_below("/", path);

        return str_copy(clean[1] ? clean + 1 : ".");
}

/* With --parents, what stands before a "/./" is left out of the copy: it stays in the path. */
static char *source_path(const char *source, bool parents) {
        const char *pivot = parents ? strstr(source, "/./") : NULL;

        if (!pivot)
                return relative_path(source);
        _cleanup_free_ char *above = str_copy_n(source, (size_t)(pivot - source));
        _cleanup_free_ char *parent = relative_path(above);
        _cleanup_free_ char *below = relative_path(pivot + strlen("/./"));
        return str_equal(parent, ".") ? TAKE_PTR(below) : str_format("%s/./%s", parent, below);
}

/* A '/' at the end, or what means the same, says that a directory is meant. */
static char *destination(const char *cwd, const char *path) {
        char *clean = path_below(cwd, path);
        bool directory =
                !*path || str_equal(path, ".") || str_ends(path, "/") || str_ends(path, "/.");

        if (!directory || str_equal(clean, "/"))
                return clean;
        char *with_slash = str_format("%s/", clean);
        free(clean);
        return with_slash;
}

/* ---- sources ---- */

static void add_source(CopyStep *copy, CopySourceKind kind, char *path, char *content) {
        GROW(copy->sources, copy->source_count);
        copy->sources[copy->source_count++] =
                (CopySource){ .kind = kind, .path = path, .content = content };
}

static const Heredoc *heredoc_of(const Instruction *at, const char *word) {
        _cleanup_free_ char *name = NULL;

        if (!at->heredoc_count || !heredoc_word(word, &name))
                return NULL;
        for (size_t i = at->heredoc_count; i--;)
                if (str_equal(at->heredocs[i].name, name))
                        return &at->heredocs[i];
        return NULL;
}

/* What the URL says and what the flags say must be the same. */
static int add_git(Dispatch *dispatch, const char *text, const GitSource *source, Error *err) {
        CopyStep *copy = &dispatch->step.copy;

        if (source->keep_given) {
                if (instruction_flag(dispatch->instruction, "keep-git-dir") &&
                    copy->keep_git_dir != source->keep_git_dir)
                        return dispatch_error(dispatch, err,
                                              "inconsistent keep-git-dir configuration");
                copy->keep_git_dir = source->keep_git_dir;
        }
        if (source->checksum && copy->checksum && !str_equal(source->checksum, copy->checksum))
                return dispatch_error(dispatch, err, "checksum mismatch \"%.100s\" != \"%s\"",
                                      copy->checksum, source->checksum);
        if (source->checksum)
                str_replace(&copy->checksum, source->checksum);
        add_source(copy, COPY_GIT, str_copy(text), git_source_text(source));
        return 0;
}

/* 1: it names a repository; 0: it does not. */
static int try_git(Dispatch *dispatch, const char *text, Error *err) {
        GitSource source = {};
        Error why = {};
        int r = git_source_parse(text, false, &source, &why);

        if (r < 0)
                return dispatch_error(dispatch, err, "%s", why.message);
        if (r == 0)
                return 0;
        if (dispatch->step.copy.add)
                r = add_git(dispatch, text, &source, err);
        else
                r = dispatch_error(dispatch, err, "source can't be a git ref for COPY: use ADD");
        git_source_done(&source);
        return r < 0 ? r : 1;
}

static int add_file(Dispatch *dispatch, const char *source, Error *err) {
        CopyStep *copy = &dispatch->step.copy;
        bool url = is_url(source);
        int r = try_git(dispatch, source, err);

        if (r < 0)
                return r;
        if (r == 0 && url && !copy->add)
                return dispatch_error(dispatch, err, "source can't be a URL for COPY: use ADD");
        if (r == 0 && url)
                add_source(copy, COPY_URL, str_copy(source), NULL);
        else if (r == 0)
                add_source(copy, COPY_FILES, source_path(source, copy->parents), NULL);
        return dispatch_count(dispatch, strlen(source), err);
}

static int add_inline(Dispatch *dispatch, const Heredoc *heredoc, Error *err) {
        WordRules rules = { .escape = '\\', .env = dispatch->env, .plain_quotes = true };
        _cleanup_free_ char *content = NULL;
        Error why = {};

        if (!heredoc->expand)
                content = str_copy(heredoc->content);
        else if (word_expand(heredoc->content, &rules, &content, &why) < 0)
                return dispatch_error(dispatch, err, "%s", why.message);
        int r = dispatch_count(dispatch, strlen(content), err);
        if (r == 0)
                add_source(&dispatch->step.copy, COPY_INLINE, str_copy(heredoc->name),
                           TAKE_PTR(content));
        return r;
}

/* Files in their order, then heredocs, as BuildKit copies them; words: as the history has them. */
static int read_sources(Dispatch *dispatch, Buf *words, Error *err) {
        const Instruction *at = dispatch->instruction;
        int r = 0;

        for (size_t i = 0; r == 0 && i + 1 < at->word_count; i++) {
                _cleanup_free_ char *source = NULL;

                if (heredoc_of(at, at->words[i]))
                        continue;
                r = dispatch_expand(dispatch, at->words[i], &source, err);
                if (r == 0)
                        r = add_file(dispatch, source, err);
                if (r == 0)
                        buf_format(words, " %s", source);
        }
        for (size_t i = 0; r == 0 && i + 1 < at->word_count; i++) {
                const Heredoc *heredoc = heredoc_of(at, at->words[i]);

                if (!heredoc)
                        continue;
                r = add_inline(dispatch, heredoc, err);
                if (r == 0)
                        buf_format(words, " <<%s", heredoc->name);
        }
        return r;
}

static int read_input(Dispatch *dispatch, Error *err) {
        const char *from =
                dispatch->step.copy.add ? NULL : instruction_flag(dispatch->instruction, "from");
        Input *input = &dispatch->step.copy.from;

        if (str_empty(from)) {
                *input = (Input){ .kind = INPUT_CONTEXT, .name = str_copy("") };
        } else {
                int r = plan_from_input(dispatch->plan, from, false, dispatch->at, input, err);

                if (r == 0)
                        r = plan_check_order(dispatch->plan, dispatch->index, input, false,
                                             dispatch->at, err);
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; dispatch->trigger && i < dispatch->step.copy.source_count; i++)
                if (dispatch->step.copy.sources[i].kind == COPY_FILES)
                        plan_add_input(dispatch->stage, input);
        return 0;
}

/* ---- options ---- */

/* Whether the flag is there, and what it says. */
static bool bool_flag(const Instruction *at, const char *name, bool *ret) {
        for (size_t i = 0; i < at->flag_count; i++)
                if (str_equal(at->flags[i].name, name)) {
                        _cleanup_free_ char *value =
                                str_lower(str_copy(at->flags[i].value ?: "true"));

                        *ret = str_equal(value, "true");
                        return true;
                }
        return false;
}

/* One clause of chmod(1): "u+rwX", "go=u-w". */
static bool is_symbolic_clause(const char *clause) {
        clause += strspn(clause, "ugoa");
        do {
                if (!*clause || !strchr("+-=", *clause))
                        return false;
                clause++;
                clause += strspn(clause, "rwxXstugo");
        } while (*clause);
        return true;
}

static int check_mode(const Dispatch *dispatch, const char *mode, Error *err) {
        _cleanup_strv_ char **clauses = NULL;
        bool fine = mode[strspn(mode, "0")] ? strlen(mode + strspn(mode, "0")) <= 4 : true;

        if (str_empty(mode) || (fine && !mode[strspn(mode, "01234567")]))
                return 0;
        clauses = str_split(mode, ',');
        fine = strspn(mode, "0123456789") == 0;
        for (char **clause = clauses; *clause && fine; clause++)
                fine = is_symbolic_clause(*clause);
        if (fine)
                return 0;
        return dispatch_error(dispatch, err,
                              "invalid chmod parameter: '%.100s'. it should be octal string and "
                              "between 0 and 07777, or symbolic, as u=rwX,go=rX",
                              mode);
}

static int check_commit(Dispatch *dispatch, Error *err) {
        char *checksum = str_lower(dispatch->step.copy.checksum);
        size_t length = strlen(checksum);

        if (length <= 64 && strspn(checksum, "0123456789abcdef") == length)
                return 0;
        return dispatch_error(dispatch, err,
                              "invalid checksum %.100s for Git URL, expected hex commit hash",
                              checksum);
}

static int check_checksum(Dispatch *dispatch, Error *err) {
        const CopyStep *copy = &dispatch->step.copy;
        CopySourceKind kind = copy->source_count ? copy->sources[0].kind : COPY_INLINE;

        if (!copy->checksum)
                return 0;
        if (copy->source_count != 1)
                return dispatch_error(dispatch, err,
                                      "checksum can't be specified for multiple sources");
        if (kind != COPY_URL && kind != COPY_GIT)
                return dispatch_error(dispatch, err, "checksum requires HTTP(S) or Git sources");
        if (kind == COPY_GIT)
                return check_commit(dispatch, err);
        if (!digest_valid(copy->checksum))
                return dispatch_error(dispatch, err,
                                      "invalid checksum digest format: \"%.100s\": write sha256: "
                                      "and 64 hexadecimal digits",
                                      copy->checksum);
        return 0;
}

/* The value of a flag with its variables replaced; what becomes "" is as if it were not there. */
static int expand_flag(const Dispatch *dispatch, const char *name, char **ret, Error *err) {
        int r = dispatch_expand(dispatch, instruction_flag(dispatch->instruction, name), ret, err);

        if (r == 0 && *ret && !**ret)
                str_replace(ret, NULL);
        return r;
}

static int read_flags(Dispatch *dispatch, Error *err) {
        const Instruction *at = dispatch->instruction;
        CopyStep *copy = &dispatch->step.copy;
        bool unpack = false;

        copy->add = at->kind == INSTRUCTION_ADD;
        (void)bool_flag(at, "link", &copy->link);
        (void)bool_flag(at, "parents", &copy->parents);
        (void)bool_flag(at, "keep-git-dir", &copy->keep_git_dir);
        if (bool_flag(at, "unpack", &unpack))
                copy->unpack = alloc_copy(&unpack, sizeof(unpack));
        for (size_t i = 0; i < at->flag_count; i++)
                if (str_equal(at->flags[i].name, "exclude"))
                        strv_add(&copy->excludes, at->flags[i].value);
        int r = expand_flag(dispatch, "chown", &copy->chown, err);
        if (r == 0)
                r = expand_flag(dispatch, "chmod", &copy->chmod, err);
        if (r == 0)
                r = expand_flag(dispatch, "checksum", &copy->checksum, err);
        return r < 0 || !copy->chmod ? r : check_mode(dispatch, copy->chmod, err);
}

/* "55" or "55:20"; else a name is to be looked up. */
static bool is_numeric(const char *owner) {
        size_t user = strspn(owner, "0123456789");
        const char *group = owner + user;

        return user > 0 && (!*group || (*group == ':' && group[1] &&
                                        !group[1 + strspn(group + 1, "0123456789")]));
}

bool copy_is_linked(const CopyStep *copy) {
        return copy->link && !copy->chmod && (!copy->chown || is_numeric(copy->chown));
}

int dispatch_copy(Dispatch *dispatch, Error *err) {
        const Instruction *at = dispatch->instruction;
        CopyStep *copy = &dispatch->step.copy;
        _cleanup_free_ char *dest = NULL;
        _cleanup_buf_ Buf words = {};
        int r = read_flags(dispatch, err);

        if (r < 0)
                return r;
        buf_format(&words, "%s%s", copy->add ? "ADD" : "COPY", copy->parents ? " --parents" : "");
        if (copy->chown)
                buf_format(&words, " --chown=%s", copy->chown);
        if (copy->chmod)
                buf_format(&words, " --chmod=%s", copy->chmod);
        r = read_sources(dispatch, &words, err);
        if (r == 0)
                r = check_checksum(dispatch, err);
        if (r == 0)
                r = read_input(dispatch, err);
        if (r == 0)
                r = dispatch_expand(dispatch, at->words[at->word_count - 1], &dest, err);
        if (r < 0)
                return r;
        copy->dest = destination(dispatch->step.cwd, dest);
        buf_format(&words, " %s # buildkit", dest);
        return dispatch_commit(dispatch, STEP_COPY, false, buf_take(&words), err);
}
