/* resolvconf.c: reads and writes resolv.conf(5). Whose file it is, netfiles.c knows. */
#include "format/resolvconf.h"

#include <arpa/inet.h>

void resolv_done(ResolvConf *conf) {
        conf->servers = strv_free(conf->servers);
        conf->search = strv_free(conf->search);
        conf->options = strv_free(conf->options);
}

static void words_add(char ***list, const char *text) {
        while (*text) {
                text += strspn(text, " \t");
                size_t length = strcspn(text, " \t");
                if (length > 0)
                        strv_take(list, str_copy_n(text, length));
                text += length;
        }
}

/* resolv.conf(5). The last "search" counts. */
void resolv_parse(const char *text, ResolvConf *ret) {
        _cleanup_strv_ char **lines = str_split(text, '\n');

        for (char **line = lines; line && *line; line++) {
                _cleanup_strv_ char **words = NULL;
                words_add(&words, str_trim(*line));
                if (!words || strv_length(words) < 2 || words[0][0] == '#' || words[0][0] == ';')
                        continue;
                if (str_equal(words[0], "nameserver")) {
                        strv_add(&ret->servers, words[1]);
                } else if (str_equal(words[0], "search") || str_equal(words[0], "domain")) {
                        ret->search = strv_free(ret->search);
                        ret->search = strv_copy(words + 1);
                } else if (str_equal(words[0], "options")) {
                        for (char **word = words + 1; *word; word++)
                                strv_add(&ret->options, *word);
                }
        }
}

static bool is_loopback(const char *server) {
        struct in_addr in;
        struct in6_addr in6;

        if (inet_pton(AF_INET, server, &in) == 1)
                return (ntohl(in.s_addr) >> 24) == 127;
        return inet_pton(AF_INET6, server, &in6) == 1 && IN6_IS_ADDR_LOOPBACK(&in6);
}

/* A loopback server of the host's is another machine's, or nobody, in the container. */
void resolv_drop_loopback(ResolvConf *conf, char *const *fallback) {
        char **kept = NULL;

        for (char **server = conf->servers; server && *server; server++)
                if (!is_loopback(*server))
                        strv_add(&kept, *server);
        strv_free(conf->servers);
        conf->servers = kept ? kept : strv_copy(fallback);
}

void resolv_write(const ResolvConf *conf, Buf *buf) {
        _cleanup_free_ char *search = strv_join(conf->search, " "),
                            *options = strv_join(conf->options, " ");

        if (!str_empty(search) && !str_equal(search, "."))
                buf_format(buf, "search %s\n", search);
        for (char **server = conf->servers; server && *server; server++)
                buf_format(buf, "nameserver %s\n", *server);
        if (!str_empty(options))
                buf_format(buf, "options %s\n", options);
}
