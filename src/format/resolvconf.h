/* resolvconf.h: resolv.conf(5) as lists. Whose file it is, the caller knows. */
#pragma once

#include "base/str.h"

typedef struct ResolvConf {
        char **servers, **search, **options;
} ResolvConf;

void resolv_parse(const char *text, ResolvConf *ret); /* adds to what *ret holds */
void resolv_done(ResolvConf *conf);
/* Without a server left, fallback's. */
void resolv_drop_loopback(ResolvConf *conf, char *const *fallback);
void resolv_write(const ResolvConf *conf, Buf *buf);
