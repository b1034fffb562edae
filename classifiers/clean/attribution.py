"""The line by which a mail program says who wrote what follows, and when: "On 3 Feb 2026 at 14:05, X <x@y> wrote:"."""

import re
from dataclasses import dataclass
from typing import Literal

from classifiers.clean.lines import LONG_LINE, Page
from classifiers.clean.words import BEGINS_MIDWAY, DAY_MONTH, LEADS, STARTS, TELLING, WROTE

TIME = re.compile(r"(?<![\d.])\d{1,2}(?:[:h]|[ \xa0]h[ \xa0]|\.(?!\d{1,2}\.))\d{2}(?!\.?\d)")
_NUMERIC_DATE = re.compile(
    r"(?<!\d)(?:\d{1,4}[./-]\d{1,2}[./-]\d{2,4}|\d{1,2}\.[ ]\d{1,2}\.[ ]\d{2,4}|(?:19|20)\d\d)(?!\d)|\d{4}\s?[年년]"
)
_NAMES = re.compile(r"[\"'«“]?(?:[A-ZА-ЯЁІЇЄĄ-Ż][^\s,;:]*[\"'»”]?\s*){1,4}")
_TWO_NAMES = re.compile(r"[\"'«“]?[A-ZА-ЯЁІЇЄ][^\s,;:.]+\s+(?:[A-ZА-ЯЁІЇЄ][^\s,;:]*\s*){1,3}$")
_ADDRESS = re.compile(r"[^\s<>@]{1,64}@[^\s<>@]")
_RUNS_ON = re.compile(r"[\w)>]:(?= .|[>A-ZА-ЯЁ])")
_WORDS_OF_A_NAME = 7
_WORDS_OF_A_DATE_AND_NAME = 12
_WORDS_OF_A_VERB = 3  # with the end of the address before it
_WORDS_OVER_A_QUOTATION = 14
_FEW_LINES = 4  # an introduction wraps over so many lines at most
_ENDS = (":", "：", "---", ":*", ":_")
# "Max Mustermann schrieb am Di., 28." goes on in the next line; one that ends with a colon needs no list
_WRAPPED_WROTE = (
    *(" wrote", " schrieb", " писал", " написал", " kirjoitti", " skrev", " schreef", " napsal", " napisana"),
    "写道",
)
_SENTENCE_ENDS = (".", "!", "?", "…")
# "On 3 Feb at 14:05 the lift stopped. Your technician wrote:" tells something; a month is shortened to fewer letters
_SENTENCE_ENDED = re.compile(r"(?<!\w)[a-zа-яёіїєß-ÿ]{6,30}[.!?] [A-ZА-ЯЁІЇЄÀ-Þ]")


@dataclass(frozen=True, slots=True)
class Head:
    """What introduces old text."""

    kind: Literal["attribution", "headers", "original", "forwarded"]
    start: int  # offset in the text
    last: int  # the line after it


def attribution_at(page: Page, at: int) -> Head | None:
    """The introduction that begins in this line, wrapped as it may be."""
    line = page.said[at]
    if not _may_begin(line):
        return None
    within = _midway(page, at) or running_on(page, at)
    if within is not None:
        return within
    joined = ""
    for here in range(at, min(at + _FEW_LINES + 2, len(page))):
        said = page.said[here]
        if not said:
            if joined.endswith("<") or _opens_angle(page, here):
                continue
            return None
        if page.quoted[here] or len(said) > LONG_LINE or _begins_anew(joined, said):
            return None
        joined = f"{joined} {said}" if joined else said
        bare = _ends_bare(joined) and not _goes_on(page, here + 1)
        if bare or joined.rstrip("> *_").endswith(_ENDS):
            if introduces(joined, _quote_follows(page, here + 1)):
                return Head("attribution", page.starts[_with_name_above(page, at)], here + 1)
            if not bare:
                return None
        if here - at >= _FEW_LINES and "<" not in joined:
            return None
    return None


def _may_begin(line: str) -> bool:
    first = line[0]
    if first.isdigit() or first in '在-"<«' or line[-1] in ":：":
        return True
    if len(line) >= LONG_LINE:
        return False
    if "@" in line or " <" in line or WROTE.match(line) is not None:
        return True
    word = (line[:16].split(None, 1) or [""])[0].strip(",.;(").casefold()
    if word in STARTS and LEADS.match(line):
        return True
    return any(wrote in line for wrote in _WRAPPED_WROTE) or _dated(line[:60])


def _dated(line: str) -> bool:
    return _NUMERIC_DATE.search(line) is not None or DAY_MONTH.search(line) is not None


def _begins_anew(joined: str, said: str) -> bool:
    """A sentence has ended, and an introduction begins in the line under it."""
    if not joined.endswith(_SENTENCE_ENDS) or "@" in joined:
        return False
    return LEADS.match(joined) is None and LEADS.match(said) is not None


def _goes_on(page: Page, at: int) -> bool:
    return at < len(page) and page.said[at] != "" and not page.quoted[at]


def _with_name_above(page: Page, at: int) -> int:
    """ "Wilhelmina van den Bergh" over "<w@looms.example> wrote:": the line where the introduction really begins."""
    line = page.said[at]
    if line[0] != "<" and (WROTE.match(line) is None or "@" in line):
        return at
    if not _may_name(page, at - 1):
        return at
    if LEADS.match(page.said[at - 1]) is None and _may_name(page, at - 2) and LEADS.match(page.said[at - 2]):
        return at - 2
    return at - 1


