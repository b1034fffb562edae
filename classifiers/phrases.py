"""The phrase language: readable lines of TOML become spaCy token patterns, grouped by the word that must be there.

    attached .. {offer}          words in this order; `..` = up to four words inside the clause,
    agreed ... {offer}           `...` = up to ten of any kind
    [please] (see|find) attached   [x] may be missing, (a|b c) are alternatives
    договор~  sign~              every form of the word (pymorphy3 for Russian, suffixes and a short table for English)
    подписан*                    every word that begins so
    #  @                         a number, in digits or as a word; a clock time or a date in digits

{offer} is a list from the `[words]` tables. Upper case, ё and curly apostrophes do not matter.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import product
from typing import Any

import msgspec

from agent.errors import Rejected

MAX_EXPANSIONS = 3000  # of one line; more than that is a mistake in the line
BREAKS = (",", ";", ":", "(", ")", "—", "–", "--", "…", ".", "!", "?", "•", "*")

_WORD = re.compile(r"\d+(?:[.,:/]\d+)*|[^\W\d_]+n't|'(?:ve|re|ll|d|m|s)(?!\w)|[^\W_]+|--+|[^\w\s]|_+")
_CONTRACTED = frozenset(  # a word with "n't" stays one token
    "don't doesn't didn't haven't hasn't hadn't isn't aren't wasn't weren't won't can't couldn't "
    "wouldn't shouldn't".split()
)
_MOMENT = r"[0-9]{1,2}[:./][0-9]{2}(?:[:./][0-9]{2,4})?"
_CLOSING = {"(": ")", "[": "]"}
_LINE = re.compile(r"\.\.\.|\.\.|\{\w+\}|[()\[\]|]|[^\s()\[\]|]+")
_SAME = str.maketrans({"ё": "е", "Ё": "Е", "’": "'", "‘": "'", "ʼ": "'", "`": "'", "\u00a0": " "})
_NUMBER_WORDS = frozenset(
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand dozen half third quarter "
    "два две три четыре пять шесть семь восемь девять десять одиннадцать двенадцать тринадцать четырнадцать пятнадцать "
    "шестнадцать семнадцать восемнадцать девятнадцать двадцать тридцать сорок пятьдесят шестьдесят семьдесят "
    "восемьдесят девяносто сто двести триста двух трех четырех пяти шести семи восьми девяти десяти одиннадцати "
    "двенадцати пятнадцати двадцати тридцати сотня тысяча тысячи тысяч миллион двое трое четверо полтора "
    "полторы десяток половину половина треть четверть".split()
)


def same_length(text: str) -> str:
    """The text as the phrases see it, letter for letter: ё is е, every apostrophe is straight."""
    return text.translate(_SAME)


def words(text: str) -> Iterator[tuple[str, int, int]]:
    """The tokens of a text in lower case, each with its place."""
    for found in _WORD.finditer(same_length(text)):
        yield found.group().lower(), found.start(), found.end()


def is_number(word: str) -> bool:
    """Digits, or a number as a word; "one" is mostly none."""
    return word[0].isdigit() or (word in _NUMBER_WORDS and word not in ("one", "second"))


# -- one line ---------------------------------------------------------------------------------------------------------


class Slot(msgspec.Struct, frozen=True):
    """One place of a phrase: any of these words, or a gap."""

    exact: frozenset[str] = frozenset()
    begins: frozenset[str] = frozenset()
    number: bool = False
    moment: bool = False
    gap: int = 0
    any_clause: bool = False  # the gap may run over a comma
    optional: bool = False

    def pattern(self) -> dict[str, Any]:
        """As spaCy's Matcher wants it."""
        if self.gap:
            kept: dict[str, Any] = {} if self.any_clause else {"LOWER": {"NOT_IN": list(BREAKS)}}
            return {**kept, "OP": f"{{0,{self.gap}}}"}
        if self.begins or self.number or self.moment:
            parts = [re.escape(word) for word in sorted(self.exact)] + [
                f"{re.escape(b)}.*" for b in sorted(self.begins)
            ]
            test: Any = {"REGEX": f"^(?:{'|'.join(parts + [r'[0-9].*'] * self.number + [_MOMENT] * self.moment)})$"}
        else:
            test = next(iter(self.exact)) if len(self.exact) == 1 else {"IN": sorted(self.exact)}
        return {"LOWER": test, "OP": "?"} if self.optional else {"LOWER": test}

    @property
    def required(self) -> bool:
        return not (self.gap or self.optional or self.number or self.moment)


