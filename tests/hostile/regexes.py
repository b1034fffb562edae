"""Strings that try to blow up a regular expression, made from the expression itself.

For each repetition in it: what stands before it, then what it repeats, again and again, then what it cannot match.
"""

import ast
import re
import re._constants as op
import re._parser as parser
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import Any, NamedTuple

_MANY = 8  # a repetition that stops sooner cannot be pumped
_ENDS = ("", "\0", "!")
_ROOMS = ("agent", "connectors", "classifiers")
_APART = ("agent.store.migrations", "agent.cli.__main__")  # they do something when they are imported
_MOVING = ("search", "finditer", "findall", "sub", "subn", "split")  # methods that try it at every place


class Expression(NamedTuple):
    """A regular expression of the program."""

    pattern: re.Pattern[Any]
    moves: bool  # it is tried at every place of a text, and not only at its beginning


def patterns() -> dict[str, re.Pattern[Any]]:
    """Every regular expression of the program that repeats something, by its name."""
    return {name: found.pattern for name, found in expressions().items()}


@cache
def expressions() -> dict[str, Expression]:
    """All of them: those that stand in modules, tuples and tables, and those that stand in the middle of a function."""
    modules = [import_module(name) for room in _ROOMS for name in _names(room)]
    sources = {module.__name__: Path(module.__file__ or "").read_text("utf-8") for module in modules}
    found: dict[str, Expression] = {}
    for module in modules:
        for name, value in vars(module).items():
            for number, each in enumerate(_held(value)):
                near = [sources[module.__name__]] if name.startswith("_") else list(sources.values())
                moves = _is_moved(name, near)
                found[f"{module.__name__}.{name}" + (f"[{number}]" if number else "")] = Expression(each, moves)
        for line, each in _inside_functions(sources[module.__name__]):
            found[f"{module.__name__}:{line}"] = Expression(each, True)
    names: dict[tuple[Any, int], str] = {}  # what is imported elsewhere is there once more
    return {name: each for name, each in found.items() if names.setdefault(_identity(each), name) == name}


def _identity(each: Expression) -> tuple[Any, int]:
    return each.pattern.pattern, each.pattern.flags


def _names(room: str) -> list[str]:
    found = walk_packages(import_module(room).__path__, f"{room}.")
    return [room, *(each.name for each in found if not each.name.startswith(_APART))]


def _held(value: Any, depth: int = 0) -> Iterator[re.Pattern[Any]]:
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, Mapping) and depth < 3:
        yield from (each for one in value.values() for each in _held(one, depth + 1))
    elif isinstance(value, tuple | list | frozenset) and depth < 3 and len(value) < 1_000:
        yield from (each for one in value for each in _held(one, depth + 1))


def _is_moved(name: str, sources: Sequence[str]) -> bool:
    """Whether it is used otherwise than by `match` and `fullmatch`; one in a table is, for all that one can see."""
    used = [method for source in sources for method in re.findall(rf"(?<!\w){re.escape(name)}\.(\w+)\(", source)]
    return not used or any(method in _MOVING for method in used)


def _inside_functions(source: str) -> Iterator[tuple[int, re.Pattern[Any]]]:
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call) and node.args]
    for call in calls:
        if isinstance(call.func, ast.Attribute) and call.func.attr in (*_MOVING, "match"):
            of = call.func.value
            if isinstance(of, ast.Name) and of.id == "re" and isinstance(call.args[0], ast.Constant):
                yield call.lineno, re.compile(call.args[0].value)


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
