/* protocol.c: the tables of the monitor's documents; message.c carries them. */
#include "monitor/protocol.h"

static const JsonField logger_fields[] = {
        JSON_FIELD(LoggerOptions, "driver", JSON_STRING, driver, JSON_REQUIRED),
        JSON_FIELD(LoggerOptions, "address", JSON_STRING, address, JSON_OMIT_EMPTY),
        JSON_FIELD(LoggerOptions, "format", JSON_STRING, format, JSON_OMIT_EMPTY),
        JSON_FIELD(LoggerOptions, "tag", JSON_STRING, tag, JSON_OMIT_EMPTY),
        JSON_FIELD(LoggerOptions, "facility", JSON_INT, facility, JSON_OMIT_EMPTY),
        JSON_FIELD(LoggerOptions, "tlsCa", JSON_STRING, tls_ca, JSON_OMIT_EMPTY),
        JSON_FIELD(LoggerOptions, "tlsCert", JSON_STRING, tls_cert, JSON_OMIT_EMPTY),
        JSON_FIELD(LoggerOptions, "tlsKey", JSON_STRING, tls_key, JSON_OMIT_EMPTY),
        JSON_FIELD(LoggerOptions, "tlsSkipVerify", JSON_BOOL, tls_skip_verify, JSON_OMIT_EMPTY),
        JSON_FIELD(LoggerOptions, "fields", JSON_PAIRS, fields, JSON_OMIT_EMPTY),
};
const JsonTable logger_options_table = JSON_TABLE(LoggerOptions, "logger", logger_fields);

static const JsonField log_fields[] = {
        JSON_FIELD(MonitorLog, "driver", JSON_STRING, driver, JSON_OMIT_EMPTY),
        JSON_FIELD(MonitorLog, "path", JSON_STRING, path, JSON_OMIT_EMPTY),
        JSON_FIELD(MonitorLog, "maxSize", JSON_INT, max_size, JSON_OMIT_EMPTY),
        JSON_FIELD(MonitorLog, "maxFiles", JSON_INT, max_files, JSON_OMIT_EMPTY),
        JSON_FIELD(MonitorLog, "compress", JSON_BOOL, compress, JSON_OMIT_EMPTY),
        JSON_FIELD(MonitorLog, "attributes", JSON_PAIRS, attributes, JSON_OMIT_EMPTY),
        JSON_NESTED(MonitorLog, "forward", JSON_OBJECT, forward, 0, &logger_options_table),
        JSON_FIELD(MonitorLog, "nonBlocking", JSON_BOOL, non_blocking, JSON_OMIT_EMPTY),
        JSON_FIELD(MonitorLog, "maxBuffer", JSON_INT, max_buffer, JSON_OMIT_EMPTY),
        JSON_FIELD(MonitorLog, "logger", JSON_STRING, logger, JSON_OMIT_EMPTY),
};
const JsonTable monitor_log_table = JSON_TABLE(MonitorLog, "log", log_fields);