Line = tuple[Slot, ...]


class Vocabulary:
    """The named word lists and the forms of words of one language."""

    def __init__(self, language: str, lists: Mapping[str, str]) -> None:
        self.language = language
        self.lists = dict(lists)

    def parse(self, line: str) -> list[Line]:
        """Every way in which this line can be said."""
        found = [_trimmed(one) for one in _expand(self._tree(line))]
        if not found or len(found) > MAX_EXPANSIONS:
            raise Rejected(f"the phrase {line!r} has {len(found)} readings; write it as several lines")
        for one in found:
            if not any(slot.required for slot in one):
                raise Rejected(f"the phrase {line!r} has no word that must be there")
        return found

    def names(self, name: str) -> frozenset[str]:
        """The single words of a named list, in every form."""
        slots = [one[0] for one in self.parse("{" + name + "}") if len(one) == 1]
        return frozenset().union(*(slot.exact for slot in slots)) if slots else frozenset()

    def _tree(self, line: str) -> list[Any]:
        tokens = _LINE.findall(same_length(line).lower())
        tree, rest = self._sequence(tokens, 0, "")
        if rest != len(tokens):
            raise Rejected(f"the phrase {line!r} closes a bracket that it did not open")
        return tree

    def _sequence(self, tokens: Sequence[str], at: int, until: str) -> tuple[list[Any], int]:
        items: list[Any] = []
        while at < len(tokens) and tokens[at] not in (until, ")", "]", "|"):
            token = tokens[at]
            if token in _CLOSING:
                options: list[list[Any]] = []
                closing = _CLOSING[token]
                while True:
                    option, at = self._sequence(tokens, at + 1, closing)
                    options.append(option)
                    if at >= len(tokens) or tokens[at] not in ("|", closing):
                        raise Rejected(f"a bracket stays open in {' '.join(tokens)!r}")
                    if tokens[at] == closing:
                        break
                items.append(("any" if closing == ")" else "maybe", options))
            elif token.startswith("{") and token.endswith("}"):
                items.append(("any", [self._tree(entry) for entry in self._entries(token[1:-1])]))
            else:
                items.extend(self._slots(token))
            at += 1
        return items, at

    def _entries(self, name: str) -> list[str]:
        if name not in self.lists:
            raise Rejected(f"there is no word list called {name!r}")
        return [entry.strip() for entry in self.lists[name].split(",") if entry.strip()]

    def _slots(self, item: str) -> list[Slot]:
        if item == "..":
            return [Slot(gap=4)]
        if item == "...":
            return [Slot(gap=10, any_clause=True)]
        if item == "n't":
            return [Slot(exact=_CONTRACTED)]
        if item == "@":
            return [Slot(moment=True)]
        if item == "#":
            return [Slot(exact=_NUMBER_WORDS, number=True)]
        if item.endswith("~"):
            return [Slot(exact=forms(item[:-1], self.language))]
        if item.endswith("*") and len(item) > 1:
            return [Slot(begins=frozenset({item[:-1]}))]
        return [Slot(exact=frozenset({word})) for word, _, _ in words(item)]


def _expand(items: Sequence[Any]) -> list[Line]:
    """Alternatives of one word each stay together in one slot; longer ones become readings of their own."""
    parts: list[list[Line]] = []
    for item in items:
        if isinstance(item, Slot):
            parts.append([(item,)])
        else:
            inner = _joined([line for option in item[1] for line in _expand(option)])
            single = len(inner) == 1 and len(inner[0]) == 1 and not inner[0][0].gap
            if item[0] == "any":
                parts.append(inner)
            else:
                parts.append([(msgspec.structs.replace(inner[0][0], optional=True),)] if single else [(), *inner])
        if len(parts[-1]) > MAX_EXPANSIONS:
            raise Rejected("a bracket holds too many alternatives; write several lines")
    readings = 1
    for part in parts:
        readings *= len(part)
    if readings > MAX_EXPANSIONS:
        raise Rejected(f"a phrase has {readings} readings; write it as several lines")
    return [tuple(slot for line in choice for slot in line) for choice in product(*parts)]


