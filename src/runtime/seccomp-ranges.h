/* seccomp-ranges.h: a shorter program with the same answers. */
#pragma once

#include <linux/filter.h>

#include "base/str.h"

/* Adds to *ret a program that answers each call as `program` of `count` instructions does: it finds
 * the architecture, then the range of calls that one answer holds for. The kernel checks, runs and
 * compiles a program at each start of a container, so its length is time. -ENOTSUP, *ret as it was:
 * program computes with numbers of calls in another way than by comparing them (libseccomp's do
 * not), or the result would not be shorter. seccomp(2), bpf_asm in the kernel's filter.rst. */
int seccomp_by_ranges(const struct sock_filter *program, size_t count, Buf *ret);
