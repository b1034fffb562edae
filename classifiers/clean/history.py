"""Where old text begins: the lines, blocks and markers by which mail programs introduce what was written before."""

import re
from typing import Literal

from classifiers.clean.attribution import TIME, Head, attribution_at, introduces, running_on
from classifiers.clean.lines import LONG_LINE, Page, is_rule
from classifiers.clean.words import ANSWER_ABOVE, FORWARDED, LABELS, ORIGINAL

STROKES = " -_*=–—#<>8:\t"  # The Bat! draws scissors: ===8<===
# Notes: "Ines Amaro ---03.02.2026 14:05:11---How many rolls?"
_NOTES = re.compile(r"\w ---\d{1,4}[./-]\d{1,2}[./-]\d{2,4} \d{1,2}:\d{2}[^-]{0,12}---")
_HEADERS_AT_MOST = 30  # lines

Under = Literal["", "rule", "marker"]  # what stands over a block of headers


def head_at(page: Page, at: int) -> Head | None:
    """The introduction that begins in this line, if one does."""
    line = page.said[at]
    kind = marker_of(line)
    if kind is not None:
        last = at + 1
        following = page.next_said(last)
        if following is not None and not page.quoted[following]:
            last = _headers_end(page, following, "marker") or last
            if last == at + 1 and (sender := attribution_at(page, following)) is not None:
                last = sender.last  # a forward whose headers are one "3 Feb 2026, X:"
        return Head(kind, page.starts[at], last)
    if line.startswith(">>>"):  # GroupWise: ">>> X <x@y> 03/02/26 14:05 >>>"
        return Head("attribution", page.starts[at], at + 1) if introduces(line.strip("> ") + ":", True) else None
    if line.startswith("Inactive hide details for ") or ("---" in line and _NOTES.search(line[:LONG_LINE])):
        return Head("original", page.starts[at], at + 1)
    end = _headers_end(page, at, "rule" if _ruled(page, at) else "") if _label(line) is not None else 0
    if end:
        return Head("headers", page.starts[_with_rule(page, at)], end)
    if line[0].isdigit() or (page.colon_near[at] and not is_rule(line)):
        return attribution_at(page, at)
    return running_on(page, at) if "@" in line and ":" in line else None


def marker_of(line: str) -> Literal["original", "forwarded"] | None:
    """-----Original Message----- and its like."""
    if len(line) > 100 or (line[0] not in "-_*=–—#" and line[-1] not in ":-"):
        return None
    words = line.strip(STROKES).casefold()
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
    """A freight note ("From: Riga / To: Oslo"), a parcel's label ("To / Date / Subject") and an agenda are none."""
    if announced:
        return bool(roles & {"from", "subject"})
    addressed = "@" in block
    if len(roles) >= 3 and "subject" in roles and ("from" in roles or ("sent" in roles and addressed)):
        return True
    timed = TIME.search(block) is not None
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
