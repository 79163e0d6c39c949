#!/usr/bin/python3
"""buildkit.py: the tables by which moby/buildkit tests its reading of Dockerfiles, and moby/patternmatcher its ignore patterns, put to brig: parse trees, what
must not parse, lines, heredocs, arrays, words, substitutions, patterns. Every row must agree. Prints TAP; a skip where the tables can't be had."""
import os
import pathlib
import re
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests/corpora"))
import golang  # noqa: E402
import sources  # noqa: E402

PROGRAM = (TOP / os.environ.get("BRIG_BUILD", "build")).resolve() / "src/build/build-corpora"
PARSER, SHELL = "frontend/dockerfile/parser", "frontend/dockerfile/shell"
ENVIRONMENT = {**os.environ, "ASAN_OPTIONS": "detect_leaks=1:exitcode=99", "UBSAN_OPTIONS": "halt_on_error=1:exitcode=99"}


class Tally:
    def __init__(self):
        self.number = self.failed = 0

    def tell(self, name, found, wanted):
        self.number += 1
        if found != wanted:
            self.failed += 1
            print(f"# found:  {found!r}\n# wanted: {wanted!r}")
        print(f"{'ok' if found == wanted else 'not ok'} {self.number} - {name}")


def ask(*words, text=b""):
    """What the program prints, or None: an error, which it explains."""
    done = subprocess.run([PROGRAM, *words], input=text, capture_output=True, timeout=60, env=ENVIRONMENT)
    if done.returncode not in (0, 1) or (done.returncode == 1 and not done.stderr):
        raise SystemExit(f"{PROGRAM} {words!r} ended with status {done.returncode}: {done.stderr.decode(errors='replace')}")
    return done.stdout.decode() if done.returncode == 0 else None


def values(printed):
    return None if printed is None else printed.split("\0")[:-1]


def parse_trees(tally, module):
    for folder in sorted({name.partition("/")[0] for name in module.names(f"{PARSER}/testfiles")}):
        text = module.bytes(f"{PARSER}/testfiles/{folder}/Dockerfile")
        tally.tell(f"parse tree: {folder}", ask("tree", text=text), module.text(f"{PARSER}/testfiles/{folder}/result"))


def negatives(tally, module):
    for name in module.names(f"{PARSER}/testfiles-negative"):
        tally.tell(f"does not parse: {name.partition('/')[0]}", ask("tree", text=module.bytes(f"{PARSER}/testfiles-negative/{name}")), None)


def lines(tally, module):
    printed = ask("lines", text=module.bytes(f"{PARSER}/testfile-line/Dockerfile"))
    source = module.text(f"{PARSER}/parser_test.go")
    found = [[int(number) for number in line.split()[:2]] for line in printed.splitlines()]
    tally.tell("lines of instructions", found, golang.variable(source, "expected", after="func TestParseIncludesLineNumbers"))
    text = golang.variable(source, "dockerfile", after="func TestParseWarnsOnEmptyContinutationLine")
    blank = [line for line in ask("lines", text=text.encode()).splitlines() if line.split()[2] != "0"]
    tally.tell("continuations with blank lines", len(blank), int(re.search(r"Equal\(t, (\d+), len\(warnings\)\)", source).group(1)))


def chomped(heredoc):
    fields = heredoc.fields
    content = fields["Content"]
    return [fields["Name"], "expand" if fields["Expand"] else "", "strip" if fields.get("Chomp") else "",
            re.sub(r"^\t+", "", content, flags=re.M) if fields.get("Chomp") else content]


def heredocs(tally, module):
    source = module.text(f"{PARSER}/parser_heredoc_test.go")
    found = {}
    printed = values(ask("heredocs", text=golang.variable(source, "dockerfile").encode()))
    for number, *rest in (printed[at:at + 5] for at in range(0, len(printed), 5)):
        found.setdefault(int(number), []).append(rest)
    for number, row in enumerate(golang.variable(source, "tests"), 1):
        tally.tell(f"heredocs of instruction {number}", found.get(number, []), [chomped(heredoc) for heredoc in row or []])


def arrays(tally, module):
    source = module.text(f"{PARSER}/json_test.go")
    for text, wanted in golang.variable(source, "validJSONArraysOfStrings").fields.items():
        tally.tell(f"array: {text.strip()}".replace("#", " "), ask("tree", text=f"CMD {text}".encode()), "(cmd" + "".join(f" {go_quoted(word)}" for word in wanted) + ")\n")
    for text in golang.variable(source, "invalidJSONArraysOfStrings"):
        tally.tell(f"no array of strings: {text}", ask("tree", text=f"CMD {text}".encode()), None)


