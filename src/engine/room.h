/* room.h: the space of the data root's file system: what an error says where there is none left,
 * and a reserve, so that removing needs none. Inside engine only. */
#pragma once

#include "engine/engine.h"

/* Adds to err what is left and how to make room, where the file system is full or nearly so.
 * `ours`: an error of a full disk (ENOSPC, EDQUOT) can be of this file system only, so that it says
 * so even where what filled it is gone by now. */
void room_explain(const Engine *engine, bool ours, Error *err);

/* Whether a file system has hardly any space left, as far as that can be told. */
bool room_is_full(int fd);

/* Before something is removed: on a full file system the reserve goes, for what databases write
 * when they forget. Returns engine. */
Engine *room_release(Engine *engine);
/* After it: the last of those who remove something makes the reserve again if there is room. */
void room_reserve(Engine *engine);
/* There is more room than there was: the reserve is made again unless something is being removed.
 */
void room_refill(Engine *engine);

static inline void room_reservep(Engine **engine) {
        room_reserve(*engine);
}
/* From here to the end of the block something is removed. */
#define ROOM_TO_REMOVE(engine) _cleanup_(room_reservep) UNUSED Engine *room_ = room_release(engine)
