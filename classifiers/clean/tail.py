"""What hangs below a letter's own words: signature, mobile footer, disclaimer, advertising."""

import re

from agent.model import CutKind
from classifiers.clean.lines import Mark, Page, is_rule
from classifiers.clean.words import (
    DISCLAIMER,
    FOOTER,
    MOBILE_DEVICE,
    MOBILE_FIRST,
    MOBILE_LINE,
    MOBILE_SENT,
    NOTICE_STARTS,
    SIGN_OFF,
    SIGN_OFF_PHRASES,
    THANKS,
    starts_of,
)

_SIGNATURE_LINES = 15  # a longer text under "--" is a part of the letter
_CONTACT_LINES = 9
_SENT_AT_THE_END = (" gesendet", "gönderildi", "傳送", "发送")
_TOP, _BOTTOM = 300, 1200  # characters: where a banner and a disclaimer give themselves away
_DELIMITERS = ("--", "—", "–", "---")
_SIGNATURE_WIDTH = 90
_DASHED_NAME = re.compile(r"-[A-ZА-ЯЁ][\w'’.-]*(?: [A-ZА-ЯЁ][\w'’.-]*){0,2}")
_NAME = re.compile(r"[A-ZА-ЯЁ][\w'’.-]*(?:\s+[A-ZА-ЯЁ(][\w'’.)-]*){1,3},?")
_FIRST_NAME = re.compile(r"[A-ZА-ЯЁ][\w'’.-]*(?:\s+[A-ZА-ЯЁ(][\w'’.)-]*){0,3}[,.]?")
_CONTACT = re.compile(
    r"\+?\d[\d\s()-]{7,20}\d|www\.|https?://|[\w.+-]{1,64}@[\w-]{1,63}\.|(?<!\w)(?:тел|моб|tel|mob|phone|fax|факс)[.:]",
    re.IGNORECASE,
)
_CLOSING_SIGNS = " ,.!;:–-—*\xa0"


def tail_marks(page: Page, first: int, last: int) -> list[Mark]:
    """What is not new text in the lines first .. last - 1, all of them the letter's own."""
    marks, end = _delimited(page, first, last)
    found, end = _notices(page, first, end)
    marks += found
    found, end = _mobile(page, first, end)
    marks += found
    found, end = _rules(page, first, end)
    marks += found
    start = _sign_off(page, first, end)
    if start is None:
        start = _contact_block(page, first, end)
    if start is not None:
        marks.append(page.mark(start, end, "signature", "sign_off"))
    return marks


def _said(page: Page, first: int, last: int) -> list[int]:
    return [at for at in range(first, last) if page.said[at]]


# -- behind a delimiter ---------------------------------------------------------------------------------------------


def _delimited(page: Page, first: int, last: int) -> tuple[list[Mark], int]:
    """ "-- " and what stands under it."""
    lines = _said(page, first, last)
    for number, at in enumerate(lines):
        if page.said[at][0] in "-—_–" and _opens_signature(page, at, lines[number + 1 : number + 2 + _SIGNATURE_LINES]):
            return [page.mark(at, last, "signature", "delimited")], at
    return [], last


def _opens_signature(page: Page, at: int, below: list[int]) -> bool:
    """Does this line divide a signature from the letter? `below` are the lines under it, as far as they matter."""
    line = page.said[at]
    if line == "-----BEGIN PGP SIGNATURE-----":
        return True
    if line == "--" and page.text[page.starts[at] : page.starts[at + 1]].rstrip("\r\n") == "-- ":
        return True
    if not below and len(line) < 60 and _DASHED_NAME.fullmatch(line):
        return True
    if len(below) > _SIGNATURE_LINES or (line not in _DELIMITERS and not (line.startswith("__") and is_rule(line))):
        return False
    return all(len(page.said[line]) <= 200 for line in below)


# -- mobile footers, rules ------------------------------------------------------------------------------------------


def is_mobile_footer(line: str) -> bool:
    """ "Sent from my iPhone" and its like, in whatever brackets."""
    if len(line) > 140:
        return False
    words = line.strip(" <>()[]*_-–—.«»\"'")
    if words[:3].casefold() not in MOBILE_FIRST and not words.endswith(_SENT_AT_THE_END):
        return False
    words = words.casefold()
    if words in MOBILE_LINE:
        return True
    if words.startswith(MOBILE_SENT):
        if words.startswith("sent from my "):
            return len(words.split()) <= 15
        return _names_device(words)
    return words.endswith(_SENT_AT_THE_END) and _names_device(words)


