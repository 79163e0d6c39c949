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