static const JsonField start_fields[] = {
        JSON_FIELD(MonitorStart, "id", JSON_STRING, id, JSON_REQUIRED),
        JSON_FIELD(MonitorStart, "lowers", JSON_STRINGS, lowers, JSON_OMIT_EMPTY),
        JSON_FIELD(MonitorStart, "upper", JSON_STRING, upper, JSON_OMIT_EMPTY),
        JSON_FIELD(MonitorStart, "work", JSON_STRING, work, JSON_OMIT_EMPTY),
        JSON_FIELD(MonitorStart, "volatileRoot", JSON_BOOL, volatile_root, JSON_OMIT_EMPTY),
        JSON_FIELD(MonitorStart, "bound", JSON_BOOL, bound, JSON_OMIT_EMPTY),
        JSON_FIELD(MonitorStart, "hasNetns", JSON_BOOL, has_netns, JSON_OMIT_EMPTY),
        JSON_FIELD(MonitorStart, "netnsLater", JSON_BOOL, netns_later, JSON_OMIT_EMPTY),
        JSON_FIELD(MonitorStart, "hasPidns", JSON_BOOL, has_pidns, JSON_OMIT_EMPTY),
        JSON_FIELD(MonitorStart, "hasIpcns", JSON_BOOL, has_ipcns, JSON_OMIT_EMPTY),
        JSON_FIELD(MonitorStart, "hasUserns", JSON_BOOL, has_userns, JSON_OMIT_EMPTY),
        JSON_FIELD(MonitorStart, "hasSeccomp", JSON_BOOL, has_seccomp, JSON_OMIT_EMPTY),
        JSON_FIELD(MonitorStart, "seccompFlags", JSON_INT, seccomp_flags, JSON_OMIT_EMPTY),
        JSON_FIELD(MonitorStart, "hasImages", JSON_BOOL, has_images, JSON_OMIT_EMPTY),
        JSON_FIELD(MonitorStart, "openStdin", JSON_BOOL, open_stdin, JSON_OMIT_EMPTY),
        JSON_FIELD(MonitorStart, "stdinOnce", JSON_BOOL, stdin_once, JSON_OMIT_EMPTY),
        JSON_NESTED(MonitorStart, "log", JSON_INLINE, log, 0, &monitor_log_table),
        JSON_FIELD(MonitorStart, "cgroup", JSON_STRING, cgroup, JSON_OMIT_EMPTY),
        JSON_FIELD(MonitorStart, "systemdCgroup", JSON_BOOL, systemd_cgroup, JSON_OMIT_EMPTY),
        JSON_FIELD(MonitorStart, "runtime", JSON_STRINGS, runtime, JSON_OMIT_EMPTY),
};
const JsonTable monitor_start_table = JSON_TABLE(MonitorStart, "start", start_fields);

static const JsonField request_fields[] = {
        JSON_FIELD(MonitorRequest, "kind", JSON_STRING, kind, JSON_REQUIRED),
        JSON_FIELD(MonitorRequest, "exec", JSON_STRING, exec, JSON_OMIT_EMPTY),
        JSON_FIELD(MonitorRequest, "process", JSON_RAW, process, JSON_OMIT_EMPTY),
        JSON_FIELD(MonitorRequest, "hasClient", JSON_BOOL, has_client, JSON_OMIT_EMPTY),
        JSON_FIELD(MonitorRequest, "hasSeccomp", JSON_BOOL, has_seccomp, JSON_OMIT_EMPTY),
        JSON_FIELD(MonitorRequest, "seccompFlags", JSON_INT, seccomp_flags, JSON_OMIT_EMPTY),
        JSON_FIELD(MonitorRequest, "stdin", JSON_BOOL, want_stdin, JSON_OMIT_EMPTY),
        JSON_FIELD(MonitorRequest, "stdout", JSON_BOOL, want_stdout, JSON_OMIT_EMPTY),
        JSON_FIELD(MonitorRequest, "stderr", JSON_BOOL, want_stderr, JSON_OMIT_EMPTY),
        JSON_FIELD(MonitorRequest, "multiplex", JSON_BOOL, multiplex, JSON_OMIT_EMPTY),
        JSON_FIELD(MonitorRequest, "early", JSON_STRING, early, JSON_OMIT_EMPTY),
        JSON_FIELD(MonitorRequest, "detachKeys", JSON_STRING, detach_keys, JSON_OMIT_EMPTY),
        JSON_FIELD(MonitorRequest, "probe", JSON_BOOL, probe, JSON_OMIT_EMPTY),
        JSON_FIELD(MonitorRequest, "note", JSON_STRING, note, JSON_OMIT_EMPTY),
        JSON_FIELD(MonitorRequest, "signal", JSON_INT, signal, JSON_OMIT_EMPTY),
        JSON_FIELD(MonitorRequest, "endings", JSON_BOOL, endings, JSON_OMIT_EMPTY),
        JSON_FIELD(MonitorRequest, "group", JSON_BOOL, group, JSON_OMIT_EMPTY),
        JSON_FIELD(MonitorRequest, "width", JSON_INT, width, JSON_OMIT_EMPTY),
        JSON_FIELD(MonitorRequest, "height", JSON_INT, height, JSON_OMIT_EMPTY),
};
const JsonTable monitor_request_table = JSON_TABLE(MonitorRequest, "request", request_fields);

