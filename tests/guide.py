#!/usr/bin/python3
"""guide.py GUIDE: does what the user guide says, in the working directory, and prints TAP: a test a chapter (a heading "## ...").

What it does: a line "`PATH`:" before a fenced block is a file with that content. A block of the language "console" is a session: a line "$ ..." is a
command, "> ..." its continuation, what follows is what it prints. "…" stands for anything within a line, a line of "…" alone for any number of lines.
Nothing behind a command: its output does not matter. A command fails the chapter if it fails or prints something else; "$ ! command" has to fail.
One shell runs all of the commands, so variables and directories stay."""
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading

SECONDS = 60  # for a command
END = "guide: a command ended with status"


class Shell:
    """bash, whose commands read no input and whose output and errors come together."""

    def __init__(self):
        self.process = subprocess.Popen(["bash", "-c", "while read -r file; do . \"$file\" </dev/null 2>&1; printf '\\n%s %d\\n' \"" + END + "\" $?; done"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True)
        self.file = pathlib.Path(".command").absolute()

    def run(self, command):
        """Its status and what it printed."""
        self.file.write_text(command + "\n")
        self.process.stdin.write(f"{self.file}\n")
        self.process.stdin.flush()
        alarm = threading.Timer(SECONDS, os.killpg, (self.process.pid, signal.SIGKILL))
        alarm.start()
        lines, status = [], None
        for line in self.process.stdout:
            if line.startswith(END):
                status = int(line.split()[-1])
                break
            lines.append(line.rstrip("\n"))
        alarm.cancel()
        if status is None:
            return 137, "\n".join(lines) + f"\n(the shell is gone, or was ended after {SECONDS} seconds)"
        return status, "\n".join(lines).removesuffix("\n")


def pattern(lines):
    """The regular expression of expected lines."""
    if not lines:
        return re.compile("", re.S)
    text = "\n".join(lines) + "\n"
    parts = re.split(r"(^…\n)", text, flags=re.M)
    return re.compile("".join(r"(?:.*\n)*?" if part == "…\n" else re.escape(part).replace("…", "[^\n]*") for part in parts) + r"\Z")


def holds(expected, output):
    return not expected or pattern(expected).match(output.rstrip("\n") + "\n") is not None


def session(lines):
    """Commands and the lines expected of each."""
    commands = []
    for line in lines:
        if line.startswith("$ "):
            commands.append(([line[2:]], []))
        elif line.startswith("> ") or line == ">":
            commands[-1][0].append(line[2:])
        else:
            commands[-1][1].append(line)
    return [("\n".join(command), expected) for command, expected in commands]


def chapters(text):
    """Of each chapter its title and its steps: ("file", path, content) or ("run", command, expected)."""
    found, title, path, block = [], None, None, None
    for line in text.splitlines():
        if block is not None:
            if line == "```":
                if block[0] == "console":
                    found[-1][1].extend(("run", *each) for each in session(block[1]))
                elif path:
                    found[-1][1].append(("file", path, "".join(each + "\n" for each in block[1])))
                block = path = None
            else:
                block[1].append(line)
        elif line.startswith("## "):
            title = line[3:]
            found.append((title, []))
        elif line.startswith("```"):
            block = (line[3:], [])
        elif named := re.fullmatch(r"`([^`]+)`:", line):
            path = named[1]
    return [(title, steps) for title, steps in found if steps]


def carry_out(shell, step):
    """What is wrong with a step, or None."""
    if step[0] == "file":
        path = pathlib.Path(step[1])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(step[2])
        if step[2].startswith("#!"):
            path.chmod(0o755)
        return None
    command, expected = step[1:]
    status, output = shell.run(command)
    if status != 0:
        return f"$ {command}\n{output}\nended with status {status}"
    if not holds(expected, output):
        return f"$ {command}\n{output}\nwhere the guide says:\n" + "\n".join(expected)
    return None


def main():
    shell, failed, guide = Shell(), 0, chapters(pathlib.Path(sys.argv[1]).read_text())
    if not guide:
        sys.exit("guide: no chapter has a step")
    for number, (title, steps) in enumerate(guide, 1):
        wrong = next(filter(None, (carry_out(shell, step) for step in steps)), None)
        if wrong:
            failed += 1
            print("# " + wrong.replace("\n", "\n# "))
        commands = sum(step[0] == "run" for step in steps)
        print(f"{'not ok' if wrong else 'ok'} {number} - {title} ({commands} commands)", flush=True)
    shell.process.stdin.close()
    return failed > 0


sys.exit(main())
