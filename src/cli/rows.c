/* rows.c: texts that several listings share. */
#include <time.h>

#include "cli/commands.h"
#include "cli/values.h"

void row_put(json_object *row, const char *name, const char *text) {
        (void)json_object_object_add(row, name, json_object_new_string(text ?: ""));
}

void row_take(json_object *row, const char *name, char *text) {
        row_put(row, name, text);
        free(text);
}

static int compare_texts(const void *a, const void *b) {
        return strcmp(*(char *const *)a, *(char *const *)b);
}

char *labels_text(json_object *labels) {
        _cleanup_strv_ char **words = NULL;

        if (!json_object_is_type(labels, json_type_object))
                return str_copy("");
        json_object_object_foreach(labels, key, value)
                strv_format(&words, "%s=%s", key, json_object_get_string(value) ?: "");
        if (!words)
                return str_copy("");
        qsort(words, strv_length(words), sizeof(*words), compare_texts);
        return strv_join(words, ",");
}

char *short_id(const char *id) {
        const char *digits = strchr(id, ':') ? strchr(id, ':') + 1 : id;

        return str_format("%.12s", digits);
}

char *go_time(int64_t seconds) {
        time_t when = (time_t)seconds;
        struct tm tm;
        char text[64];

        (void)localtime_r(&when, &tm);
        (void)strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S %z %Z", &tm);
        return str_copy(text);
}

char *time_ago(int64_t seconds) {
        char text[DURATION_TEXT_MAX];

        return str_format("%s ago", duration_human(clock_now() - seconds * NSEC_PER_SEC, text));
}