def _trimmed(line: Line) -> Line:
    """A gap at either end says nothing."""
    first, last = 0, len(line)
    while first < last and (line[first].gap or line[first].optional):
        first += 1
    while last > first and (line[last - 1].gap or line[last - 1].optional):
        last -= 1
    return line[first:last]


def _joined(lines: Sequence[Line]) -> list[Line]:
    exact: set[str] = set()
    begins: set[str] = set()
    number = moment = False
    longer: list[Line] = []
    for line in lines:
        if len(line) == 1 and not line[0].gap and not line[0].optional:
            exact |= line[0].exact
            begins |= line[0].begins
            number = number or line[0].number
            moment = moment or line[0].moment
        else:
            longer.append(line)
    if exact or begins or number or moment:
        slot = Slot(exact=frozenset(exact), begins=frozenset(begins), number=number, moment=moment)
        return [(slot,), *longer]
    return longer


# -- forms of a word --------------------------------------------------------------------------------------------------

_IRREGULAR = {
    word: line.split()
    for line in (
        "be am is are was were been being|have has had having|do does did done doing|go goes went gone going|"
        "send sent|pay paid|hold held"
        "|meet met|choose chose chosen|get got gotten|find found|make made|take took taken|give gave given|put|"
        "cut|let|buy bought"
        "|think thought|see saw seen|read|leave left|come came|lose lost|tell told|say said|hear heard|feel felt|"
        "keep kept|bring brought"
        "|sell sold|stand stood|speak spoke spoken|write wrote written|know knew known|draw drew drawn|break "
        "broke broken|begin began begun"
        "|freeze froze frozen|run ran|show shown|lie lay lain|spend spent|set|shut|fall fell fallen|drop dropped "
        "dropping|stop stopped stopping"
        "|plan planned planning|defer deferred deferring|refer referred referring|cancel cancelled canceled "
        "cancelling|quote quoted quoting|withdraw withdrew withdrawn"
    ).split("|")
    for word in [line.split()[0]]
}


@cache
def forms(word: str, language: str) -> frozenset[str]:
    """Every form of a word, as it may stand in a text."""
    if language == "ru":
        return frozenset(same_length(form.word) for form in _morphology().parse(word)[0].lexeme) | {same_length(word)}
    found = {word, *_IRREGULAR.get(word, ())}
    stem = word[:-1] if word.endswith("e") else word
    if word.endswith("y") and word[-2:-1] not in "aeiou":
        found |= {word[:-1] + "ies", word[:-1] + "ied", word + "ing"}
    elif word.endswith(("s", "x", "ch", "sh")):
        found |= {word + "es", word + "ed", word + "ing"}
    else:
        found |= {word + "s", stem + "ed", stem + "ing"}
    return frozenset(found)


@cache
def _morphology() -> Any:
    import pymorphy3  # type: ignore[import-untyped]  # has no types of its own

    return pymorphy3.MorphAnalyzer(lang="ru")


# -- many lines -------------------------------------------------------------------------------------------------------


class Group(msgspec.Struct, frozen=True):
    """Phrases that share the word without which they cannot be there."""

    anchor: Slot
    lines: tuple[tuple[int, Line], ...]  # (number of the rule, its line)


def group(lines: Sequence[tuple[int, Line]]) -> list[Group]:
    """Each phrase stands under its rarest word, so that most sentences wake few phrases."""
    seen = Counter(word for _, line in lines for slot in line for word in slot.exact | slot.begins)
    found: dict[tuple[frozenset[str], frozenset[str]], tuple[Slot, list[tuple[int, Line]]]] = {}
    for number, line in lines:
        anchor = min(
            (slot for slot in line if slot.required),
            key=lambda slot: (max(seen[word] for word in slot.exact | slot.begins), sorted(slot.exact | slot.begins)),
        )
        found.setdefault((anchor.exact, anchor.begins), (anchor, []))[1].append((number, line))
    return [Group(anchor=anchor, lines=tuple(some)) for anchor, some in found.values()]
