"""Where old text begins: the lines, blocks and markers by which mail programs introduce what was written before."""

import re
from dataclasses import dataclass
from typing import Literal

from classifiers.clean.lines import LONG_LINE, Page, is_rule
from classifiers.clean.words import (
    ANSWER_ABOVE,
    BEGINS_MIDWAY,
    DAY_MONTH,
    FORWARDED,
    LABELS,
    LEADS,
    ORIGINAL,
    STARTS,
    WROTE,
)

_TIME = re.compile(r"(?<!\d)\d{1,2}[:.h]\d{2}(?!\d)")
_NUMERIC_DATE = re.compile(r"(?<!\d)(?:\d{1,4}[./-]\d{1,2}[./-]\d{2,4}|(?:19|20)\d\d)(?!\d)|\d{4}\s?[年년]")
_NAMES = re.compile(r"[\"'«“]?(?:[A-ZА-ЯЁІЇЄĄ-Ż][^\s,;:]*[\"'»”]?\s*){1,4}")
_TWO_NAMES = re.compile(r"[\"'«“]?[A-ZА-ЯЁІЇЄ][^\s,;:.]+\s+(?:[A-ZА-ЯЁІЇЄ][^\s,;:]*\s*){1,3}$")
_ADDRESS = re.compile(r"[^\s<>@]{1,64}@[^\s<>@]")
_WORDS_OF_A_NAME = 7
_WORDS_OF_A_DATE_AND_NAME = 12
_RUNS_ON = re.compile(r"[\w)>]:(?= .|[>A-ZА-ЯЁ])")
_FEW_LINES = 4  # an introduction wraps over so many lines at most
_ENDS = (":", "：", "----", ":*", ":_")
# "Max Mustermann schrieb am Di., 28." goes on in the next line; one that ends with a colon needs no list
_WRAPPED_WROTE = (" wrote", " schrieb", " писал", " написал", " kirjoitti", " skrev", " schreef", " napsal", "写道")
_STROKES = " -_*=–—#>:\t"
_HEADERS_AT_MOST = 30  # lines

Under = Literal["", "rule", "marker"]  # what stands over a block of headers


@dataclass(frozen=True, slots=True)
class Head:
    """What introduces old text."""

    kind: Literal["attribution", "headers", "original", "forwarded"]
    start: int  # offset in the text
    last: int  # the line after it


def head_at(page: Page, at: int) -> Head | None:
    """The introduction that begins in this line, if one does."""
    line = page.said[at]
    kind = marker_of(line)
    if kind is not None:
        last = at + 1
        following = page.next_said(last)
        if following is not None and not page.quoted[following]:
            last = _headers_end(page, following, "marker") or last
            if last == at + 1 and (sender := _attribution(page, following)) is not None:
                last = sender.last  # a forward whose headers are one "3 Feb 2026, X:"
        return Head(kind, page.starts[at], last)
    if line.startswith(">>>"):  # GroupWise: ">>> X <x@y> 03/02/26 14:05 >>>"
        return Head("attribution", page.starts[at], at + 1) if introduces(line.strip("> ") + ":", True) else None
    end = _headers_end(page, at, "rule" if _ruled(page, at) else "") if _label(line) is not None else 0
    if end:
        return Head("headers", page.starts[_with_rule(page, at)], end)
    if line[0].isdigit() or (page.colon_near[at] and not is_rule(line)):
        return _attribution(page, at)
    return _running_on(page, at) if "@" in line and ":" in line else None


def marker_of(line: str) -> Literal["original", "forwarded"] | None:
    """-----Original Message----- and its like."""
    if len(line) > 100 or (line[0] not in "-_*=–—#" and line[-1] not in ":-"):
        return None
    words = line.strip(_STROKES).casefold()
    if words in FORWARDED or (words.startswith("forwarded by ") and line[0] == "-"):
        return "forwarded"
    return "original" if words in ORIGINAL or words.endswith(ANSWER_ABOVE) else None


# -- header blocks --------------------------------------------------------------------------------------------------


def _label(line: str) -> str | None:
    """Which header this line is: "*От:* ..." is the sender."""
    colon = line.find(":", 1, 32)
    if colon < 0:
        colon = line.find("：", 1, 32)
        if colon < 0:
            return None
    return LABELS.get(line[:colon].strip(" *_>\xa0\t").casefold())


def _headers_end(page: Page, at: int, under: Under) -> int:
    """The line after the block of headers that begins here, 0 if none does."""
    role = _label(page.said[at])
    if role is None:
        return 0
    roles, last = {role}, at
    block = [page.said[at][:LONG_LINE]]
    for line in range(at + 1, min(at + _HEADERS_AT_MOST, len(page))):
        said = page.said[line]
        role = _label(said) if said else None
        if role in roles and role not in ("cc", "other"):
            break  # each header stands once in a block
        if role is not None:
            roles.add(role)
            last = line
        elif line - last > 2 or page.quoted[line] != page.quoted[at]:
            break
        block.append(said[:LONG_LINE])
    whole = "\n".join(block[: last - at + 1])
    if len(roles) == 1:
        return at + 1 if (under == "marker" and "from" in roles) or _on_one_line(block[0]) else 0
    return last + 1 if _are_headers(roles - {"other"}, whole, announced=bool(under)) else 0


