"""Words, names and numbers of a text, compared across endings and spellings; English and Russian."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import cache, lru_cache
from importlib.resources import files
from math import log

MAX_WORDS = 4_000  # of one text; the rest says nothing new about which deal it is

_WORD = re.compile(r"\w+")
_NUMBER = re.compile(r"([0-9]+)([\w/.-]*)")  # begins at its first digit: a text without one costs its length
_BEFORE_NUMBER = re.compile(r"([^\W\d_]{1,12})[-–/.№# ]{0,3}\Z")
_REPLY_MARK = re.compile(
    r"^\s*(?:(?:re|fw|fwd|aw|antw|wg|sv|vs|tr|rv|rif|res|odp|ynt|отв|ответ|пересл|на)\s*+(?:\[\d+\]\s*+)?:\s*+)+",
    re.IGNORECASE,
)
_STOP = frozenset(
    "a an and are as at be by for from in into is it of on or our the this to we with you your re fw fwd new old deal "
    "и в во на с со к ко по за из у о об от до для при не но а как что это мы вы наш ваш все его их же ли бы".split()
)


def words(text: str) -> list[str]:
    """Lower-case words in their order, at most MAX_WORDS."""
    return _WORD.findall(text.lower().replace("ё", "е"))[:MAX_WORDS]


def without_marks(subject: str) -> str:
    """A subject without the marks of replies and forwards."""
    return _REPLY_MARK.sub("", subject[:1_000])


@lru_cache(maxsize=4_096)
def topic(subject: str) -> str:
    """A subject as its words, for comparing."""
    return " ".join(words(without_marks(subject)))


def answered_topic(subject: str) -> str:
    """The subject that a reply or a forward carries on; "" when it has no such mark."""
    return topic(subject) if _REPLY_MARK.match(subject[:1_000]) else ""


# what may follow the letters that two forms of one word share
_ENDINGS = frozenset("s es d ed e er ers ing ings y ies f ves is".split())
_SHORT_ENDINGS = (
    frozenset(["", "s", "es"]),
    frozenset(["", *"а у е ы и ом ем ов ев ам ах ами".split()]),
    frozenset("ь и ью ей ям ях ями".split()),
    frozenset("а ы у е ой".split()),
)


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
    if common < 3 or common < longest - 3 or not (one.isalpha() and other.isalpha()):
        return False  # dn100 is not dn150
    tails = (one[common:], other[common:])
    if common == 3:
        return any(endings.issuperset(tails) for endings in _SHORT_ENDINGS)
    english = one.isascii() and other.isascii()
    return not english or all(len(t) < 2 or t in _ENDINGS for t in tails)


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


_PART = re.compile(r"[@/:;,()|—–]| - ")
_FILLING = frozenset(
    "deal untitled unnamed enquiry inquiry request lead opportunity project "
    "сделка запрос заявка проект без названия обращение лид".split()
)


@lru_cache(maxsize=20_000)
def name_parts(name: str, without: str = "") -> tuple[tuple[tuple[str, ...], ...], ...]:
    """The units of each part of a deal's name: what is sold, where, for whom; what every deal is called is left out."""
    parts = (name_units(part, without) for part in _PART.split(name))
    telling = (tuple(u for u in units if u[0] not in _FILLING) for units in parts)
    return tuple(units for units in telling if units)


class WordIndex:
    """The words of one text, asked for by a word in any ending, or by words that follow each other."""

    def __init__(self, text: str) -> None:
        self._words = words(text)
        self._places: dict[str, list[int]] = defaultdict(list)
        for place, word in enumerate(self._words):
            self._places[word].append(place)
        self._alike: dict[str, list[str]] = defaultdict(list)
        self._asked: dict[tuple[str, ...], bool] = {}
        for word in self._places:
            self._alike[word[:3]].append(word)

    def has(self, unit: tuple[str, ...]) -> bool:
        """Asked for again and again, in every going through a history; found once."""
        if unit not in self._asked:
            self._asked[unit] = next(self.places(unit), None) is not None
        return self._asked[unit]

    def places(self, unit: tuple[str, ...]) -> Iterator[int]:
        """Where it stands, counted in words."""
        for word in self._alike.get(unit[0][:3], ()):
            if same_word(unit[0], word):
                yield from (place for place in self._places[word] if self._follow(place, unit[1:]))

    def between(self, low: int, high: int) -> list[str]:
        return self._words[low:high]

    def _follow(self, place: int, rest: tuple[str, ...]) -> bool:
        following = self._words[place + 1 : place + 1 + len(rest)]
        return len(following) == len(rest) and all(map(same_word, rest, following))

    def distinct(self) -> Iterable[str]:
        return self._places.keys()

    def __len__(self) -> int:
        return len(self._words)


STEM = 5  # letters by which the forms of one word are taken together when they are counted


COUNTED = 840  # letters of many trades, in each of the two languages, in which words were counted
EVERYDAY = 12  # of them have an everyday word


