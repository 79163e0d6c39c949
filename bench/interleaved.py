#!/usr/bin/python3
"""interleaved.py ROUNDS STATE BUNDLE RUNTIME...: `run` of one bundle by each runtime in turn; prints medians, and the first one's share of
each other's. Spawned without a copy of the caller, as a shell's fork would cost as much as half of the shortest run."""
import os
import statistics
import sys
import time


def run(runtime, state, bundle, number):
    name = os.path.basename(runtime)
    words = [runtime, "--root", f"{state}/{name}", "run", "--bundle", bundle, f"bench-{os.getpid()}-{number}"]
    quiet = [(os.POSIX_SPAWN_OPEN, fd, "/dev/null", flags, 0) for fd, flags in ((0, os.O_RDONLY), (1, os.O_WRONLY))]
    start = time.perf_counter()
    _, status = os.waitpid(os.posix_spawn(runtime, words, os.environ, file_actions=quiet), 0)
    end = time.perf_counter()
    if status != 0:
        sys.exit(f"interleaved.py: {name} failed: status {status:#x}")
    return end - start


def main(rounds, state, bundle, *runtimes):
    times = {runtime: [] for runtime in runtimes}
    for number in range(-1, int(rounds)):  # the first round fills caches and does not count
        for runtime, taken in times.items():
            taken.append(run(runtime, state, bundle, number))
    medians = {runtime: statistics.median(taken[1:]) for runtime, taken in times.items()}
    for runtime, median in medians.items():
        share = "" if runtime == runtimes[0] else f"   {os.path.basename(runtimes[0])} takes {medians[runtimes[0]] / median:.3f} of it"
        print(f"{os.path.basename(runtime):13} {median * 1000:7.2f} ms{share}")


main(*sys.argv[1:])