def _are_headers(roles: set[str], block: str, announced: bool) -> bool:
    """A freight note ("From: Riga / To: Oslo") and an agenda ("Date / Subject") are none."""
    if announced:
        return bool(roles & {"from", "subject"})
    addressed = "@" in block
    if len(roles) >= 3 and "subject" in roles and roles & {"from", "sent"}:
        return True
    timed = _TIME.search(block) is not None
    if "from" in roles:
        return len(roles) >= 2 and (addressed or (timed and "sent" in roles))
    return addressed and {"sent", "to"} <= roles


def _on_one_line(line: str) -> bool:
    """All headers in one line, as some web mail writes them."""
    labels = re.findall(r"(?<!\w)([^\W\d]{1,12})\*?\s?:", line)
    return len({LABELS.get(label.casefold()) for label in labels} - {None, "other"}) >= 3


def _ruled(page: Page, at: int) -> bool:
    return _with_rule(page, at) != at


def _with_rule(page: Page, at: int) -> int:
    """The line drawn over a block belongs to it."""
    for before in (at - 1, at - 2, at - 3):
        if before < 0:
            break
        if page.said[before]:
            return before if is_rule(page.said[before]) and len(page.said[before]) > 4 else at
    return at


# -- "On ... wrote:" ------------------------------------------------------------------------------------------------


def _attribution(page: Page, at: int) -> Head | None:
    line = page.said[at]
    if not _may_begin(line):
        return None
    within = _midway(page, at) or _running_on(page, at)
    if within is not None:
        return within
    joined = ""
    for here in range(at, min(at + _FEW_LINES + 2, len(page))):
        said = page.said[here]
        if not said:
            if joined.endswith("<") or _opens_angle(page, here):
                continue
            return None
        if page.quoted[here] or len(said) > LONG_LINE:
            return None
        joined = f"{joined} {said}" if joined else said
        if joined.rstrip("> *_").endswith(_ENDS) or _ends_bare(joined):
            if introduces(joined, _quote_follows(page, here + 1)):
                return Head("attribution", page.starts[at], here + 1)
            if not _ends_bare(joined):
                return None
        if here - at >= _FEW_LINES and "<" not in joined:
            return None
    return None


def _may_begin(line: str) -> bool:
    first = line[0]
    if first.isdigit() or first in '在-"<«' or line[-1] in ":：":
        return True
    if "@" in line or " <" in line:
        return len(line) < LONG_LINE
    word = (line[:16].split(None, 1) or [""])[0].strip(",.;(").casefold()
    if word in STARTS and LEADS.match(line):
        return True
    return any(wrote in line for wrote in _WRAPPED_WROTE)


def _midway(page: Page, at: int) -> Head | None:
    """ "Fine with me. On 3 Feb 2026 at 16:20, X wrote:" in one line: the first words are new."""
    line = page.said[at][:LONG_LINE]
    begin = BEGINS_MIDWAY.search(line)
    if begin is None or not line.rstrip("> *_").endswith(_ENDS):
        return None
    if not introduces(line[begin.end() :], _quote_follows(page, at + 1)):
        return None
    if line[: begin.start()].strip(_STROKES) == "":
        return Head("attribution", page.starts[at], at + 1)
    offset = page.text.index(line, page.starts[at]) + begin.start()
    return Head("attribution", offset, at + 1)


def _running_on(page: Page, at: int) -> Head | None:
    """ "On 3 Feb 2026 at 16:20, X <x@y> wrote: old text" in one line, as HTML without line ends leaves it."""
    line = page.said[at][:LONG_LINE]
    end = _RUNS_ON.search(line)
    if end is None or (WROTE.search(line, 0, end.end()) is None and not line[0].isdigit()):
        return None
    begin = BEGINS_MIDWAY.search(line, 0, end.end())
    first = begin.end() if begin is not None else 0
    introduction = line[first : end.end()].rstrip()
    full = _ADDRESS.search(introduction) and _TIME.search(introduction) and LEADS.match(introduction)
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
    dated = _NUMERIC_DATE.search(line) is not None or DAY_MONTH.search(line) is not None
    timed = _TIME.search(line) is not None
    address = _ADDRESS.search(line)
    addressed = address is not None
    leads = LEADS.match(line) is not None
    if wrote is None:
        return _introduces_without_verb(line, leads, dated, timed, addressed, quoted_next)
    if dated and leads and (timed or addressed or quoted_next):
        return True
    if address is not None or (dated and timed):
        begin = min(wrote.start(), address.start() if address is not None else len(line))
        most = _WORDS_OF_A_DATE_AND_NAME if address is not None and dated and timed else _WORDS_OF_A_NAME
        return len(line) < 300 and len(line[:begin].split()) <= most
    if line[0] == "-" and line.endswith("----"):
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
    if not dated:
        return False
    colon = line.rstrip(" *_").endswith((":", "："))
    if not colon:
        return leads and ((addressed and quoted_next) or " GMT+" in line or " GMT-" in line)
    if addressed:
        return timed and len(line) < 300
    if not (leads and timed):
        return False
    name = re.split(r"[,;]\s", line.rstrip(" :*_"))[-1].strip()
    return quoted_next or _NAMES.fullmatch(name) is not None


def _named_between(line: str, wrote: re.Match[str]) -> bool:
    """ "On 3 Feb 2026, Marius Oud wrote:" names a person and says nothing else."""
    name = re.split(r",\s|\d{4}\s(?:г\.\s)?", line[: wrote.start()])[-1].removeprefix("пользователь ").strip()
    return _NAMES.fullmatch(name) is not None