static const JsonField exec_fields[] = {
        JSON_FIELD(MonitorExec, "id", JSON_STRING, id, JSON_REQUIRED),
        JSON_FIELD(MonitorExec, "note", JSON_STRING, note, JSON_OMIT_EMPTY),
        JSON_FIELD(MonitorExec, "running", JSON_BOOL, running, JSON_OMIT_EMPTY),
        JSON_FIELD(MonitorExec, "seen", JSON_BOOL, seen, JSON_OMIT_EMPTY),
        JSON_FIELD(MonitorExec, "startedAt", JSON_INT, started_at, JSON_OMIT_EMPTY),
        JSON_FIELD(MonitorExec, "pid", JSON_INT, pid, JSON_OMIT_EMPTY),
        JSON_FIELD(MonitorExec, "exitCode", JSON_INT, exit_code, JSON_OMIT_EMPTY),
        JSON_FIELD(MonitorExec, "probe", JSON_BOOL, probe, JSON_OMIT_EMPTY),
};
const JsonTable monitor_exec_table = JSON_TABLE(MonitorExec, "exec", exec_fields);

static const JsonField reply_fields[] = {
        JSON_FIELD(MonitorReply, "kind", JSON_STRING, kind, JSON_REQUIRED),
        JSON_FIELD(MonitorReply, "exec", JSON_STRING, exec, JSON_OMIT_EMPTY),
        JSON_FIELD(MonitorReply, "pid", JSON_INT, pid, JSON_OMIT_EMPTY),
        JSON_FIELD(MonitorReply, "exitCode", JSON_INT, exit_code, JSON_OMIT_EMPTY),
        JSON_FIELD(MonitorReply, "oomKilled", JSON_BOOL, oom_killed, JSON_OMIT_EMPTY),
        JSON_FIELD(MonitorReply, "at", JSON_INT, at, JSON_OMIT_EMPTY),
        JSON_FIELD(MonitorReply, "errorKind", JSON_INT, error_kind, JSON_OMIT_EMPTY),
        JSON_FIELD(MonitorReply, "message", JSON_STRING, message, JSON_OMIT_EMPTY),
        JSON_FIELD(MonitorReply, "version", JSON_INT, version, JSON_OMIT_EMPTY),
        JSON_NESTED(MonitorReply, "execs", JSON_ARRAY, execs, JSON_OMIT_EMPTY, &monitor_exec_table),
};
const JsonTable monitor_reply_table = JSON_TABLE(MonitorReply, "reply", reply_fields);

static const JsonField exit_fields[] = {
        JSON_FIELD(ExitRecord, "exitCode", JSON_INT, exit_code, JSON_REQUIRED),
        JSON_FIELD(ExitRecord, "oomKilled", JSON_BOOL, oom_killed, 0),
        JSON_FIELD(ExitRecord, "startedAt", JSON_INT, started_at, 0),
        JSON_FIELD(ExitRecord, "exitedAt", JSON_INT, exited_at, 0),
        JSON_FIELD(ExitRecord, "error", JSON_STRING, error, JSON_OMIT_EMPTY),
        JSON_FIELD(ExitRecord, "errorKind", JSON_INT, error_kind, JSON_OMIT_EMPTY),
        JSON_NESTED(ExitRecord, "execs", JSON_ARRAY, execs, JSON_OMIT_EMPTY, &monitor_exec_table),
};
const JsonTable exit_record_table = JSON_TABLE(ExitRecord, "exit record", exit_fields);
