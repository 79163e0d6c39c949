/* sanitizer.h: SANITIZED is 1 where a sanitizer watches the build (gcc and clang each say so in
 * their own way), which maps terabytes, makes system calls of its own and needs large stacks.
 */
#pragma once

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* 1 where it is ASan, whose allocator, before clang 18, leaves its locks in a fork as other threads
 * had them: a child that allocates memory may wait for ever. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED_ADDRESS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED_ADDRESS 1
#endif
#endif
#ifndef SANITIZED_ADDRESS
#define SANITIZED_ADDRESS 0
#endif
