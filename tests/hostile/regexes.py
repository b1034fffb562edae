"""Strings that try to blow up a regular expression, made from the expression itself.

For each repetition in it: what stands before it, then what it repeats, again and again, then what it cannot match.
"""

import re
import re._constants as op
import re._parser as parser
from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

_MANY = 8  # a repetition that stops sooner cannot be pumped
_ENDS = ("", "\0", "!")
_ROOMS = ("connectors.mail", "connectors.text", "classifiers", "classifiers.clean")


def patterns() -> dict[str, re.Pattern[Any]]:
    """Every regular expression that a module of the reading path holds, by its name."""
    found: dict[str, re.Pattern[Any]] = {}
    for room in _ROOMS:
        package = import_module(room)
        for each in iter_modules(package.__path__):
            if not each.ispkg:
                module = import_module(f"{room}.{each.name}")
                found |= {
                    f"{room}.{each.name}.{name}": value
                    for name, value in vars(module).items()
                    if isinstance(value, re.Pattern)
                }
    return found


def pumps(pattern: re.Pattern[Any]) -> list[tuple[str, str, str]]:
    """(before, repeated, after) for each repetition of the expression."""
    text = pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode("latin-1")
    tree = parser.parse(text, pattern.flags & ~re.UNICODE)
    found = dict.fromkeys((before, piece, end) for before, piece in _repeats(tree, "") if piece for end in _ENDS[1:])
    return list(found)


def _repeats(tree: Any, before: str) -> Iterator[tuple[str, str]]:
    for code, value in tree:
        if code in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT):
            _, most, inner = value
            if most > _MANY:
                yield before, _sample(inner)
            yield from _repeats(inner, before)
        for inner in _inside(code, value):
            yield from _repeats(inner, before)
        before += _of(code, value)


def _inside(code: Any, value: Any) -> list[Any]:
    if code is op.SUBPATTERN:
        return [value[3]]
    if code is op.ATOMIC_GROUP:
        return [value]
    return list(value[1]) if code is op.BRANCH else []


def _sample(tree: Any) -> str:
    return "".join(_of(code, value) for code, value in tree)


def _of(code: Any, value: Any) -> str:
    """A short text that this node matches."""
    if code is op.LITERAL:
        return chr(value)
    if code in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT):
        return _sample(value[2]) * max(value[0], 1 if value[1] else 0)
    if code is op.BRANCH:
        return _sample(value[1][0])
    if inner := _inside(code, value):
        return _sample(inner[0])
    if code is op.ANY:
        return "a"
    if code is op.NOT_LITERAL:
        return "b" if value == ord("a") else "a"
    return _one_of(value) if code is op.IN else ""


def _one_of(members: Any) -> str:
    negated = members[0][0] is op.NEGATE
    for char in "a1 A.-\tя,:<\n":
        if any(_holds(member, char) for member in members) != negated:
            return char
    return chr(members[0][1]) if members[0][0] is op.LITERAL else chr(members[0][1][0])


def _holds(member: Any, char: str) -> bool:
    code, value = member
    if code is op.LITERAL:
        return ord(char) == value
    if code is op.RANGE:
        return bool(value[0] <= ord(char) <= value[1])
    tests = {
        op.CATEGORY_DIGIT: char.isdigit(),
        op.CATEGORY_NOT_DIGIT: not char.isdigit(),
        op.CATEGORY_SPACE: char.isspace(),
        op.CATEGORY_NOT_SPACE: not char.isspace(),
        op.CATEGORY_WORD: char.isalnum() or char == "_",
        op.CATEGORY_NOT_WORD: not (char.isalnum() or char == "_"),
    }
    return code is op.CATEGORY and tests.get(value, False)
