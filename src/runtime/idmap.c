/* idmap.c: see idmap.h. */
#include "runtime/idmap.h"

#include "base/alloc.h"
#include "base/cleanup.h"
#include "os/userns.h"
#include "spec/oci.h"

static IdRange *ranges_of(const JsonArray *mappings) {
        const OciIdMapping *list = mappings->items;
        IdRange *ranges = NEW_ARRAY(IdRange, mappings->count + 1);

        for (size_t i = 0; i < mappings->count; i++)
                ranges[i] = (IdRange){ list[i].container_id, list[i].host_id, list[i].size };
        return ranges;
}

int idmap_userns(const JsonArray *uids, const JsonArray *gids, int *ret_fd, Error *err) {
        _cleanup_free_ IdRange *uid_ranges = ranges_of(uids), *gid_ranges = ranges_of(gids);

        return userns_new(&(IdMap){ uid_ranges, gid_ranges, uids->count, gids->count }, ret_fd,
                          NULL, err);
}
