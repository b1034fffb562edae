"""What hangs below a letter's own words: signature, mobile footer, disclaimer, advertising."""

import re
from itertools import chain, islice

from classifiers.clean.closings import SIGNATURE_LINES, contact_block_at, sign_off_at
from classifiers.clean.lines import Mark, Page, is_rule
from classifiers.clean.notices import notice_marks
from classifiers.clean.words import DEVICE, MOBILE_FIRST, MOBILE_GET, MOBILE_LINE, MOBILE_SENT, PROGRAM

_SENT_AT_THE_END = (" gesendet", "gönderildi", "傳送", "发送")
_DELIMITERS = ("--", "—", "–", "---", "- --")
_DASHED_NAME = re.compile(r"-[A-ZА-ЯЁ][\w'’.-]*(?: [A-ZА-ЯЁ][\w'’.-]*){0,2}")


def tail_marks(page: Page, first: int, last: int) -> list[Mark]:
    """What is not new text in the lines first .. last - 1, all of them the letter's own."""
    marks, end = _delimited(page, first, last)
    first = _under_armour(page, first, end, marks)
    found, end = notice_marks(page, first, end)
    marks += found
    found, end = _mobile(page, first, end)
    marks += found
    found, end = _rules(page, first, end)
    marks += found
    found, end = _dashed_name(page, first, end)
    marks += found
    start = sign_off_at(page, first, end)
    if start is None:
        start = contact_block_at(page, first, end)
    if start is not None:
        marks.append(page.mark(start, end, "signature", "sign_off"))
    return marks


def _under_armour(page: Page, first: int, last: int, marks: list[Mark]) -> int:
    """The line under the head of a signed letter: "-----BEGIN PGP SIGNED MESSAGE-----", "Hash: SHA256"."""
    if first == last or page.said[first] != "-----BEGIN PGP SIGNED MESSAGE-----":
        return first
    end = first + 1
    while end < last and page.said[end].startswith("Hash: "):
        end += 1
    marks.append(page.mark(first, end, "footer", "notice"))
    return end


def _said(page: Page, first: int, last: int) -> list[int]:
    return [at for at in range(first, last) if page.said[at]]


# -- behind a delimiter ---------------------------------------------------------------------------------------------


def _delimited(page: Page, first: int, last: int) -> tuple[list[Mark], int]:
    """ "-- " and what stands under it."""
    lines = _said(page, first, last)
    for number, at in enumerate(lines):
        if page.said[at][0] in "-—_–" and _opens_signature(page, at, lines[number + 1 : number + 2 + SIGNATURE_LINES]):
            return [page.mark(at, last, "signature", "delimited")], at
    return [], last


def _opens_signature(page: Page, at: int, below: list[int]) -> bool:
    """Does this line divide a signature from the letter? `below` are the lines under it, as far as they matter."""
    line = page.said[at]
    if line == "-----BEGIN PGP SIGNATURE-----":
        return True
    if line == "--" and page.text[page.starts[at] : page.starts[at + 1]].rstrip("\r\n") == "-- ":
        return True
    if len(below) > SIGNATURE_LINES or (line not in _DELIMITERS and not (line.startswith("__") and is_rule(line))):
        return False
    return all(len(page.said[line]) <= 200 for line in below)


def _dashed_name(page: Page, first: int, last: int) -> tuple[list[Mark], int]:
    """ "-Rita Moor" as the last line; under another dash it is the end of a list."""
    at, above = islice(chain((line for line in range(last - 1, first - 1, -1) if page.said[line]), (-1, -1)), 2)
    if (
        above < 0
        or page.said[above][0] in "-*•"
        or len(page.said[at]) >= 60
        or not _DASHED_NAME.fullmatch(page.said[at])
    ):
        return [], last
    return [page.mark(at, last, "signature", "delimited")], at


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
    number = len(words.split())
    if words.startswith("sent from my ") and number <= 6 and not DEVICE.search(words):
        return ":" not in words and "," not in words  # "old brick", but not "side: two crates"
    if words.startswith(MOBILE_GET):
        return number <= 8 and PROGRAM.search(words) is not None
    if words.startswith("sent by "):  # "by courier", "by Ann" too
        return number <= 4 and DEVICE.search(words) is not None
    if number > 15 or not (words.startswith(MOBILE_SENT) or words.endswith(_SENT_AT_THE_END)):
        return False
    device = DEVICE.search(words)
    return device is not None and "," not in words[: device.start()]


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
