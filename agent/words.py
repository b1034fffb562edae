"""Words, names and numbers of a text, compared across endings and spellings; English and Russian."""

import re
from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache

MAX_WORDS = 4_000  # of one text; the rest says nothing new about which deal it is

_WORD = re.compile(r"\w+")
_NUMBER = re.compile(r"[^\W_]*\d[\w/.-]*", re.ASCII | re.IGNORECASE)
_REPLY_MARK = re.compile(
    r"^\s*(?:(?:re|fw|fwd|aw|wg|sv|tr|rv|отв|ответ|пересл|на)\s*(?:\[\d+\])?\s*:\s*)+", re.IGNORECASE
)
_STOP = frozenset(
    "a an and are as at be by for from in into is it of on or our the this to we with you your re fw fwd new old deal "
    "и в во на с со к ко по за из у о об от до для при не но а как что это мы вы наш ваш все его их же ли бы".split()
)


def words(text: str) -> list[str]:
    """Lower-case words in their order, at most MAX_WORDS."""
    return _WORD.findall(text.lower().replace("ё", "е"))[:MAX_WORDS]


def topic(subject: str) -> str:
    """A subject without the marks of replies and forwards, for comparing."""
    return " ".join(words(_REPLY_MARK.sub("", subject[:1_000])))


def same_word(one: str, other: str) -> bool:
    """Do two words differ in their endings only? станции / станций, charger / chargers; not general / generator."""
    if one == other:
        return True
    longest = max(len(one), len(other))
    common = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        common += 1
    return common >= 4 and common >= longest - 3


@lru_cache(maxsize=20_000)
def name_units(name: str, without: str = "") -> tuple[tuple[str, ...], ...]:
    """What a deal's name can be told by: its words, a short one together with the word before it ("level 3").

    Words of `without` (the company's name) and filling words are left out.
    """
    known = without.split()
    units: list[tuple[str, ...]] = []
    before = ""
    for word in words(name):
        if (word in _STOP and len(word) > 1) or any(same_word(word, w) for w in known):
            before = ""
        elif len(word) <= 2 or word.isdigit():
            if before:
                units[-1] = (*units[-1], word)
            elif len(word) == 2 and not word.isdigit():
                units.append((word,))
            before = ""
        else:
            units.append((word,))
            before = word
    return tuple(dict.fromkeys(units))


class WordIndex:
    """The words of one text, asked for by a word in any ending, or by words that follow each other."""

    def __init__(self, text: str) -> None:
        self._words = words(text)
        self._places: dict[str, list[int]] = defaultdict(list)
        for place, word in enumerate(self._words):
            self._places[word[:4]].append(place)

    def has(self, unit: tuple[str, ...]) -> bool:
        for place in self._places.get(unit[0][:4], ()):
            following = self._words[place : place + len(unit)]
            if len(following) == len(unit) and all(map(same_word, unit, following)):
                return True
        return False

    def __len__(self) -> int:
        return len(self._words)


def plain_number(number: str) -> str:
    """KP-22/91 and kp2291 are one number."""
    return "".join(c for c in number.lower() if c.isalnum())


def numbers(texts: Iterable[str]) -> set[str]:
    """Numbers by which offers, contracts and invoices are named: with three digits or more, spelled plainly.

    Given with and without the letters around them: "КП_2291.pdf" names 2291.
    """
    found: set[str] = set()
    for text in texts:
        for token in _NUMBER.findall(text[:200_000].replace("_", " ")):
            plain = plain_number(token)
            digits = "".join(c for c in plain if c.isdigit())
            if 3 <= len(digits) <= 20:
                found.add(plain)
                if len(digits) >= 4:
                    found.add(digits)
    return found
