"""[reader]: where the house's own heads lie, and the admin's phrases, each mistake told with the line of its file."""

import os
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import Field, StringConstraints

from agent.config.check import Check
from agent.config.lines import key_lines
from agent.config.places import read, syntax
from agent.config.tables import Reader, Table
from agent.errors import ConfigError
from classifiers.house import CONFIDENCE, HouseRule, ReaderOptions, house_phrases, problems

Language = Literal["en", "ru"]
OwnName = Annotated[str, StringConstraints(pattern=r"^[\w-]{1,40}$")]


class RuleTable(Table):
    """[[rule]] of a phrase file."""

    language: Language
    kind: Literal["milestone", "objection"]
    name: OwnName
    phrases: str
    counts_as: str = ""
    direction: Literal["inbound", "outbound", "either"] | None = None
    confidence: float = Field(default=CONFIDENCE, ge=0.5, le=0.99)
    not_when: tuple[str, ...] | None = None
    genuine: Literal["yes", "no", "facts"] = "yes"

    def rule(self) -> HouseRule:
        return HouseRule(**{key: getattr(self, key) for key in type(self).model_fields})


class PhraseFile(Table):
    """A file of the admin's own phrases."""

    rule: tuple[RuleTable, ...] = ()
    words: dict[Language, dict[str, str]] = Field(default_factory=dict)


class _Opened(NamedTuple):
    """A phrase file that could be read, and what is wrong with it."""

    file: PhraseFile
    check: Check
    lines: list[str]

    def line_of(self, first: int, phrase: str) -> int:
        """The line of a phrase inside its text, which begins at line `first`."""
        return next((n for n in range(first, len(self.lines) + 1) if phrase in self.lines[n - 1]), first)


def reader_options(check: Check, table: Reader, state: Path) -> ReaderOptions:
    """How letters are read; what is wrong with the phrases is added to what `check` tells."""
    model = str(state / Path(table.model).expanduser())
    opened = [one for path in _files(check, table) if (one := _opened(check, path)) is not None]
    words = _words([one.file for one in opened])
    for one in opened:
        _judge(one, words)
        check.elsewhere += one.check.told(one.check.problems)
    rules = [rule.rule() for one in opened for rule in one.file.rule]
    return ReaderOptions(model=model, phrases=() if check.problems or check.elsewhere else house_phrases(rules, words))


def _files(check: Check, table: Reader) -> list[Path]:
    if table.phrases is None:
        return []
    place = check.path.parent / table.phrases.expanduser()
    files = sorted(place.glob("*.toml")) if place.is_dir() else [place]
    if not files:
        check.problem(("reader", "phrases"), f"{place} holds no .toml file; put one there or leave the key out")
    for file in files:
        if not os.access(file, os.R_OK):
            check.problem(("reader", "phrases"), f"{file} cannot be read; is it there, and may this user read it?")
    return [file for file in files if os.access(file, os.R_OK)]


def _opened(check: Check, path: Path) -> _Opened | None:
    try:
        text = read(path)
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        check.elsewhere.append(syntax(path, error))
        return None
    except ConfigError as error:
        check.elsewhere += error.problems
        return None
    own = Check(path, raw, key_lines(text), check.env)
    file = own.table((), PhraseFile, raw)
    return _Opened(file or PhraseFile(), own, text.split("\n"))


def _words(files: Sequence[PhraseFile]) -> dict[str, dict[str, str]]:
    """The lists of all files together: what two say of one list is added up."""
    found: dict[str, dict[str, str]] = {}
    for file in files:
        for language, lists in file.words.items():
            own = found.setdefault(language, {})
            own |= {name: f"{own[name]}, {more}" if name in own else more for name, more in lists.items()}
    return found


def _judge(one: _Opened, words: dict[str, dict[str, str]]) -> None:
    for n, table in enumerate(one.file.rule):
        for problem in problems(table.rule(), words):
            at = ("rule", n, problem.key)
            one.check.problem(at, problem.text, one.line_of(one.check.line(at), problem.phrase))
