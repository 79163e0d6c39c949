/* mounts-change.h: the mounts of a container, which an update changes. Inside engine only. */
#pragma once

#include "engine/snapshot.h"

MountSet *mount_set_ref(MountSet *set);   /* NULL is fine, here and below */
MountSet *mount_set_unref(MountSet *set); /* returns NULL */
/* lock or the only reference held: its mount points as they are now; borrowed. */
const JsonArray *container_mounts(const Container *container);
/* As of the snapshot, which holds them; NULL: those of its creation. */
const JsonArray *snapshot_mounts(const Container *container, const ContainerSnapshot *snapshot);
/* host has these from now on, borrowed: it is a copy that nobody frees. */
void host_lend_mounts(HostConfig *host, const MountSet *set);
void container_mounts_write(const Container *container, json_object *state);
int container_mounts_read(Container *container, json_object *state, Error *err);
typedef struct MountsChange {
        MountSet *set; /* the new ones; once exchanged, the old ones, NULL: those of its creation */
        char **made;   /* volumes */
} MountsChange;
/* lock held, here and below: whether what the update asks of its mounts can be. conflict: it runs;
 * invalid: what is to go is not there. */
int mounts_change_check(const Container *container, const ContainerUpdate *update, Error *err);
/* Makes the volumes that are missing and takes what the new mounts use into use. Anonymous volumes
 * stand in the state until it is next saved with volumes_begun empty. On error nothing is left. */
int mounts_change_begin(Container *container, const ContainerUpdate *update, MountsChange *ret,
                        Error *err);
/* The container has its old set, here, and the new one, there: what the other uses is used no more.
 * Volumes that were taken out of use stay, as those of a removed container do. */
void mounts_change_undo(Container *container, MountsChange *change);
void mounts_change_settle(Container *container, const MountsChange *change);
void mounts_change_done(MountsChange *change);
/* At daemon start, all uses counted: takes back what a killed daemon made for a change. A record
 * that was restored may lack its end: then the volumes stay, as those that nobody uses do. */
void mounts_change_forget(Container *container);
