/* upstream.c: see upstream.h. */
#include "net/upstream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>

#include "base/clock.h"
#include "base/fd.h"
#include "format/resolvconf.h"

#define PORT 53
#define HOST_FILE "/etc/resolv.conf"
#define FILE_LIMIT (1 << 20)

/* ---- addresses ---- */

socklen_t server_length(const struct sockaddr_storage *server) {
        return server->ss_family == AF_INET ? sizeof(struct sockaddr_in)
                                            : sizeof(struct sockaddr_in6);
}

static int parse_ipv6(const char *text, struct sockaddr_in6 *ret) {
        const size_t length = strcspn(text, "%");
        _cleanup_free_ char *address = str_copy_n(text, length);

        if (inet_pton(AF_INET6, address, &ret->sin6_addr) != 1)
                return -EINVAL;
        if (text[length])
                ret->sin6_scope_id = if_nametoindex(text + length + 1);
        if (text[length] && ret->sin6_scope_id == 0)
                return -EINVAL;
        ret->sin6_family = AF_INET6;
        ret->sin6_port = htons(PORT);
        return 0;
}

static int parse_server(const char *text, struct sockaddr_storage *ret) {
        struct sockaddr_in *four = (struct sockaddr_in *)ret;

        *ret = (struct sockaddr_storage){ 0 };
        if (inet_pton(AF_INET, text, &four->sin_addr) != 1)
                return parse_ipv6(text, (struct sockaddr_in6 *)ret);
        four->sin_family = AF_INET;
        four->sin_port = htons(PORT);
        return 0;
}

int servers_parse(char *const *texts, Servers *ret, Error *err) {
        Servers servers = { 0 };

        for (; texts && *texts && servers.count < SERVERS_MAX; texts++)
                if (parse_server(*texts, &servers.names[servers.count++]) < 0)
                        return error_kind(err, ERROR_INVALID, "invalid DNS server address '%s'",
                                          *texts);
        *ret = servers;
        return 0;
}

/* ---- the host's ---- */

static void read_host(Servers *ret) {
        _cleanup_(resolv_done) ResolvConf conf = { 0 };
        _cleanup_free_ char *text = NULL;
        size_t length;

        *ret = (Servers){ 0 };
        if (file_read_at(AT_FDCWD, HOST_FILE, FILE_LIMIT, &text, &length, NULL) < 0)
                return; /* a host without the file has no servers */
        resolv_parse(text, &conf);
        for (char **server = conf.servers; server && *server && ret->count < SERVERS_MAX; server++)
                ret->count += parse_server(*server, &ret->names[ret->count]) == 0;
}

static bool same_file(const struct stat *a, const struct stat *b) {
        return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
               a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

const Servers *host_servers(HostServers *host) {
        const int64_t now = clock_monotonic();
        const bool first = host->looked_at == 0;
        struct stat is = { 0 };

        if (!first && now < host->looked_at + NSEC_PER_SEC)
                return &host->servers;
        host->looked_at = now;
        if (stat(HOST_FILE, &is) < 0)
                is = (struct stat){ 0 };
        if (first || !same_file(&is, &host->read))
                read_host(&host->servers);
        host->read = is;
        return &host->servers;
}
