/* hosts.h: what an administrator says of a registry's hosts: containerd's registry directories
 * (github.com/containerd/containerd, docs/hosts.md), and Docker's certificates in the same place.
 * A directory holds one for each registry: "docker.io", "127.0.0.1:5000" (or "127.0.0.1_5000_"),
 * and "_default" for those that have none. Part of brig-image. */
#pragma once

#include "image/endpoint.h"

/* The first hosts.toml that the directories have for the registry: 1 and its hosts, appended, with
 * the server last; 0: there is none. */
int hosts_read(char *const *directories, const char *registry, char *const *insecure,
               Endpoint **endpoints, size_t *count, Error *err);
/* The same from text; directory: what paths in it are relative to. */
int hosts_parse(const char *text, size_t length, const char *directory, const char *registry,
                char *const *insecure, Endpoint **endpoints, size_t *count, Error *err);
/* Gives the registry's own hosts what Docker's directories have: *.crt, and a pair of *.cert and
 * *.key. */
int hosts_certificates(char *const *directories, const char *registry, Endpoint *endpoints,
                       size_t count, Error *err);
