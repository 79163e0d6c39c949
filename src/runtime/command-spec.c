/* command-spec.c: spec writes a document to start from. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"
#include "runtime/cli.h"

static const CommandOption spec_options[] = {
        { "bundle", 'b', OPTION_TEXT, offsetof(Options, bundle),
          "directory for config.json (default: the current one)" },
        { "rootless", 0, OPTION_FLAG, offsetof(Options, rootless),
          "a document for a user without privileges" },
        {},
};

static int run_spec(const Options *options, char **words, Error *err) {
        _cleanup_close_ int dir_fd = -1, fd = -1;
        _cleanup_json_ json_object *object = NULL;
        OciConfig config = {};
        const char *text;
        int r = dir_open_at(AT_FDCWD, options->bundle ?: ".", 0, &dir_fd, err);

        if (r < 0)
                return r;
        fd = openat(dir_fd, CONFIG_FILE, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd < 0 && errno == EEXIST)
                return error_kind(err, ERROR_CONFLICT, "File %s exists. Remove it first",
                                  CONFIG_FILE);
        if (fd < 0)
                return error_set(err, errno, "make %s", CONFIG_FILE);
        runtime_default_config(&config, options->rootless);
        object = json_write(&oci_config_table, &config);
        text = json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY |
                                                              JSON_C_TO_STRING_SPACED |
                                                              JSON_C_TO_STRING_NOSLASHESCAPE);
        r = fd_write_full(fd, text, strlen(text));
        if (r == 0)
                r = fd_write_full(fd, "\n", 1);
        json_done(&oci_config_table, &config);
        return r < 0 ? error_set(err, -r, "write %s", CONFIG_FILE) : 0;
}

const Command command_spec = { "spec",       "",      "write a config.json to start from", 0, 0,
                               spec_options, run_spec };
