/* cli.h: what every command has: the connection to the daemon, the user's configuration, and the
 * command's own row. */
#pragma once

#include <json-c/json_object.h>
#include <json-c/json_util.h>

#include "base/error.h"
#include "cli/options.h"
#include "format/json.h"
#include "http/client.h"

#define API_VERSION "1.51" /* the newest that the commands speak */

typedef struct Cli {
        const char *program; /* "brig", or "docker" if called so */
        char *path;          /* of the command that runs: "brig container ls" */
        char **hosts;        /* -H */
        char *config_dir, *context, *log_level;
        bool debug, version, tls, tls_verify;
        char *tls_ca, *tls_cert, *tls_key;
        struct Endpoint *endpoint; /* while there is a connection: endpoint.h */
        const char *host;          /* where http leads; the endpoint's */
        HttpClient *http;          /* NULL until the first call */
        char *api;                 /* the version that is spoken, "1.41" */
        bool experimental;         /* the daemon says so */
        bool is_brigd;             /* it is brigd: it knows more than Docker's API */
        bool no_start;             /* a daemon that does not run is not started */
        json_object *config;       /* config.json, or NULL; see config.h */
        bool config_read;
} Cli;

/* ---- commands ---- */

/* Runs the command; returns its exit code, or a negative errno with err for the usual end: the
 * message on standard error and exit code 1, or COMMAND_RUNS's. */
typedef int (*CommandRun)(Cli *cli, const Options *options, Error *err);

#define COMMAND_RUNS                                                                               \
        (1u << 0)               /* errors say the program's name and where help is; exit code 125  \
                                 */
#define COMMAND_FIRST (1u << 1) /* what follows the first argument is not read for options */

typedef struct Command {
        const char *arguments; /* "[OPTIONS] IMAGE [COMMAND] [ARG...]" */
        const char *summary;
        OptionTable table;
        CommandRun run;
        int least, most; /* arguments; most < 0: any number */
        unsigned flags;
        const OptionTable *shared; /* instead of table, where commands share one */
} Command;

typedef enum Section {
        SECTION_NONE,
        SECTION_COMMON,
        SECTION_MANAGEMENT,
        SECTION_SWARM,
        SECTION_COMMANDS,
        SECTION_ALIAS, /* another name for the row before it: not in the help */
} Section;

typedef struct Group Group;

/* A word of the command line. Neither command nor group: not done yet. */
typedef struct Entry {
        const char *name;
        Section section;
        const Command *command;
        const Group *group;
        const char *summary; /* where there is no command to give it */
} Entry;

struct Group {
        const char *summary;
        const Entry *entries;
        size_t count;
};

extern const Group root_group;                /* commands.c */
extern const OptionTable global_option_table; /* main.c; its values are a Cli */

void help_root(const Cli *cli, FILE *out);
void help_group(const Cli *cli, const Group *group, FILE *out);
void help_command(const Cli *cli, const Command *command, FILE *out);
/* Every path of words that leads to command: "brig container ls", "brig ps"; the caller's. */
char **command_paths(const Cli *cli, const Command *command);
const char *entry_summary(const Entry *entry);
/* Prints the words that may follow, one a line, those that begin with the last of words. Asks the
 * daemon for names, and starts none for it. completion.c */
void complete(Cli *cli, char **words);
/* Writes every page of section 1 into directory; what was there is replaced. manual.c */
int manual_write(const Cli *cli, const char *directory, Error *err);

/* ---- the daemon ---- */

/* Connects, starting a daemon where there is none and that may be done, and agrees on the API's
 * version. Called by the calls below. */
int cli_connect(Cli *cli, Error *err);
/* What follows is brig's own: another engine would leave it unheard, or have no such path.
 * Unsupported
 * "<what> by brigd, and unix:///… is none". */
int cli_need_brigd(Cli *cli, const char *what, Error *err);
void cli_disconnect(Cli *cli); /* idempotent */
/* The version spoken is at least 1.minor. */
bool api_at_least(const Cli *cli, int minor);

/* Whether a call failed since the daemon went away, or an answer ended early. */
bool cli_lost(const Error *err);
/* After that: waits until a daemon answers again, a minute at the most, and says so on standard
 * error. Starts none: whoever stopped it may have meant it. signal_fd: a signal read from it ends
 * the waiting, with an error; -1: none. */
int cli_reconnect(Cli *cli, int signal_fd, Error *err);

/* The same beside something else, and without a word or an end: a process of ours, which is no more
 * once a daemon answers. */
typedef struct Probe {
        pid_t pid; /* 0: none */
        int fd;    /* its pidfd, for poll(2) */
} Probe;

int probe_begin(Cli *cli, Probe *ret);
void probe_end(Probe *probe); /* idempotent */

/* path begins with a slash and lacks the version. body: a JSON document or NULL, borrowed. A status
 * of 400 and more is an error, "Error response from daemon: …", of the kind that fits. */
int api_call(Cli *cli, const char *method, const char *path, json_object *body, HttpReply **ret,
             Error *err);
/* The same with more of the request set by the caller; its path is replaced. */
int api_send(Cli *cli, HttpRequest *request, const char *path, HttpReply **ret, Error *err);
/* The same, and reads the answer, which must be JSON. */
int api_json(Cli *cli, const char *method, const char *path, json_object *body, json_object **ret,
             Error *err);
/* The same, and drops the answer. */
int api_do(Cli *cli, const char *method, const char *path, Error *err);
/* Reads the next document of a stream of JSON documents: 1 and *ret, 0 at its end, or a negative
 * errno. held keeps what was read beyond. */
int api_next_json(HttpReply *reply, Buf *held, json_object **ret, Error *err);

/* A path with its query: path_format("/containers/%s/json", name) escapes every %s. */
char *path_format(const char *format, ...) PRINTF_LIKE(1, 2);
/* Adds "?key=value" or "&key=value" to path, escaped. */
void path_query(char **path, const char *key, const char *value);
/* Adds the platform, if there is one. Docker has it in later versions of its API than are spoken,
 * and would leave it unheard: it is brigd's. */
int path_platform(Cli *cli, char **path, const char *platform, Error *err);
/* filters: key=value each; adds the query that the API takes, nothing for none. */
void path_filters(char **path, char *const *filters);

/* Prints "Error response …" and the like for one of several arguments; returns 1. */
int cli_complain(const Error *err);
/* Prints "brig: message" and where help is, as Docker does for run. */
void cli_hint(const Cli *cli, const char *message);

/* Does one thing to each argument, printing it where that went well; exit code 1 where one failed.
 */
typedef int (*ForOne)(Cli *cli, const Options *options, const char *name, Error *err);
int for_each_argument(Cli *cli, const Options *options, ForOne act);

/* ---- numbers and texts out of documents ---- */
int64_t json_number(json_object *object, const char *name); /* 0 if absent */
bool json_truth(json_object *object, const char *name);
const char *json_words(json_object *object, const char *name); /* "" if absent */
