"""The terms that a sentence names: amounts, percentages, days and dates, and its telling words; in both languages."""

import re
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from typing import NamedTuple

from agent.words import STEM, listed, words

MAX_TEXT = 4_000  # characters of a text that are compared
MAX_TERMS = 300
BRIEF = 3  # telling words of a sentence that says little besides its figure


class Figure(NamedTuple):
    """A number with its unit: percent, days, money, a date (month and day), or "" for a bare one."""

    value: float
    unit: str


class Terms(NamedTuple):
    """What two sentences are compared by."""

    figures: frozenset[Figure]
    words: frozenset[str]  # by their beginnings; a notion of business by its name


_SMALL = {
    word: value
    for value, names in (
        (1, "one один одна одну"), (2, "two два две двух"), (3, "three три трёх трех"),
        (4, "four четыре четырёх четырех"), (5, "five пять пяти"), (6, "six шесть шести"), (7, "seven семь семи"),
        (8, "eight восемь восьми"), (9, "nine девять девяти"), (10, "ten десять десяти"), (11, "eleven одиннадцать"),
        (12, "twelve двенадцать двенадцати"), (14, "fourteen четырнадцать"), (15, "fifteen пятнадцать пятнадцати"),
        (20, "twenty двадцать двадцати"), (21, "twenty-one"), (30, "thirty тридцать тридцати"),
        (40, "forty сорок сорока"), (45, "forty-five"), (50, "fifty пятьдесят пятидесяти"),
        (60, "sixty шестьдесят шестидесяти"), (90, "ninety девяносто"), (100, "hundred сто"),
    )
    for word in names.split()
}  # fmt: skip
_SHARES = {
    word: value
    for value, names in (
        (50.0, "half halve halved halves половина половину половиной пополам вдвое наполовину"),
        (33.3, "third треть трети"), (25.0, "quarter четверть четверти"),
        (20.0, "fifth пятую пятая пятой"), (10.0, "tenth десятую десятая десятой"),
    )
    for word in names.split()
}  # fmt: skip
_DAYS = {
    **dict.fromkeys("day days день дня дней дн сутки суток".split(), 1),
    **dict.fromkeys("week weeks неделя недели неделю недель нед".split(), 7),
    **dict.fromkeys("month months месяц месяца месяцев мес".split(), 30),
    **dict.fromkeys("year years год года лет".split(), 365),
}
CURRENCIES = {
    **dict.fromkeys("£ gbp pounds".split(), "GBP"),
    **dict.fromkeys("$ usd dollars долларов".split(), "USD"),
    **dict.fromkeys("€ eur euro euros евро".split(), "EUR"),
    **dict.fromkeys("₽ rub руб рубль рубля рублей р".split(), "RUB"),
}
_TIMES = {
    **dict.fromkeys(("k", "thousand", "тыс", "тысяч", "тысячи", "тысяча"), 1_000),
    **dict.fromkeys(("m", "million", "млн", "миллион", "миллиона", "миллионов"), 1_000_000),
}
_MONTHS = {
    name: number
    for number, names in enumerate(
        "jan янв|feb фев|mar мар|apr апр|may мая|jun июн|jul июл|aug авг|sep сен|oct окт|nov ноя|dec дек".split("|"), 1
    )
    for name in names.split()
}
_TOKEN = re.compile(
    r"(?P<date>\d{1,2}\.\d{1,2}(?:\.\d{2,4})?(?![\d.]*\d))"
    r"|(?P<number>\d{1,3}(?:[ \u00a0\u202f',.]\d{3})+(?!\d)|\d+(?:[.,]\d+)?)"
    r"|(?P<word>[^\W\d_]+(?:-[^\W\d_]+)?)|(?P<sign>[%£$€₽])"
)
_TAKEN_OUT = re.compile(r"\b(?:take|takes|taken|took|leave|left|cut)\b(?:\W{1,3}\w{1,30}){0,4}?\W{1,3}out\b")
_FILLING = frozenset(
    "that this with have will your from they them than then when what which would could should there their about "
    "because only just also very much more most been were does into over such some each both ours here need want "
    "please thank thanks dear hello regards still after again against make made take take goes come once until unless "
    "если когда чтобы только очень этого этот этом эта эти ваша ваше ваши вашей вашего наша наши нашей нашего наше "
    "есть было была были будет может можно нужно надо тоже также через после перед более менее такой такая такие "
    "которые который просто сейчас пока уже вами нами него себя тогда здравствуйте добрый день спасибо "
    "вместо нами свой свои того этой".split()
)


@lru_cache(maxsize=4_000)
def terms(text: str) -> Terms:
    """What a text names."""
    some, plain = tokens(text), text[:MAX_TEXT].lower().replace("ё", "е")
    told = [*telling(words(plain)), *(["=remove"] if _TAKEN_OUT.search(plain) else [])]
    found = (figure for at in range(len(some)) if (figure := figure_at(some, at)) is not None)
    return Terms(
        frozenset(list(found)[:MAX_TERMS]),
        frozenset(told[:MAX_TERMS]),
    )


