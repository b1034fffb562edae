"""A letter as lines: where each stands, what it says without its margins, and whether it is marked as quoted."""

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agent.model import Cut, CutKind

LONG_LINE = 600  # what introduces old text is short: nothing is looked for beyond this

# "AB> text": the initials that some programs put before the mark
_INITIALS = re.compile(r"[A-ZА-ЯЁІЇЄ][A-Za-zА-ЯЁІЇЄа-яёіїє]{0,2}>(?:[ >]|$)")
# what a reader does not see at a line's ends; the last are the marks of a direction of writing
_MARGIN = " \t\r\xa0\u200b\ufeff\u200e\u200f\u202a\u202b\u202c\u2066\u2067\u2068\u2069"
_INTRODUCTION_ENDS = ":：-*_>"
_INTRODUCTION_LINES = 6  # with an empty line or two in between
_WRAPPED_WIDTH = 60  # a quoted line this long may have lost its last words to a line without a mark
_REST_WIDTH = 30


@dataclass(frozen=True, slots=True)
class Mark:
    """A stretch found in the text, with what it is to a reader."""

    start: int
    end: int
    kind: CutKind
    role: str  # attribution | quote | headers | body | delimited | sign_off | mobile | notice | rule


@dataclass(frozen=True, slots=True)
class Page:
    """The lines of one letter, as columns: `said[i]` stands somewhere in text[starts[i]:starts[i + 1]]."""

    text: str
    starts: list[int]  # one more than there are lines: the last is len(text)
    said: list[str]  # stripped; "" where a reader sees nothing
    quoted: list[bool]  # marked as quoted, by a sign in front or by the HTML
    colon_near: list[bool]  # this line or one of the next few ends as introductions do

    def __len__(self) -> int:
        return len(self.said)

    def next_said(self, at: int, within: int = 4) -> int | None:
        """The next line that says something."""
        for line in range(at, min(at + within, len(self.said))):
            if self.said[line]:
                return line
        return None

    def mark(self, first: int, last: int, kind: CutKind, role: str) -> Mark:
        """The lines first .. last - 1."""
        return Mark(self.starts[first], self.starts[last], kind, role)


def page_of(text: str, cuts: Sequence[Cut]) -> Page:
    starts = [0]
    said = []
    for line in text.split("\n"):
        starts.append(starts[-1] + len(line) + 1)
        said.append(line.strip(_MARGIN))
    starts[-1] = len(text)
    quoted = [_is_quoted(said, at) for at in range(len(said))]
    for cut in cuts:
        for at in _lines_inside(cut, starts, said):
            if cut.kind in ("quoted", "forwarded"):
                quoted[at] = True
            else:
                said[at] = ""
                quoted[at] = False
    _take_in_wrapped(said, quoted)
    return Page(text, starts, said, quoted, _colon_near(said))


def _colon_near(said: list[str]) -> list[bool]:
    near, left = [False] * len(said), 0
    for at in range(len(said) - 1, -1, -1):
        line = said[at]
        if line and line[-1] in _INTRODUCTION_ENDS:
            left = _INTRODUCTION_LINES
        if left:
            near[at] = True
            left -= 1
    return near


def _lines_inside(cut: Cut, starts: list[int], said: list[str]) -> Iterator[int]:
    at = bisect_left(starts, cut.start)
    while at < len(said) and starts[at] < cut.end:
        if starts[at] + len(said[at]) <= cut.end:
            yield at
        at += 1


def _is_quoted(said: list[str], at: int) -> bool:
    line = said[at]
    if not line:
        return False
    first = line[0]
    if first == ">":
        if line.endswith("<<"):  # ">>> look here <<<" is an ornament
            return False
        if line.startswith(">>> ") and line.endswith(" >>>") and "@" in line:  # GroupWise introduces old text so
            return False
        return not (line.endswith(":") and _closes_address(said, at))
    if first == "|":
        return line.count("|", 0, LONG_LINE) == 1 and (len(line) == 1 or line[1] in " >")
    if first == "}":  # a margin of the reader's own choice; in program text it closes something
        return line[1:2] in ("", " ") and line[-1] not in "{;)"
    if first == "&":
        return line.startswith("&gt;")
    return first.isupper() and ">" in line[1:4] and _INITIALS.match(line) is not None


def _closes_address(said: list[str], at: int) -> bool:
    """ "<name@host" with its "> wrote:" wrapped onto the next line is no quotation."""
    before = [line[-LONG_LINE:] for line in said[max(at - 2, 0) : at] if line]
    if not before or before[-1][0] == ">":
        return False
    joined = " ".join(before)
    return joined.count("<") > joined.count(">")


def _take_in_wrapped(said: list[str], quoted: list[bool]) -> None:
    """A few words between two quoted lines, the first of them full: the end of that line, wrapped without its mark."""
    for at in range(1, len(said) - 1):
        if (
            said[at]
            and not quoted[at]
            and quoted[at - 1]
            and quoted[at + 1]
            and len(said[at - 1]) >= _WRAPPED_WIDTH
            and len(said[at]) <= _REST_WIDTH
            and said[at][0].islower()
        ):
            quoted[at] = True


def unmarked(line: str) -> str:
    """A quoted line's words, without the signs in front."""
    return line[:LONG_LINE].lstrip(">| \t\xa0").strip()


def is_rule(line: str) -> bool:
    """Nothing but strokes: a line drawn across the letter."""
    return len(line) > 1 and line[0] in "-_*=~#+—–" and not any(sign.isalnum() for sign in line[:LONG_LINE])
