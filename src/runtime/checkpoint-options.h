/* checkpoint-options.h: the options that checkpoint and restore have alike, as runc has them. */
#pragma once

#include "runtime/cli.h"

#define CHECKPOINT_OPTIONS                                                                         \
        { "image-path", 0, OPTION_TEXT, offsetof(Options, image_path),                             \
          "directory of the images (default: checkpoint)" },                                       \
                { "work-path", 0, OPTION_TEXT, offsetof(Options, work_path),                       \
                  "directory of criu's log (default: that of the images)" },                       \
                { "tcp-established", 0, OPTION_FLAG, offsetof(Options, tcp_established),           \
                  "allow open TCP connections" },                                                  \
                { "ext-unix-sk", 0, OPTION_FLAG, offsetof(Options, ext_unix_sk),                   \
                  "allow Unix sockets that lead out of the container" },                           \
                { "shell-job", 0, OPTION_FLAG, offsetof(Options, shell_job),                       \
                  "allow a terminal that is the caller's" },                                       \
                { "file-locks", 0, OPTION_FLAG, offsetof(Options, file_locks),                     \
                  "allow locks of files" },                                                        \
                { "auto-dedup", 0, OPTION_FLAG, offsetof(Options, auto_dedup),                     \
                  "free pages in images that newer ones have, or that were restored" },            \
                { "manage-cgroups-mode", 0, OPTION_TEXT, offsetof(Options, cgroups_mode),          \
                  "soft or ignore, which are alike: groups are made as the document says" },       \
                { "empty-ns", 0, OPTION_LIST, offsetof(Options, empty_namespaces),                 \
                  "network: accepted, as it is never saved" },                                     \
        {                                                                                          \
                "lazy-pages", 0, OPTION_FLAG, offsetof(Options, lazy_pages), "refused"             \
        }
