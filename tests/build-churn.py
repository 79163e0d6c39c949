#!/usr/bin/python3
"""build-churn.py CONTEXT CLIENTS BUILDS: clients that build at once, each BUILDS times: the same Dockerfile, and others that share steps with
it; a third of the builds are cancelled after a random time. Fails if one that was let alone failed."""
import os
import random
import subprocess
import sys
import threading
import time

context, clients, builds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
failed = []


def dockerfile(number):
    steps = [f"RUN echo {number} >/number; sleep 0.0{number}", "COPY file /file", f"RUN cat /file /number >/{number % 3}"]
    return "FROM busybox AS a\n" + "\n".join(steps) + f"\nFROM busybox\nCOPY --from=a /{number % 3} /x\nRUN cat /x >/y\n"


def client(seed):
    chance = random.Random(seed)
    for _ in range(builds):
        number = chance.randrange(6)
        options = ["--no-cache"] if chance.random() < 0.3 else []
        build = subprocess.Popen(["brig", "build", "--progress", "plain", "-t", f"churn{number}", *options, "-f", f"{context}/Dockerfile.{number}", context],
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        cancel = chance.random() < 0.33
        if cancel:
            time.sleep(chance.random() * 0.5)
            build.kill() if chance.random() < 0.5 else build.terminate()
        output = build.communicate(timeout=120)[0].decode()
        if build.returncode != 0 and not cancel:
            failed.append(output)


for number in range(6):
    with open(os.path.join(context, f"Dockerfile.{number}"), "w", encoding="utf8") as file:
        file.write(dockerfile(number))
threads = [threading.Thread(target=client, args=(seed,)) for seed in range(clients)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
for output in failed[:3]:
    print(output)
print(f"{clients * builds} builds, {len(failed)} failed")
sys.exit(1 if failed else 0)
