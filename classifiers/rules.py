"""The rules: what a phrase proves, for which direction, how surely, and in which company it proves nothing."""

import hashlib
import tomllib
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import msgspec

from agent.errors import Rejected
from classifiers.phrases import Line, Vocabulary

Kind = Literal["milestone", "objection", "topic", "cue", "settling"]
LANGUAGES = ("en", "ru")
ROOMS = ("words", "milestones", "objections", "cues", "settling")


def _texts(language: str) -> list[str]:
    room = files("classifiers") / "data" / "phrases"
    return [(room / f"{name}.{language}.toml").read_text("utf-8") for name in ROOMS]


def _version() -> str:
    """The code's number, and what the phrase files hold: a changed phrase is a new version by itself."""
    digest = hashlib.blake2b(digest_size=4)
    for language in LANGUAGES:
        for text in _texts(language):
            digest.update(text.encode())
    return f"rules-2-{digest.hexdigest()}"


VERSION = _version()


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One table of a phrase file."""

    kind: Kind
    name: str  # the milestone, the objection's type, or the cue
    phrases: str  # one a line
    direction: Literal["inbound", "outbound", "either"] = "either"
    confidence: float = 0.85
    not_when: tuple[str, ...] = ()  # cues within whose reach the phrase proves nothing
    only_when: tuple[str, ...] = ()  # cues that must stand in the letter
    context: str = ""  # a word list: an attachment's name, or the subject, must bear one of its words
    genuine: Literal["yes", "no", "facts"] = "facts"  # of an objection: always, never, or if a fact stands beside it
    reach: str = "sentence"  # of a cue: a number of words after it, `after`, `clause`, `sentence`
    id: str = ""  # language/name/number: what a reading names as its reason


HOUSE = "house/"  # how the id of a rule begins that is the admin's own


def of_house(by: str) -> bool:
    """Whether a reading was made by a phrase of the admin's own: he knows how his clients write."""
    return by.startswith(HOUSE)


class HousePhrases(msgspec.Struct, frozen=True):
    """What the admin adds to the rules of one language."""

    language: str
    rules: tuple[Rule, ...] = ()
    words: tuple[tuple[str, str], ...] = ()  # a word list's name, and the entries that it gets besides


def version(house: Sequence[HousePhrases] = ()) -> str:
    """Of the rules with what the admin adds: other phrases are another version."""
    if not house:
        return VERSION
    return f"{VERSION}-house-{hashlib.blake2b(msgspec.json.encode(house), digest_size=4).hexdigest()}"


class Book(msgspec.Struct, frozen=True):
    """All rules of one language, read and parsed."""

    language: str
    rules: tuple[Rule, ...]
    lines: tuple[tuple[int, Line], ...]  # (index of the rule, one reading of one of its phrases)
    lists: dict[str, frozenset[str]]  # the single words of the lists that some rule takes as its context


@cache
def book(language: str, house: tuple[HousePhrases, ...] = ()) -> Book:
    """The rules that come with the product, and what the admin adds to them."""
    return compile_book(language, _texts(language), house)


@cache
def word_lists(language: str) -> dict[str, str]:
    """The word lists of the product's rules: name -> entries."""
    return _word_lists([tomllib.loads(text) for text in _texts(language)])


@cache
def cues(language: str) -> frozenset[str]:
    """The names of what can take a phrase its force."""
    tables = [rule for text in _texts(language) for rule in tomllib.loads(text).get("rule", [])]
    return frozenset({rule["name"] for rule in tables if rule["kind"] == "cue"} | {"question", "conditional"})


def with_synonyms(lists: dict[str, str], added: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Word lists with the entries that the admin adds; a list that is not there becomes one."""
    longer = dict(lists)
    for name, entries in added:
        longer[name] = f"{longer[name]}, {entries}" if name in longer else entries
    return longer


def compile_book(language: str, texts: Iterable[str], house: Sequence[HousePhrases] = ()) -> Book:
    """Parses phrase files; a mistake in one is named with its rule and line."""
    tables = [tomllib.loads(text) for text in texts]
    own = [one for one in house if one.language == language]
    lists_of_words = with_synonyms(_word_lists(tables), [pair for one in own for pair in one.words])
    vocabulary = Vocabulary(language, lists_of_words)
    rules = (
        *_rules(language, [rule for table in tables for rule in table.get("rule", [])]),
        *(rule for one in own for rule in one.rules),
    )
    lines = tuple((number, line) for number, rule in enumerate(rules) for line in _lines(vocabulary, rule))
    lists = {rule.context: vocabulary.names(rule.context) for rule in rules if rule.context}
    return Book(language=language, rules=rules, lines=lines, lists=lists)


def _word_lists(tables: Iterable[dict[str, Any]]) -> dict[str, str]:
    return {name: entries for table in tables for name, entries in table.get("words", {}).items()}


def _rules(language: str, tables: Sequence[dict[str, Any]]) -> Iterable[Rule]:
    numbers: dict[str, int] = {}
    for table in tables:
        try:
            rule = msgspec.convert(table, Rule)
        except msgspec.ValidationError as error:
            raise Rejected(f"a rule of the phrase files is not valid: {error}: {table}") from error
        numbers[rule.name] = numbers.get(rule.name, 0) + 1
        yield msgspec.structs.replace(rule, id=f"{language}/{rule.kind}/{rule.name}/{numbers[rule.name]}")


def _lines(vocabulary: Vocabulary, rule: Rule) -> Iterable[Line]:
    for text in phrase_lines(rule.phrases):
        try:
            yield from vocabulary.parse(text)
        except Rejected as error:
            raise Rejected(f"{rule.id}: {error}") from error


def phrase_lines(phrases: str) -> list[str]:
    """The phrases of a rule, one a line, without remarks."""
    lines = (line.split(" // ")[0].strip() for line in phrases.splitlines())
    return [line for line in lines if line]
