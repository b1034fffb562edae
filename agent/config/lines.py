"""Tells on which line of a TOML text each key and list element stands; tomllib reads the values and forgets that."""

import re
import tomllib
from collections.abc import Iterator
from typing import NamedTuple

KeyPath = tuple[str | int, ...]  # keys, and the places in arrays: ("mailbox", 1, "folders", 0)

# Every alternative begins with another character and repeats single characters, so that the scan is linear.
_TOKEN = re.compile(
    r"""
    (?P<space> [ \t\r]+ | \#[^\n]* )
  | (?P<newline> \n )
  | (?P<string> \"{3} (?: [^"\\] | \\. | "(?!"") )* \"{3,5} | '{3} (?: [^'] | '(?!'') )* '{3,5}
              | "(?: [^"\\\n] | \\. )*" | '[^'\n]*' )
  | (?P<mark> [\[\]{}=,.] )
  | (?P<bare> [^\s\[\]{}=,."'\#]+ )
    """,
    re.VERBOSE | re.DOTALL,
)
_END_OF_VALUE = frozenset({",", "]", "}", "\n", ""})


class _Token(NamedTuple):
    text: str
    line: int


def key_lines(text: str) -> dict[KeyPath, int]:
    """The line of every table, key and list element of `text`, which tomllib has already accepted."""
    return _Scan(text).document()


def _tokens(text: str) -> Iterator[_Token]:
    line = 1
    for match in _TOKEN.finditer(text):
        if match.lastgroup != "space":
            yield _Token(match.group(), line)
        line += match.group().count("\n")
    yield _Token("", line)


class _Scan:
    """A walk over the tokens by TOML's grammar; what stands where is noted on the way."""

    def __init__(self, text: str) -> None:
        self.tokens = list(_tokens(text))
        self.at = 0
        self.lines: dict[KeyPath, int] = {}
        self.tables: dict[KeyPath, int] = {}  # how many tables each [[array]] has so far

    def document(self) -> dict[KeyPath, int]:
        table: KeyPath = ()
        while self._skip_newlines() != "":
            if self._peek() == "[":
                table = self._header()
            else:
                self._pair(table)
        return self.lines

    def _peek(self) -> str:
        return self.tokens[self.at].text

    def _next(self) -> _Token:
        self.at += 1
        return self.tokens[self.at - 1]

    def _skip_newlines(self) -> str:
        while self._peek() == "\n":
            self.at += 1
        return self._peek()

    def _key(self) -> list[str]:
        parts = [_unquoted(self._next().text)]
        while self._peek() == ".":
            self._next()
            parts.append(_unquoted(self._next().text))
        return parts

    def _header(self) -> KeyPath:
        line = self._next().line
        many = self._peek() == "["
        self.at += many
        *outer, last = self._key()
        self.at += 1 + many
        path: KeyPath = ()
        for part in outer:
            path = self._inside((*path, part), line)
        path = (*path, last)
        if not many:
            self.lines[path] = line
            return path
        self.lines.setdefault(path, line)
        self.tables[path] = self.tables.get(path, 0) + 1
        return self._inside(path, line)

    def _inside(self, path: KeyPath, line: int) -> KeyPath:
        """A header that names an array of tables means its last table."""
        self.lines.setdefault(path, line)
        if path in self.tables:
            path = (*path, self.tables[path] - 1)
            self.lines.setdefault(path, line)
        return path

    def _pair(self, table: KeyPath) -> None:
        line = self.tokens[self.at].line
        path = table
        for part in self._key():
            path = (*path, part)
            self.lines.setdefault(path, line)
        self._next()  # the equals sign
        self._value(path)

    def _value(self, path: KeyPath) -> None:
        self.lines.setdefault(path, self.tokens[self.at].line)
        if self._peek() == "[":
            self._array(path)
        elif self._peek() == "{":
            self._inline_table(path)
        else:
            while self._peek() not in _END_OF_VALUE:
                self._next()

    def _array(self, path: KeyPath) -> None:
        self._next()
        index = 0
        while self._skip_newlines() != "]":
            self._value((*path, index))
            index += 1
            if self._skip_newlines() == ",":
                self._next()
        self._next()

    def _inline_table(self, path: KeyPath) -> None:
        self._next()
        while self._skip_newlines() != "}":
            self._pair(path)
            if self._skip_newlines() == ",":
                self._next()
        self._next()


def _unquoted(key: str) -> str:
    if key[0] not in "\"'":
        return key
    return str(tomllib.loads(f"k = {key}")["k"])