def listed(name: str) -> list[str]:
    """The lines of one of our word lists, without blank ones and remarks."""
    lines = files("agent").joinpath("data", name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


@cache
def _commonness() -> Mapping[str, int]:
    """How words begin, and in how many letters of many trades such a word stands."""
    return {stem: int(letters) for stem, _, letters in (line.partition(" ") for line in listed("everyday.txt"))}


@cache
def everyday() -> frozenset[str]:
    """How words begin that stand in sales letters of every trade."""
    return frozenset(stem for stem, letters in _commonness().items() if letters >= EVERYDAY)


@cache
def telling(stem: str) -> float:
    """How much a word tells about which deal it is: 1 when letters of other trades hardly have it, 0 for "please"."""
    return min(1.0, max(0.0, (log(COUNTED / (1 + _commonness().get(stem, 0))) - 3.3) / 3.4))


def stems(text: Iterable[str]) -> frozenset[str]:
    """The words of a text by their beginnings, without short ones and numbers."""
    return frozenset(w[:STEM] for w in text if len(w) >= 4 and w.isalpha())


_LATIN = str.maketrans(
    dict(zip("абвгдезийклмнопрстуфхцыэ", "a b v g d e z i y k l m n o p r s t u f kh ts y e".split(), strict=True))
    | {"ж": "zh", "ч": "ch", "ш": "sh", "щ": "shch", "ъ": "", "ь": "", "ю": "yu", "я": "ya"}
)


def latin(word: str) -> str:
    """A word as its letters are usually written in Latin ones: names stand in both."""
    return word.translate(_LATIN)


def plain_number(number: str) -> str:
    """KP-22/91 and kp2291 are one number."""
    return "".join(c for c in number.lower() if c.isalnum())


def number_names(number: str) -> set[str]:
    """What the number of a deal's offer, contract or invoice may be called in a letter: КП-2291 is 2291 too.

    Three digits without their letters could be any amount, four that look like a year any date.
    """
    plain = plain_number(number)
    digits = "".join(c for c in plain if c.isdigit())
    alone = len(digits) >= 4 and not (len(digits) == 4 and digits[:2] in ("19", "20"))
    return {plain, digits} if alone else {plain}


def numbers(texts: Iterable[str]) -> set[str]:
    """Numbers by which offers, contracts and invoices are named: with three digits or more, spelled plainly.

    Given with and without the letters around them: "КП_2291.pdf" names 2291, "КП №417" names кп417.
    """
    found: set[str] = set()
    for text in texts:
        line = text[:200_000].replace("_", " ")
        for number in _NUMBER.finditer(line):
            letters = _BEFORE_NUMBER.search(line, max(0, number.start() - 15), number.start())
            before = letters[1] if letters else ""
            for token in (number[1], number[0]):
                plain = plain_number(token)
                digits = "".join(c for c in plain if c.isdigit())
                if 3 <= len(digits) <= 20:
                    found |= {plain, before.lower() + plain}
                    if len(digits) >= 4:
                        found.add(digits)
    return found


# what a number of more than four digits follows when it is the number of a paper, not an amount
_PAPER = re.compile(
    r"(?:\b(?:offer|quote|quotation|proposal|contract|agreement|invoice|bill|order|number|no|nr|ref|po)"
    r"|\b(?:кп|предложени\w{1,2}|договор\w{0,3}|счет\w{0,2}|счёт\w{0,2}|заказ\w{0,2}|номер\w{0,2})|№|#)"
    r"[\s.:№#]{0,4}\Z",
    re.IGNORECASE,
)
_DIGIT = re.compile(r"\d")
_CODE = re.compile(r"[^\W_]+(?:[-–/.][^\W_]+)*")
_EXTENSION = re.compile(r"\.[^\W\d_]{2,5}\Z")
_PICTURE = re.compile(r"(?:img|image|dscn?|pict?|photo|scan|screenshot|фото|скан|снимок)(?![^\W\d_])", re.IGNORECASE)
_DATE = re.compile(r"\d{1,4}([./-])\d{1,2}(?:\1\d{1,4})?\Z|(?:19|20)\d{2}(?:[./-]\d{1,2}){0,2}\Z")


def paper_numbers(texts: Iterable[str]) -> frozenset[str]:
    """Numbers that look like those of offers, contracts and invoices: OF/26/118, К-0549-О, "invoice 260118".

    A file is named by the number without its extension; what cameras and scanners call theirs is no number of a paper.
    """
    found: set[str] = set()
    for text in texts:
        line = text[:200_000].replace("_", " ")
        for code in _CODE.finditer(line):
            if len(code[0]) > 40 or not _DIGIT.search(code[0]):
                continue
            token = _EXTENSION.sub("", code[0])
            if not 3 <= sum(c.isdigit() for c in token) <= 20 or _DATE.match(token) or _PICTURE.match(token):
                continue
            joined = any(c.isalpha() for c in token) and any(c in "-–/." for c in token)
            if joined or _PAPER.search(line, max(0, code.start() - 20), code.start()):
                found.add(plain_number(token))
    return frozenset(found)


Moment = tuple[int, int, int]  # day of the month, hour, minute

MAX_MOMENTS = 12  # days, and hours, of one text
_CLOCK = re.compile(r"(?<![\d.:/])(\d{1,2})[:.](\d{2})(?![\d:/]|\.\d)(?:\s?([ap])\.?m\b)?", re.IGNORECASE)
_DAY = re.compile(r"(?<![\d:])(\d{1,2})(?![\d:])")


def moments(text: str) -> set[Moment]:
    """Each day of the month that a text names with each time of the day: "8:30 on 16/03" is (16, 8, 30)."""
    hours = {
        (int(h) % 12 + 12 if half.lower() == "p" else int(h), int(m))
        for h, m, half in _CLOCK.findall(text[:20_000])[:MAX_MOMENTS]
    }
    if not hours:
        return set()
    days = {int(d) for d in _DAY.findall(text[:20_000])[:MAX_MOMENTS]}  # 20.03 may be a day or an hour: both are tried
    return {(day, h, m) for day in days if 1 <= day <= 31 for h, m in hours if h < 24 and m < 60}
