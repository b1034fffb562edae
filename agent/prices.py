"""What we ask for the whole: whether it came down as far as the client had asked, where both are plainly stated; pure.

"A tenth off" is a condition that another total meets, "45,000 and we sign" one that a discount may. What is said of a
part ("10 % off the delivery"), in another currency, or in a letter that names several sums, meets nothing.
"""

from typing import NamedTuple

from agent.terms import CURRENCIES, figure_at, terms, tokens

ROUNDED = 1.001  # so much above what was asked for is the same, rounded
_TOTAL = frozenset("total totals totalling overall altogether итого всего сумма сумму суммарно".split())
_NEAR = 3  # words between "total" and its sum
_LESS = frozenset(["=discount", "=price", "less", "ниже", "меньш"])
_WHOLE = _LESS | frozenset(  # words that leave it the whole of which a share is taken off
    "=agree perce проце whole total overa entir offer quote sum bring broug taken grant gave given take make "
    "итого всего общей общая сумма суммы сумму предл часть будет сдела даём дали даем отдад прине prici".split()
)


class Sum(NamedTuple):
    value: float
    currency: str


def total(text: str) -> Sum | None:
    """The one sum that a text names, or the one that it calls the total; None when that cannot be told."""
    some = tokens(text)
    found = [(one, at) for at in range(len(some)) if (one := _sum_at(some, at)) is not None]
    called = {one for one, at in found if not _TOTAL.isdisjoint(word for _, word in some[max(0, at - _NEAR) : at])}
    only = called or {one for one, _ in found}
    return only.pop() if len(only) == 1 else None


def _sum_at(some: list[tuple[str, str]], at: int) -> Sum | None:
    figure = figure_at(some, at)
    if figure is None or figure.unit != "money":
        return None
    near = [word for _, word in (*some[at - 1 : at], *some[at + 1 : at + 3])]
    return Sum(figure.value, next((CURRENCIES[word] for word in near if word in CURRENCIES), ""))


def comes_down(condition: str, granted: str, letter: str, asked: Sum) -> bool:
    """Does what is `granted` in our letter bring what we had asked down to what the client made his condition?"""
    wanted, given = _wanted(condition, asked), _given(granted, letter, asked)
    return wanted is not None and given is not None and wanted / 2 <= given <= wanted * ROUNDED


def _wanted(condition: str, asked: Sum) -> float | None:
    """What the client would pay."""
    if (share := _share_off(condition)) is not None:
        return asked.value * (1 - share / 100)
    figures = terms(condition).figures
    only = next(iter(figures)) if len(figures) == 1 else None
    if only is None or only.unit not in ("money", "") or not asked.value / 2 <= only.value < asked.value:
        return None
    named = total(condition)
    return only.value if named is None or named.currency == asked.currency else None


def _given(granted: str, letter: str, asked: Sum) -> float | None:
    """What he is to pay now: the letter's total, if that is what is granted, or a share less."""
    now, named = total(letter), total(granted)
    if now is not None and now == named:
        return now.value if now.currency == asked.currency else None
    share = _share_off(granted)
    return asked.value * (1 - share / 100) if share is not None else None


def _share_off(text: str) -> float | None:
    """The one share of the whole that a text takes off."""
    said = terms(text)
    only = next(iter(said.figures)) if len(said.figures) == 1 else None
    off = only is not None and only.unit == "percent" and bool(said.words & _LESS) and said.words <= _WHOLE
    return only.value if only is not None and off else None