def _names_device(words: str) -> bool:
    return len(words.split()) <= 14 and any(device in words for device in MOBILE_DEVICE)


def _mobile(page: Page, first: int, last: int) -> tuple[list[Mark], int]:
    marks, end = [], last
    for at in reversed(_said(page, first, last)):
        if is_mobile_footer(page.said[at]):
            marks.append(page.mark(at, at + 1, "footer", "mobile"))
            if page.next_said(at + 1, end - at - 1) is None:
                end = at
    return marks, end


def _rules(page: Page, first: int, last: int) -> tuple[list[Mark], int]:
    """Lines drawn under the last words divide them from nothing."""
    end = last
    for at in reversed(_said(page, first, last)):
        if not is_rule(page.said[at]):
            break
        end = at
    return ([page.mark(end, last, "footer", "rule")], end) if end < last else ([], last)


# -- disclaimers and advertising ------------------------------------------------------------------------------------


def _notices(page: Page, first: int, last: int) -> tuple[list[Mark], int]:
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
        alone = number == 0 and (len(paragraphs) == 1 or kind == "footer")
        begin = _first_notice_line(page, start, stop) if kind == "footer" or alone else start
        if kind is not None and not (alone and begin == start):
            marks.append(page.mark(begin, stop, kind, "notice"))
            end = begin if number else end
        elif end < last and _hangs_below(page, start, stop):
            marks.append(page.mark(start, stop, "footer", "notice"))
        else:
            end = last
    return marks, end


def _first_notice_line(page: Page, start: int, stop: int) -> int:
    """Where in its paragraph a footer begins: a line above it may be the letter's own."""
    for at in range(start, stop):
        if _notice(page.said[at].casefold()) is not None:
            return at
    return start


def _hangs_below(page: Page, start: int, stop: int) -> bool:
    """What stands under a notice and is no sentence belongs to it."""
    return all(_may_sign(page.said[at]) for at in range(start, stop))


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


# -- signatures without a delimiter ---------------------------------------------------------------------------------


def _sign_off(page: Page, first: int, last: int) -> int | None:
    """The line from which "Best regards" and the lines under it run to the end."""
    lines = _said(page, first, last)
    start = None
    for below, at in enumerate(reversed(lines[-_SIGNATURE_LINES:])):
        said = page.said[at]
        if is_sign_off(said):
            # one word on top of a letter greets or answers rather than closes
            if at != lines[0] or " " in _bare(said):
                start = at
        elif _bare(said) in THANKS:
            if start is None and 0 < below <= 8 and _FIRST_NAME.fullmatch(page.said[lines[len(lines) - below]]):
                start = at + 1
        elif not _may_sign(said):
            break
    return start


def _bare(line: str) -> str:
    return line[:60].strip(_CLOSING_SIGNS).casefold()


def is_sign_off(line: str) -> bool:
    if len(line) > 80:
        return False
    bare = _bare(line)
    if bare in SIGN_OFF:
        return True
    phrase, comma, _ = bare.partition(",")
    if comma and phrase.strip() in SIGN_OFF:
        return _FIRST_NAME.fullmatch(line.partition(",")[2].strip(_CLOSING_SIGNS)) is not None
    if bare.startswith(SIGN_OFF_PHRASES):
        phrase = next(words for words in SIGN_OFF_PHRASES if bare.startswith(words))
        rest = line.strip(_CLOSING_SIGNS)[len(phrase) :].strip(_CLOSING_SIGNS)
        return _FIRST_NAME.fullmatch(rest) is not None
    return False


def _may_sign(line: str) -> bool:
    """Can this line stand in a signature? A sentence cannot."""
    if len(line) > _SIGNATURE_WIDTH or line.casefold().startswith(("p.s", "ps", "п.с", "p. s", "з.ы")):
        return False
    if line[-1] in ".!?:" and len(line.split()) > 4:
        return _CONTACT.search(line) is not None
    return True


def _contact_block(page: Page, first: int, last: int) -> int | None:
    """Last lines that open with a name and hold a telephone number, an address or a site.

    Made from HTML they may stand apart: every line a paragraph.
    """
    lines = _said(page, first, last)
    start, contact = None, False
    for below, at in enumerate(reversed(lines[1:][-_CONTACT_LINES:])):
        said = page.said[at]
        if len(said.split()) > 8 or not _may_sign(said):
            break
        if below >= 2 and contact and _NAME.fullmatch(said) and not page.said[at - 1]:
            start = at
        contact = contact or _CONTACT.search(said) is not None
    return start
