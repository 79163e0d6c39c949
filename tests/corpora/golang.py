"""Values out of Go source: literals, composite literals, and calls of the functions that a reader is given. Enough for tables of tests; no types are checked,
and what is not known becomes its own name."""
import ast
import re

TOKEN = re.compile(r"""(?P<skip>\s+|//[^\n]*|/\*.*?\*/)|(?P<raw>`[^`]*`)|(?P<text>"(?:\\.|[^"\\])*")|(?P<rune>'(?:\\.|[^'\\])+')|(?P<number>\d\w*(?:\.\d+)?)
    |(?P<name>\w+)|(?P<sign>\.\.\.|:=|&&|\|\||[=!<>+]=|\+\+|.)""", re.S | re.X)


class Name(str):
    """An identifier that nothing is known of: "filepath.ErrBadPattern"."""


class Function:
    def __init__(self, body):
        self.body = body  # tokens


class Composite(list):
    """T{...}: a list of the values; `fields` has those that have a key."""

    def __init__(self, items):
        super().__init__(value for _, value in items)
        self.fields = {key: value for key, value in items if key is not None}


def tokens(source):
    return [(match.lastgroup, match.group()) for match in TOKEN.finditer(source) if match.lastgroup != "skip"]


def unquoted(text):
    """Go's "..." but for the two kinds of escapes that Python reads otherwise."""
    return ast.literal_eval(re.sub(r"\\([0-7]{3})", r"\\x\g<0>", text)) if re.search(r"\\[0-7]", text) else ast.literal_eval(text)


CONSTANTS = {"true": True, "false": False, "nil": None, "syscall.S_ISUID": 0o4000, "syscall.S_ISGID": 0o2000, "syscall.S_ISVTX": 0o1000}
FUNCTIONS = {
    "strings.Join": lambda words, between: between.join(words),
    "fmt.Sprintf": lambda form, *values: form % values,
    "bytes.NewBufferString": lambda text: text,
    "bytes.NewReader": lambda text: text,
    "append": lambda first, *more: more[-1] if isinstance(first, Name) else first,
    "byte": lambda text: text,
}


class Reader:
    """Reads expressions from tokens. variables and functions are what it knows by name."""

    def __init__(self, all_tokens, functions=(), variables=()):
        self.tokens, self.at = all_tokens, 0
        self.functions, self.variables = {**FUNCTIONS, **dict(functions)}, {**CONSTANTS, **dict(variables)}

    def look(self, ahead=0):
        return self.tokens[self.at + ahead][1] if self.at + ahead < len(self.tokens) else ""

    def take(self, wanted=None):
        word = self.look()
        if wanted is not None and word != wanted:
            raise ValueError(f"{wanted!r} expected, not {word!r} at token {self.at}")
        self.at += 1
        return word

    def expression(self):
        value = self.operand()
        while self.look() in ("+", "|"):
            sign, other = self.take(), self.operand()
            if isinstance(value, Name) or isinstance(other, Name) or value is None or other is None:
                value = value if other is None or isinstance(other, Name) else other
            else:
                value = value + other if sign == "+" else value | other
        return value

    def operand(self):
        if self.look() in ("&", "*", "-", "!"):
            sign, value = self.take(), self.operand()
            return -value if sign == "-" else value
        return self.rest_of(self.primary())

    def primary(self):
        kind, word = self.tokens[self.at]
        if word == "(":
            self.take()
            value = self.expression()
            self.take(")")
            return value
        if word == "{":
            return self.composite()
        if word in ("[", "map", "struct"):
            return Name(self.type())
        self.take()
        if word == "func":
            return self.function()
        if kind == "number":
            return int(word, 0)
        if kind in ("text", "rune"):
            return unquoted(word)
        return word[1:-1].replace("\r", "") if kind == "raw" else Name(word)

    def rest_of(self, value):
        """Selectors, calls and composite literals that follow a name; what a variable of that name holds where none does."""
        while isinstance(value, Name) and self.look() in (".", "(", "{"):
            if self.look() == ".":
                self.take()
                value = Name(f"{value}.{self.take()}")
            elif self.look() == "(":
                arguments = self.arguments()
                function = self.functions.get(value.removeprefix("[]"))
                value = function(*arguments) if function else None
            else:
                return self.composite()
        return self.variables.get(value, value) if isinstance(value, Name) else value

    def type(self):
        """A type, as text: []T, map[K]V, struct{...}, *T, a.T"""
        word = self.take()
        if word == "[":
            while self.take() != "]":
                pass
            return "[]" + self.type()
        if word == "map":
            self.take("[")
            key = self.type()
            self.take("]")
            return f"map[{key}]{self.type()}"
        if word == "struct":
            self.block()
            return word
        while self.look() == ".":
            word += self.take() + self.take()
        return word

    def arguments(self):
        found = []
        self.take("(")
        while self.look() != ")":
            found.append(self.expression())
            if self.look() == "...":
                self.take()
            if self.look() == ",":
                self.take()
        self.take(")")
        return found

    def composite(self):
        items = []
        self.take("{")
        while self.look() != "}":
            key, value = None, self.expression()
            if self.look() == ":":
                self.take()
                key, value = value, self.expression()
            items.append((key, value))
            if self.look() == ",":
                self.take()
        self.take("}")
        return Composite(items)

    def block(self):
        """The tokens between braces."""
        self.take("{")
        begin, depth = self.at, 1
        while depth:
            depth += {"{": 1, "}": -1}.get(self.take(), 0)
        return self.tokens[begin:self.at - 1]

    def function(self):
        self.arguments_skipped()
        while self.look() != "{":
            self.take()
        return Function(self.block())

    def arguments_skipped(self):
        self.take("(")
        depth = 1
        while depth:
            depth += {"(": 1, ")": -1}.get(self.take(), 0)

    def run(self):
        """Statements, as far as they assign, and call functions that are known, in their order; conditions are not looked at."""
        while self.at < len(self.tokens):
            kind, word = self.tokens[self.at]
            begin = self.at
            if kind != "name" or self.look(-1 if begin else 0) == ".":
                self.take()
            elif self.look(1) in (":=", "="):
                self.at += 2
                self.variables[Name(word)] = self.expression()
            elif self.known_call():
                self.expression()
            else:
                self.take()

    def known_call(self):
        name = self.look()
        ahead = 1
        while self.look(ahead) == ".":
            name += "." + self.look(ahead + 1)
            ahead += 2
        return self.look(ahead) == "(" and name in self.functions


def variable(source, name, after="", functions=()):
    """What is assigned to a variable first, after some text."""
    begin = source.index(after)
    assigned = re.compile(rf"\b{name}(?: \S+)? (?::=|=) ").search(source, begin)
    return Reader(tokens(source[assigned.end():]), functions).expression()
