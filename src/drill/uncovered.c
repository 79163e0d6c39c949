/* uncovered.c: the catalogue: the drills that there are, and what of it no drill tries, so that
 * nobody takes it for tried. */
#include "drill/drill.h"

const DrillSet *const drill_sets[] = { &runtime_drills, &bundle_drills,
                                       &exec_drills,    &flood_drills,
                                       &api_drills,     &image_drills,
                                       &build_drills,   NULL };

const Uncovered uncovered[] = {
        { "lines of a passwd file that an engine writes (CVE-2022-4318), authorization by an empty "
          "body (CVE-2024-41110)",
          "brig has neither" },
        { "libraries of a container's root loaded by a copy (CVE-2019-14271)",
          "tests/cp.bats: a copy's mounts have no programs" },
        { "ten million entries, 10 GiB of zeros", "the limits' tests in src/image" },
        { "credentials for another host (CVE-2020-15157)", "src/image/registry-test.c" },
        { "hostile builds (CVE-2024-23651, -23652, -24557, CVE-2021-3602, cache ids)",
          "tests/build-drills.bats" },
        { "networks: DNS (CVE-2024-29018), sources of loopback (CVE-2021-20199), firewalls that "
          "are reloaded (CVE-2025-54388, CVE-2025-54410), ARP, bridge to bridge, ICC off",
          "tests/network-cases.bats, tests/firewall.bats" },
};
const size_t uncovered_count = ELEMENTS(uncovered);
