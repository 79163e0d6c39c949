/* git-answers.c: see git-answers.h. */
#include "image/git-answers.h"

#include "format/git-source.h"

#define MODULES_MAX 1000
#define PREFIX_MIN 7

/* ---- refs ---- */

void git_found_done(GitFound *found) {
        free(found->name);
        *found = (GitFound){};
}

/* One line, "<object>\t<name>", of a listing; borrowed. */
typedef struct RefLine {
        const char *object, *name;
        size_t object_length, name_length;
} RefLine;

static bool next_line(const char **at, RefLine *ret) {
        size_t length = strcspn(*at, "\n");
        const char *tab = memchr(*at, '\t', length);

        if (!**at)
                return false;
        *ret = (RefLine){ .object = *at,
                          .object_length = tab ? (size_t)(tab - *at) : length,
                          .name = tab ? tab + 1 : "" };
        ret->name_length = tab ? length - ret->object_length - 1 : 0;
        *at += length;
        *at += **at == '\n';
        return true;
}

static bool take_object(const RefLine *line, char object[GIT_OBJECT_MAX]) {
        _cleanup_free_ char *text = str_copy_n(line->object, line->object_length);

        if (!git_is_commit(text))
                return false;
        memcpy(object, text, line->object_length + 1);
        return true;
}

/* The object of that very name. */
static bool find_name(const char *listing, const char *name, char object[GIT_OBJECT_MAX]) {
        RefLine line;

        while (next_line(&listing, &line))
                if (line.name_length == strlen(name) &&
                    memcmp(line.name, name, line.name_length) == 0 && take_object(&line, object))
                        return true;
        return false;
}

static bool find_full(const char *listing, const char *name, GitFound *ret) {
        _cleanup_free_ char *peeled = str_format("%s^{}", name);

        if (!find_name(listing, name, ret->object))
                return false;
        if (!find_name(listing, peeled, ret->commit))
                memcpy(ret->commit, ret->object, GIT_OBJECT_MAX);
        str_replace(&ret->name, name);
        return true;
}

/* "ref: refs/heads/main\tHEAD" beside HEAD's own line. */
static bool find_head(const char *listing, GitFound *ret) {
        const char *at = listing;
        RefLine line;

        if (!find_full(listing, "HEAD", ret))
                return false;
        str_replace(&ret->name, NULL);
        while (next_line(&at, &line)) {
                _cleanup_free_ char *left = str_copy_n(line.object, line.object_length);
                const char *target = str_after(left, "ref: ");

                if (target && line.name_length == 4 && memcmp(line.name, "HEAD", 4) == 0 &&
                    str_after(target, "refs/") && git_ref_check(target, NULL) == 0)
                        str_replace(&ret->name, target);
        }
        return true;
}

/* The first digits of what refs point at; 0: none, 1: *ret, else: several objects have them. */
static int find_digits(const char *listing, const char *digits, GitFound *ret) {
        char object[GIT_OBJECT_MAX];
        const char *at = listing;
        RefLine line;
        int count = 0;

        if (strlen(digits) < PREFIX_MIN || digits[strspn(digits, "0123456789abcdef")])
                return 0;
        while (next_line(&at, &line)) {
                _cleanup_free_ char *name = str_copy_n(line.name, line.name_length);

                if (!str_after(name, "refs/") || !take_object(&line, object) ||
                    !str_after(object, digits) || (count && str_equal(object, ret->object)))
                        continue;
                if (str_ends(name, "^{}"))
                        name[strlen(name) - 3] = '\0';
                count++;
                memcpy(ret->object, object, sizeof(object));
                memcpy(ret->commit, object, sizeof(object));
                str_replace(&ret->name, git_ref_check(name, NULL) == 0 ? name : NULL);
        }
        return count;
}

int git_refs_find(const char *listing, const char *ref, GitFound *ret, Error *err) {
        static const char *const prefixes[] = { "refs/", "refs/heads/", "refs/tags/" };
        GitFound found = {};
        bool there = false;
        int count = 0;

        if (!ref || str_equal(ref, "HEAD"))
                there = find_head(listing, &found);
        else if (str_after(ref, "refs/"))
                there = find_full(listing, ref, &found);
        for (size_t i = 0; ref && !there && i < ELEMENTS(prefixes); i++) {
                _cleanup_free_ char *name = str_format("%s%s", prefixes[i], ref);

                there = find_full(listing, name, &found);
        }
        if (!there && ref)
                count = find_digits(listing, ref, &found);
        if (there || count == 1) {
                *ret = found;
                return 0;
        }
        git_found_done(&found);
        if (count > 1)
                return error_kind(err, ERROR_INVALID,
                                  "several refs begin with the digits %s: write all 40", ref);
        return error_kind(err, ERROR_NOT_FOUND,
                          ref ? "repository does not contain ref %s; a commit that no ref points "
                                "at is named by all of its 40 digits"
                              : "repository has no HEAD: name a branch, a tag or a commit%s",
                          ref ?: "");
}

/* ---- submodules ---- */