def go_quoted(text):
    names = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": "\\x00"}
    return '"' + "".join(names.get(character, character) for character in text) + '"'


def substitutions(tally, module):
    env = golang.variable(module.text(f"{SHELL}/lex_test.go"), "envs", after="func TestShellParser4EnvVars", functions={"EnvsFromSlice": list})
    for number, line in enumerate(module.text(f"{SHELL}/envVarTest").splitlines(), 1):
        if line.startswith("#") or not line.strip():
            continue
        platform, word, wanted = (part.strip() for part in line.split("|"))
        if platform in "AU":
            found = values(ask("word", word, *env))
            tally.tell(f"envVarTest {number}", None if found is None else found[0], None if wanted == "error" else wanted)


def words(tally, module):
    env = []
    for number, line in enumerate(module.text(f"{SHELL}/wordsTest").splitlines(), 1):
        if line.startswith("ENV "):
            env.append(line[3:].lstrip(" "))
        elif not line.startswith("#"):
            text, wanted = line.split("|")
            found = values(ask("words", text.strip(), *env))
            tally.tell(f"wordsTest {number}", ["error"] if found is None else found, wanted.lstrip(" ").split(","))


def matches(tally, module):
    """Substitutions that say which names had no value."""
    for number, row in enumerate(golang.variable(module.text(f"{SHELL}/lex_test.go"), "tc", after="func TestProcessWithMatches"), 1):
        fields = row.fields
        found = values(ask("word", fields["input"], *(f"{name}={value}" for name, value in (fields["envs"].fields if fields.get("envs") else {}).items())))
        if fields.get("expectedErr"):
            tally.tell(f"substitution {number} fails", found, None)
        else:
            unmatched = sorted(fields["unmatched"].fields) if fields.get("unmatched") else []
            tally.tell(f"substitution {number}", found and [found[0], sorted(found[1:])], [fields["expected"], unmatched])


def raw_words(tally, module):
    """Words whose quotes and escapes stay in them."""
    source, known = module.text(f"{SHELL}/lex_test.go"), {"EnvsFromSlice": list}
    test = "func TestProcessWordRawEscapes"
    env = golang.variable(source, "envs", after=test, functions=known)
    for number, (escape, word, wanted) in enumerate(golang.variable(source, "tc", after=test), 1):
        tally.tell(f"raw word {number}", values(ask("raw", escape, word, *env)), [wanted])
    test = "func TestProcessWordRawQuotesPatternEscapes"
    env = golang.variable(source, "envs", after=test, functions=known)
    wanted = re.compile(r"Equal\(t, `(.*?)`, w\)").search(source, source.index(test)).group(1)
    for number, word in enumerate(golang.Reader(golang.tokens(source[source.index("range", source.index(test)) + len("range"):])).expression(), 1):
        tally.tell(f"raw pattern {number}", values(ask("raw", "\\", word, *env)), [wanted])


def patterns(tally, module):
    source = module.text("patternmatcher_test.go")
    within = "func TestMatches("
    rows = [([pattern], path, ignored, None) for pattern, path, ignored in
            golang.variable(source, "tests", after=within) + golang.variable(source, "tests", after='if runtime.GOOS != "windows"')]
    rows += [(list(several), path, ignored, None) for several, path, ignored in golang.variable(source, "multiPatternTests", after=within)]
    rows += [([pattern], path, ignored, error) for pattern, path, ignored, error in golang.variable(source, "matchTests")]
    for number, (several, path, ignored, error) in enumerate(rows, 1):
        found = values(ask("ignore", path, *several))
        tally.tell(f"patterns {number}: {' '.join(several)} on {path}".replace("#", " "), found, None if error else ["ignored" if ignored else "kept"])


TABLES = [(table, "github.com/moby/buildkit") for table in (parse_trees, negatives, lines, heredocs, arrays, substitutions, words, raw_words, matches)]
TABLES += [(patterns, "github.com/moby/patternmatcher")]


def main():
    tally = Tally()
    for table, module in TABLES:
        try:
            before = tally.number
            table(tally, sources.Module(module))
            if tally.number == before:
                tally.tell(f"{table.__name__}: the table has rows", 0, "some")
        except sources.Unreachable as reason:
            tally.number += 1
            print(f"ok {tally.number} - {table.__name__} # SKIP no copy of {module}: {reason}")
    print(f"1..{tally.number}")
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
