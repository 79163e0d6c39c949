/* command-checkpoint.c: checkpoint and restore are refused by name: a container would have to be
 * described to criu as the mounts and namespaces that it was made of, which is not done. They have
 * their places among the commands so that who asks hears that. */
#include <errno.h>

#include "runtime/cli.h"

static int refuse(const Options *options, char **words, Error *err) {
        (void)options;
        return error_kind(err, ERROR_UNSUPPORTED,
                          "container %s: checkpoint and restore are not done: use another runtime "
                          "(runc) for containers that are to be moved",
                          words[0]);
}

const Command command_checkpoint = {
        "checkpoint", "<container-id>", "refused: checkpoints are not done", 1, -1, NULL, refuse
};
const Command command_restore = {
        "restore", "<container-id>", "refused: checkpoints are not done", 1, -1, NULL, refuse
};