void git_modules_done(GitModules *modules) {
        for (size_t i = 0; i < modules->count; i++) {
                free(modules->items[i].path);
                free(modules->items[i].url);
        }
        free(modules->items);
        *modules = (GitModules){};
}

/* A record that ends with a zero; NULL at the end. */
static const char *next_record(const char **at, const char *end) {
        const char *record = *at, *zero;

        if (!record || record >= end || !(zero = memchr(record, '\0', (size_t)(end - record))))
                return NULL;
        *at = zero + 1;
        return record;
}

/* "submodule.NAME.path\nVALUE": the name is used for nothing but to bring both together. */
typedef struct Section {
        char *name, *path, *url;
} Section;

typedef struct Sections {
        Section *items;
        size_t count;
} Sections;

static void sections_done(Sections *sections) {
        for (size_t i = 0; i < sections->count; i++) {
                free(sections->items[i].name);
                free(sections->items[i].path);
                free(sections->items[i].url);
        }
        free(sections->items);
}

static Section *section_of(Sections *sections, const char *name) {
        for (size_t i = 0; i < sections->count; i++)
                if (str_equal(sections->items[i].name, name))
                        return &sections->items[i];
        if (sections->count > MODULES_MAX)
                return NULL;
        GROW(sections->items, sections->count);
        sections->items[sections->count] = (Section){ .name = str_copy(name) };
        return &sections->items[sections->count++];
}

/* The later of two values counts, as in git. */
static bool take_setting(Sections *sections, const char *record) {
        size_t length = strcspn(record, "\n");
        _cleanup_free_ char *key = str_copy_n(record, length);
        const char *name = str_after(key, "submodule."), *value = record + length;
        char *last = name ? strrchr(name, '.') : NULL;
        Section *section;

        if (!last || !*value)
                return true;
        *last++ = '\0';
        if (!str_equal(last, "path") && !str_equal(last, "url"))
                return true;
        section = section_of(sections, name);
        if (!section)
                return false;
        str_replace(str_equal(last, "path") ? &section->path : &section->url, value + 1);
        return true;
}

static bool is_safe_path(const char *path) {
        _cleanup_strv_ char **parts = str_split(path, '/');

        for (char **part = parts; part && *part; part++) {
                _cleanup_free_ char *lower = str_lower(str_copy(*part));

                if (!*lower || str_equal(lower, ".") || str_equal(lower, "..") ||
                    str_equal(lower, ".git"))
                        return false;
        }
        return parts && *parts;
}

static bool has_path(const GitModules *modules, const char *path) {
        for (size_t i = 0; i < modules->count; i++)
                if (str_equal(modules->items[i].path, path))
                        return true;
        return false;
}

static int add_modules(const Sections *sections, GitModules *ret, Error *err) {
        for (size_t i = 0; i < sections->count; i++) {
                Section *section = &sections->items[i];

                if (!section->path || !section->url)
                        continue;
                while (str_ends(section->path, "/"))
                        section->path[strlen(section->path) - 1] = '\0';
                if (!is_safe_path(section->path))
                        return error_kind(err, ERROR_INVALID,
                                          "the repository has a submodule at '%.100s', which is no "
                                          "path in it",
                                          section->path);
                if (has_path(ret, section->path))
                        continue;
                GROW(ret->items, ret->count);
                ret->items[ret->count] = (GitModule){};
                ret->items[ret->count].path = TAKE_PTR(section->path);
                ret->items[ret->count++].url = TAKE_PTR(section->url);
        }
        return 0;
}

/* "160000 commit <object>\t<path>" */
static void take_entry(GitModules *modules, const char *record) {
        const char *object = str_after(record, "160000 commit ");
        const char *tab = object ? strchr(object, '\t') : NULL;
        RefLine line = { .object = object };

        if (!tab)
                return;
        line.object_length = (size_t)(tab - object);
        for (size_t i = 0; i < modules->count; i++)
                if (str_equal(modules->items[i].path, tab + 1))
                        (void)take_object(&line, modules->items[i].commit);
}

static void drop_absent(GitModules *modules) {
        size_t kept = 0;

        for (size_t i = 0; i < modules->count; i++) {
                if (*modules->items[i].commit) {
                        modules->items[kept++] = modules->items[i];
                        continue;
                }
                free(modules->items[i].path);
                free(modules->items[i].url);
        }
        modules->count = kept;
}

int git_modules_read(const Buf *config, const Buf *tree, GitModules *ret, Error *err) {
        _cleanup_(sections_done) Sections sections = {};
        const char *at = config->data, *end = at ? at + config->length : at, *record;
        GitModules modules = {};
        int r = 0;

        while (r == 0 && (record = next_record(&at, end)))
                if (!take_setting(&sections, record))
                        r = error_kind(err, ERROR_INVALID,
                                       "the repository has more than %d submodules", MODULES_MAX);
        if (r == 0)
                r = add_modules(&sections, &modules, err);
        if (r < 0) {
                git_modules_done(&modules);
                return r;
        }
        at = tree->data;
        end = at ? at + tree->length : at;
        while ((record = next_record(&at, end)))
                take_entry(&modules, record);
        drop_absent(&modules);
        *ret = modules;
        return 0;
}
