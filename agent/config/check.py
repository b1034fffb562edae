"""Collects what is wrong with config.toml: each problem with its line, its key and its fix."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from agent.config.lines import KeyPath
from agent.config.values import suggest

M = TypeVar("M", bound=BaseModel)


class Check:
    """The raw file and what has been found wrong with it so far."""

    def __init__(self, path: Path, raw: dict[str, Any], lines: Mapping[KeyPath, int], env: Mapping[str, str]) -> None:
        self.path = path
        self.raw = raw
        self.lines = lines
        self.env = env
        self.problems: list[tuple[int, str]] = []
        self.notes: list[tuple[int, str]] = []
        self.elsewhere: list[str] = []  # what is wrong with files that this one names

    def problem(self, at: KeyPath, text: str, line: int | None = None) -> None:
        """`line`: where inside the key's value, when that is known."""
        self.problems.append((line or self.line(at), self._label(at) + text))

    def note(self, at: KeyPath, text: str) -> None:
        self.notes.append((self.line(at), self._label(at) + text))

    def told(self, found: list[tuple[int, str]]) -> tuple[str, ...]:
        ordered = sorted(dict.fromkeys(found), key=lambda each: each[0])
        return tuple(f"{self.path}:{line}: {text}" if line else f"{self.path}: {text}" for line, text in ordered)

    def line(self, at: KeyPath) -> int:
        """The nearest thing that is in the file: a missing key is told at its table."""
        return next((self.lines[at[:n]] for n in range(len(at), 0, -1) if at[:n] in self.lines), 0)

    def _label(self, at: KeyPath) -> str:
        """'mailbox "anna", folders[2]: '"""
        words: list[str] = []
        here: Any = self.raw
        for step in at:
            here = here[step] if _has(here, step) else None
            if isinstance(step, str):
                words.append(step)
            elif isinstance(here, dict):
                words[-1] += f' "{here["name"]}"' if isinstance(here.get("name"), str) else f" {step + 1}"
            else:
                words[-1] += f"[{step + 1}]"
        return ", ".join(words) + ": " if words else ""

    def table(self, at: KeyPath, model: type[M], values: object, others: Sequence[str] = ()) -> M | None:
        """`values` as `model`, or None and its problems; `others` are keys that belong to the same table."""
        try:
            return model.model_validate(values)
        except ValidationError as error:
            for each in error.errors(include_url=False):
                self.problem((*at, *_place_of(each, model)), _sentence(each, model, others))
            return None

    def tables(self, key: str) -> list[tuple[KeyPath, dict[str, Any]]]:
        """The tables of [[key]], with where they stand."""
        value = self.raw.get(key, [])
        if isinstance(value, dict):
            self.problem((key,), f"write [[{key}]] with double brackets: there can be several")
            return []
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            self.problem((key,), f"must be tables; write [[{key}]]")
            return []
        return [((key, n), each) for n, each in enumerate(value)]


def _has(value: Any, step: str | int) -> bool:
    if isinstance(step, int):
        return isinstance(value, list) and step < len(value)
    return isinstance(value, dict) and step in value


def _place_of(error: ErrorDetails, model: type[BaseModel]) -> KeyPath:
    """Where in the file it is: pydantic's own steps (names of union members) are left out."""
    place: KeyPath = ()
    here: type[BaseModel] | None = model
    for step in error["loc"]:
        known = here is not None and (step in here.model_fields or error["type"] == "extra_forbidden")
        if isinstance(step, str) and not known:
            break
        place = (*place, step)
        if isinstance(step, str) and here is not None and step in here.model_fields:
            here = model_in(here.model_fields[step].annotation)
    return place or _key_named_in(error, model)


def _key_named_in(error: ErrorDetails, model: type[BaseModel]) -> KeyPath:
    """A connector's word on several keys together stands at the first that it names and that is there."""
    there = error["input"] if isinstance(error["input"], dict) else {}
    words = re.findall(r"\w+", error["msg"])
    return next(((word,) for word in words if word in there and word in model.model_fields), ())


def model_in(annotation: Any) -> type[BaseModel] | None:
    """The table that a key holds, also inside Optional, tuple or Annotated."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := model_in(part))), None)


def _sentence(error: ErrorDetails, model: type[BaseModel], others: Sequence[str]) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind == "extra_forbidden":
        return f"unknown key; {suggest(str(error['loc'][-1]), _keys_at(error, model, others))}"
    if kind == "missing":
        return f'is missing; add {error["loc"][-1]} = "..."'
    if kind == "value_error":
        return str(context["error"])
    if kind == "tuple_type" and isinstance(error["input"], dict):
        return "must be written with double brackets: there can be several"
    if kind == "literal_error":
        return f"must be {context['expected']}"
    if kind in ("string_too_short", "too_short"):
        return "must not be empty"
    for start, expected in _EXPECTED.items():
        if kind.startswith(start):
            return f"must be {expected}"
    return error["msg"].replace("Input should be", "must be")


_EXPECTED = {
    "string": 'a text in quotes, e.g. "..."',
    "path": 'a path in quotes, e.g. "folder/file"',
    "tuple": 'a list, e.g. ["..."]',
    "list": 'a list, e.g. ["..."]',
    "frozen_set": 'a list, e.g. ["..."]',
    "int": "a whole number without quotes",
    "float": "a number without quotes",
    "bool": "true or false, without quotes",
    "model": 'a table, e.g. { env = "NAME" }',
    "dict": 'a table, e.g. { env = "NAME" }',
}


def _keys_at(error: ErrorDetails, model: type[BaseModel], others: Sequence[str]) -> list[str]:
    here = model
    inside = [step for step in error["loc"][:-1] if isinstance(step, str)]
    for step in inside:
        if step in here.model_fields:
            here = model_in(here.model_fields[step].annotation) or here
    return list(here.model_fields) + ([] if inside else list(others))


def own_name(check: Check, at: KeyPath, values: dict[str, Any], taken: dict[str, KeyPath]) -> None:
    name = values.get("name")
    if not isinstance(name, str):
        return  # told with the table's other keys
    if name.strip() in taken:
        check.problem((*at, "name"), f"is taken already in line {check.line(taken[name.strip()])}; choose another name")
    taken.setdefault(name.strip(), (*at, "name"))
