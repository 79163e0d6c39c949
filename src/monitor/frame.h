/* frame.h: the header before each piece of output on a multiplexed stream: Docker Engine API,
 * "ContainerAttach", stream format. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define FRAME_HEADER 8

/* stream: 1 stdout, 2 stderr. Then three zero bytes and the length, big-endian. */
static inline void frame_header(unsigned char header[FRAME_HEADER], int stream, size_t length) {
        header[0] = (unsigned char)stream;
        header[1] = header[2] = header[3] = 0;
        for (int i = 0; i < 4; i++)
                header[4 + i] = (unsigned char)(length >> (24 - 8 * i));
}
