"""Paragraphs that speak of the mail itself: banners, disclaimers, advertising, what lists and virus checkers add."""

import re

from agent.model import CutKind
from classifiers.clean.closings import may_sign
from classifiers.clean.lines import Mark, Page, is_rule
from classifiers.clean.words import BANNER, BANNER_LINE, DISCLAIMER, FOOTER, NOTICE_STARTS, starts_of

_TOP, _BOTTOM = 300, 1200  # characters: where a banner and a disclaimer give themselves away
_WRAPPED = 45  # a line this long may be one of several
_BRACKETS = "[(<*-=#~|!{"
_WORD = re.compile(r"[\w-]+")


def notice_marks(page: Page, first: int, last: int) -> tuple[list[Mark], int]:
    """Paragraphs that speak of the mail itself: a banner over the letter, and what hangs below it."""
    begin, stop = page.starts[first], page.starts[last]
    whole = page.text[begin : begin + _TOP] + page.text[max(begin + _TOP, stop - _BOTTOM) : stop]
    if NOTICE_STARTS.isdisjoint(starts_of(whole)):
        return [], last
    marks: list[Mark] = []
    end = last
    paragraphs = _paragraphs(page, first, last)
    for number, (start, stop) in enumerate(paragraphs):
        kind = _notice(" ".join(page.said[start:stop]).casefold())
        if number == 0 and _is_banner(page.said[start]):
            marks.append(page.mark(start, start + 1, "disclaimer", "notice"))
        elif kind is not None and not (number == 0 and _speaks_of_it(page, start, stop, len(paragraphs))):
            begin, stop = _notice_lines(page, start, stop, top=number == 0)
            if len(paragraphs) == 1 and (begin, stop) == paragraphs[0]:
                break  # a letter of nothing else says it
            marks.append(page.mark(begin, stop, kind, "notice"))
            end = begin if number or begin > start else last
        elif end < last and _hangs_below(page, start, stop):
            marks.append(page.mark(start, stop, "footer", "notice"))
        else:
            end = last
    return marks, end


def _notice_lines(page: Page, start: int, stop: int, *, top: bool) -> tuple[int, int]:
    """Where in its paragraph a notice begins and ends: own words may stand over it, and under a banner."""
    holding = [at for at in range(start, stop) if _notice(page.said[at].casefold()) is not None]
    if not holding:  # the phrase itself is wrapped
        return start, stop
    if top and holding[0] == start:
        on_top = [at for at in holding if _holds(page.said[at].casefold(), BANNER)]
        return start, _wrapped_to(page, on_top[-1], stop) if on_top else stop
    begin = holding[0]
    while begin > start and _is_wrapped(page.said[begin - 1]):
        begin -= 1
    if not top and any(len(page.said[at]) >= _WRAPPED for at in range(start, begin)):
        return start, stop
    return begin, stop


def _speaks_of_it(page: Page, start: int, stop: int, paragraphs: int) -> bool:
    """Does a letter begin with words that stand in notices, too? "The clause on the intended recipient must go."."""
    words = " ".join(page.said[start:stop]).casefold()
    return (
        paragraphs > 1
        and _notice(page.said[start].casefold()) == "disclaimer"
        and not _holds(words, BANNER)
        and sum(phrase in words for phrase in DISCLAIMER) < 2
    )


def _is_banner(line: str) -> bool:
    """ "[EXTERNAL]", "*** Внешнее письмо ***"."""
    if line[0] not in _BRACKETS or len(line) > 80:
        return False
    return " ".join(_WORD.findall(line)).casefold() in BANNER_LINE


def _wrapped_to(page: Page, at: int, stop: int) -> int:
    while at + 1 < stop and _is_wrapped(page.said[at]):
        at += 1
    return at + 1


def _is_wrapped(line: str) -> bool:
    """A full line that goes on in the next one."""
    return len(line) >= _WRAPPED and line[-1] not in ".!?:"


def _hangs_below(page: Page, start: int, stop: int) -> bool:
    """What stands under a notice and is no sentence belongs to it."""
    return all(may_sign(page.said[at]) for at in range(start, stop))


def _notice(words: str) -> CutKind | None:
    if _holds(words, DISCLAIMER):
        return "disclaimer"
    return "footer" if _holds(words, FOOTER) else None


def _holds(words: str, phrases: tuple[str, ...]) -> bool:
    for phrase in phrases:  # noqa: SIM110 - a generator doubles the time of the hottest loop
        if phrase in words:
            return True
    return False


def _paragraphs(page: Page, first: int, last: int) -> list[tuple[int, int]]:
    found, start = [], None
    for at in range(first, last):
        if page.said[at] and not is_rule(page.said[at]):
            start = at if start is None else start
        elif start is not None:
            found.append((start, at))
            start = None
    if start is not None:
        found.append((start, last))
    return found