def _may_name(page: Page, at: int) -> bool:
    if at < 0 or not page.said[at] or page.quoted[at]:
        return False
    return len(page.said[at].split()) <= _WORDS_OF_A_DATE_AND_NAME and not page.said[at].endswith(_SENTENCE_ENDS)


def _midway(page: Page, at: int) -> Head | None:
    """ "Fine with me. On 3 Feb 2026 at 16:20, X wrote:" in one line: the first words are new."""
    line = page.said[at][:LONG_LINE]
    begin = BEGINS_MIDWAY.search(line)
    if begin is None or not line.rstrip("> *_").endswith(_ENDS):
        return None
    if not introduces(line[begin.end() :], _quote_follows(page, at + 1)):
        return None
    if line[: begin.start()].strip(" -_*=–—#>:\t") == "":
        return Head("attribution", page.starts[at], at + 1)
    offset = page.text.index(line, page.starts[at]) + begin.start()
    return Head("attribution", offset, at + 1)


def running_on(page: Page, at: int) -> Head | None:
    """ "On 3 Feb 2026 at 16:20, X <x@y> wrote: old text" in one line, as HTML without line ends leaves it."""
    line = page.said[at][:LONG_LINE]
    end = _RUNS_ON.search(line)
    if end is None or (WROTE.search(line, 0, end.end()) is None and not line[0].isdigit()):
        return None
    begin = BEGINS_MIDWAY.search(line, 0, end.end())
    first = begin.end() if begin is not None else 0
    introduction = line[first : end.end()].rstrip()
    full = _ADDRESS.search(introduction) and TIME.search(introduction) and LEADS.match(introduction)
    if not full or not introduces(introduction, False):
        return None
    start = page.text.index(line, page.starts[at]) + first if first else page.starts[at]
    return Head("attribution", start, at + 1)


def _opens_angle(page: Page, at: int) -> bool:
    """A lone "<" after an empty line goes on with the address."""
    following = page.next_said(at, 2)
    return following is not None and page.said[following].startswith("<")


def _quote_follows(page: Page, at: int) -> bool:
    following = page.next_said(at)
    return following is not None and page.quoted[following]


def _ends_bare(joined: str) -> bool:
    """Introductions without a colon: "2016-03-03 17:21 GMT+01:00 X", "... X <x@y>"."""
    return joined[0].isdigit() and (" GMT" in joined or joined.endswith(">"))


def introduces(line: str, quoted_next: bool) -> bool:
    """Does this line (unwrapped) say who wrote what follows, and when?"""
    wrote = WROTE.search(line)
    if line.partition(" ")[0].casefold() in TELLING:
        return False
    dated = _dated(line)
    timed = TIME.search(line) is not None
    address = _ADDRESS.search(line)
    leads = LEADS.match(line) is not None
    if wrote is None:
        return _introduces_without_verb(line, leads, dated, timed, address is not None, quoted_next)
    if address is None and not quoted_next and _SENTENCE_ENDED.search(line):
        return False
    if dated and leads and (timed or address is not None or quoted_next):
        return True
    if address is not None or (dated and timed):
        begin = min(wrote.start(), address.start() if address is not None else len(line))
        most = _WORDS_OF_A_DATE_AND_NAME if address is not None and dated and timed else _WORDS_OF_A_NAME
        return len(line) < 300 and len(line[:begin].split()) <= most
    if line[0] == "-" and line.endswith("---"):
        return True
    if dated and leads:
        return _named_between(line, wrote)
    before = line[: wrote.start()].strip()
    if wrote.end() < len(line.rstrip(" :*")):
        return False
    return bool(_TWO_NAMES.match(before)) or (quoted_next and bool(_NAMES.fullmatch(before)))


def _introduces_without_verb(
    line: str, leads: bool, dated: bool, timed: bool, addressed: bool, quoted_next: bool
) -> bool:
    """In a language whose verb is not known to us, or "3 Feb 2026, 14:05, X <x@y>:"."""
    colon = line.rstrip(" *_>").endswith((":", "："))
    if colon and quoted_next and len(line.split()) <= _WORDS_OVER_A_QUOTATION:
        return addressed or (dated and timed and leads)
    if not dated:
        return False
    if not colon:
        whole = line[0].isdigit() and timed and line.endswith(">")
        return leads and ((addressed and (quoted_next or whole)) or " GMT+" in line or " GMT-" in line)
    if not leads or (timed is False and not addressed):
        return False
    if addressed:
        return len(line) < 300 and len(line[line.rfind("@") :].split()) <= _WORDS_OF_A_VERB
    name = re.split(r"[,;]\s", line.rstrip(" :*_"))[-1].strip()
    return quoted_next or _NAMES.fullmatch(name) is not None


def _named_between(line: str, wrote: re.Match[str]) -> bool:
    """ "On 3 Feb 2026, Marius Oud wrote:" names a person and says nothing else."""
    name = re.split(r",\s|\d{4}\s(?:г\.\s)?", line[: wrote.start()])[-1].removeprefix("пользователь ").strip()
    return _NAMES.fullmatch(name) is not None
