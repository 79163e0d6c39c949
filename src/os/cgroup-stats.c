/* cgroup-stats.c: the kernel's statistics of a group out of their texts. Which file says what is
 * the versions' business. Linux Documentation/admin-guide/cgroup-v1/{memory,blkio-controller}.rst,
 * cgroup-v2.rst. */
#include <errno.h>
#include <stdlib.h>

#include "os/cgroup-private.h"

char *cgroup_text(const Hierarchy *hierarchy, const char *path, const char *file) {
        char *text;

        return hierarchy && cgroup_file_read(hierarchy, path, file, &text, NULL) == 0 ? text : NULL;
}

/* The number at the start of text, and where it ends; false if there is none. */
static bool take_number(const char **text, uint64_t *ret) {
        const size_t length = strspn(*text, "0123456789");
        _cleanup_free_ char *digits = str_copy_n(*text, length);

        if (str_to_uint64(digits, ret) < 0)
                return false;
        *text += length;
        return true;
}

/* What stands behind the line's end; *ret_line is the line, the caller's. */
static const char *take_line(const char *text, char **ret_line) {
        const size_t length = strcspn(text, "\n");

        *ret_line = str_copy_n(text, length);
        return text + length + (text[length] == '\n');
}

void cgroup_parse_counts(const char *text, CgroupCount **list, size_t *count) {
        while (*text) {
                _cleanup_free_ char *line = NULL;
                size_t length;
                uint64_t value;

                text = take_line(text, &line);
                length = strcspn(line, " ");
                if (length == 0 || !line[length] || str_to_uint64(line + length + 1, &value) < 0)
                        continue;
                GROW(*list, *count);
                (*list)[(*count)++] = (CgroupCount){ str_copy_n(line, length), value };
        }
}

void cgroup_parse_numbers(const char *text, uint64_t **list, size_t *count) {
        uint64_t value;

        for (text += strspn(text, " \n"); take_number(&text, &value); text += strspn(text, " \n")) {
                GROW(*list, *count);
                (*list)[(*count)++] = value;
        }
}

static void add_io(CgroupIoCounts *counts, const CgroupIoCount *item) {
        GROW(counts->items, counts->count);
        counts->items[counts->count++] = *item;
}

/* "8:0 " and what follows it, or NULL. */
static const char *take_device(const char *line, CgroupIoCount *ret) {
        if (!take_number(&line, &ret->major) || *line++ != ':' ||
            !take_number(&line, &ret->minor) || *line++ != ' ')
                return NULL;
        return line;
}

void cgroup_parse_io(const char *text, CgroupIoCounts *ret) {
        while (*text) {
                _cleanup_free_ char *line = NULL;
                CgroupIoCount item = { 0 };
                const char *at;
                size_t length;

                text = take_line(text, &line);
                at = take_device(line, &item);
                if (!at)
                        continue; /* "Total 4096" */
                length = strspn(at, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
                if (length >= sizeof(item.operation))
                        continue;
                memcpy(item.operation, at, length);
                at += length + (length > 0 && at[length] == ' ');
                if (str_to_uint64(at, &item.value) == 0)
                        add_io(ret, &item);
        }
}

static void take_pair(const char *word, const char *key, const char *operation, CgroupIoCount *item,
                      CgroupIoCounts *ret) {
        const char *value = str_after(word, key);

        if (!value || *value != '=' || str_to_uint64(value + 1, &item->value) < 0)
                return;
        (void)snprintf(item->operation, sizeof(item->operation), "%s", operation);
        add_io(ret, item);
}

void cgroup_parse_io_stat(const char *text, const char *first, const char *second,
                          CgroupIoCounts *ret) {
        while (*text) {
                _cleanup_free_ char *line = NULL;
                _cleanup_strv_ char **words = NULL;
                CgroupIoCount item = { 0 };
                const char *at;

                text = take_line(text, &line);
                at = take_device(line, &item);
                words = at ? str_split(at, ' ') : NULL;
                for (char **word = words; word && *word; word++) {
                        take_pair(*word, first, "read", &item, ret);
                        take_pair(*word, second, "write", &item, ret);
                }
        }
}

/* ---- the whole ---- */

uint64_t cgroup_stats_memory(const CgroupStats *stats, const char *name) {
        for (size_t i = 0; i < stats->memory_count; i++)
                if (str_equal(stats->memory[i].name, name))
                        return stats->memory[i].value;
        return 0;
}

void cgroup_stats_done(CgroupStats *stats) {
        for (size_t i = 0; i < stats->memory_count; i++)
                free(stats->memory[i].name);
        for (size_t i = 0; i < CGROUP_IO_KINDS; i++)
                free(stats->io[i].items);
        free(stats->memory);
        free(stats->cpu_each);
        *stats = (CgroupStats){ 0 };
}