def tokens(text: str) -> list[tuple[str, str]]:
    """The words, numbers, dates and signs of a text, each with its kind."""
    text = text[:MAX_TEXT].lower().replace("ё", "е")
    return [(match.lastgroup or "", match[0]) for match in _TOKEN.finditer(text)]


def figure_at(some: Sequence[tuple[str, str]], at: int) -> Figure | None:
    """The figure for which a token stands, with the unit that its neighbours give it."""
    kind, token = some[at]
    if kind == "date":
        day, month = (int(part) for part in token.split(".")[:2])
        if 1 <= month <= 12 and 1 <= day <= 31:
            return Figure(month * 100 + day, "date")
    share = _SHARES.get(token)
    if share is not None:
        return Figure(share, "percent")
    value = _value(kind, token)
    if value is None:
        return None
    return _with_unit(value, [t for _, t in some[at + 1 : at + 3]], some[at - 1][1] if at else "")


def _value(kind: str, token: str) -> float | None:
    if kind == "word":
        small = _SMALL.get(token)
        return float(small) if small is not None else None
    if kind not in ("number", "date"):
        return None
    plain = re.sub(r"[ \u00a0\u202f',.](?=\d{3}(?!\d))", "", token)[:15].replace(",", ".")
    try:
        return float(plain)
    except ValueError:  # 1.2.3
        return None


def _with_unit(value: float, after: list[str], before: str) -> Figure:
    following = after[0] if after else ""
    if following in _TIMES:
        value, following = value * _TIMES[following], after[1] if len(after) > 1 else ""
    if following in ("%", "percent", "per") or following.startswith("процент"):
        return Figure(value, "percent")
    if following in ("calendar", "working", "business") or following.startswith(("календарн", "рабоч", "банковск")):
        following = after[1] if len(after) > 1 else ""
    if following in _DAYS:
        return Figure(value * _DAYS[following], "days")
    if before in CURRENCIES or following in CURRENCIES:
        return Figure(value, "money")
    month = _MONTHS.get(following[:3]) if 1 <= value <= 31 else None
    return Figure(month * 100 + value, "date") if month else Figure(value, "")


@cache
def _notions() -> dict[str, str]:
    """How a word begins -> the notion that it names."""
    told = [line.partition(":") for line in listed("concepts.txt")]
    return {begins.replace("ё", "е"): f"={name}" for name, _, beginnings in told for begins in beginnings.split()}


@cache
def _lengths() -> tuple[int, ...]:
    return tuple(sorted({len(begins) for begins in _notions()}, reverse=True))


def telling(some: Iterable[str]) -> Iterable[str]:
    """The words that say what a sentence is about."""
    for word in some:
        if len(word) < 3 or not word.isalpha() or word in _FILLING:
            continue
        notion = next((n for length in _lengths() if (n := _notions().get(word[:length]))), None)
        if notion is not None:
            yield notion
        elif (
            len(word) > 3
            and word not in _SMALL
            and word not in _DAYS
            and word not in CURRENCIES
            and word not in _SHARES
        ):
            yield word[:STEM]


# -- comparing --------------------------------------------------------------------------------------------------------


def same_figure(one: Figure, other: Figure) -> bool:
    """Equal, where a bare number may stand for one with a unit."""
    alike = one.unit == other.unit or ("" in (one.unit, other.unit) and "date" not in (one.unit, other.unit))
    return alike and abs(one.value - other.value) < 0.05


def shared_figures(one: Terms, other: Terms) -> list[Figure]:
    return [f for f in one.figures if any(same_figure(f, g) for g in other.figures)]


def meets(wanted: Terms, said: Terms) -> bool:
    """Does what is said name all that is wanted: every figure of it, and its words?"""
    common = wanted.words & said.words
    if wanted.figures:
        shared = shared_figures(wanted, said)
        brief = len(said.words) <= BRIEF  # "35 a brick, agreed"
        telling_unit = any(f.unit not in ("", "percent") for f in shared)  # 10 % may be of anything
        return len(shared) == len(wanted.figures) and (bool(common) or telling_unit or brief)
    few = len(wanted.words) <= 2
    enough = len(common) == len(wanted.words) if few else len(common) >= max(2, 0.6 * len(wanted.words))
    return bool(wanted.words) and enough


def speaks_of(grounds: Terms, said: Terms) -> bool:
    """Does it take up these grounds: a figure of theirs and a word, or several of their words?"""
    common = grounds.words & said.words
    shared = shared_figures(grounds, said)
    few = 2 if len(grounds.words) > 1 else 1
    return len(common) >= few or (bool(shared) and (bool(common) or any(f.unit for f in shared)))


def same_grounds(one: Terms, other: Terms) -> bool:
    """Do two reasons say one thing, in close words or by their figures, maybe in two languages?"""
    common = one.words & other.words
    shared = shared_figures(one, other)
    if len(shared) >= 2 or any(f.unit for f in shared) or (shared and common):
        return True
    smaller = min(len(one.words), len(other.words))
    return smaller > 0 and len(common) >= min(2, smaller) and len(common) >= 0.5 * smaller
