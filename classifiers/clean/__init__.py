"""New text apart from old: what a letter says now, without history, signature, disclaimer and footer.

    lines                the letter as lines, each marked as quoted or not
    history, attribution where old text begins: markers and header blocks, "On ... wrote:"
    tail                 what hangs below the own words: closings, notices, mobile footers
    cuts                 the marks become cuts; what is left is what the letter says

All of it is pure and linear, and raises on no text.
"""

from bisect import bisect_left
from collections.abc import Sequence

from agent.model import Cut, CutKind
from classifiers.clean.attribution import Head, introduces
from classifiers.clean.cuts import cut_of, kept, left, merged, new_text, within
from classifiers.clean.history import STROKES, head_at, marker_of
from classifiers.clean.language import language
from classifiers.clean.lines import Mark, Page, is_rule, page_of, unmarked
from classifiers.clean.tail import tail_marks
from classifiers.clean.words import FORWARD_ENDED, HANDING_OVER, OVERRULING, SUBJECT_REPLY

__all__ = ["find_cuts", "handed_over", "kept", "language", "new_text", "reply_text", "without_history"]

_COVERING_NOTE = 60  # words; more than that above a bare header block is an answer
_LATEST = 12  # marks: the words before those have no say in whether a block is passed on


def find_cuts(text: str, cuts: Sequence[Cut] = (), subject: str = "") -> tuple[Cut, ...]:
    """All that is not new text, with what the HTML marked (`cuts`) taken in; sorted, without overlaps.

    The subject says that a bare header block is answered ("Re:"); that it is passed on, only the words over it say:
    some answer by "Forward".
    """
    given = within(text, cuts)
    return merged(_marks(page_of(text, given), subject), given)


def without_history(text: str, cuts: Sequence[Cut]) -> str:
    """The letter as its sender made it: signature and footers stay, what came before him and what none sees goes."""
    return new_text(text, [cut for cut in cuts if cut.kind in ("quoted", "forwarded", "hidden")])


def handed_over(text: str, cuts: Sequence[Cut]) -> list[tuple[int, int]]:
    """The words of a letter passed on: the forwarded stretches without marker, headers and signature."""
    spans = []
    for cut in cuts:
        if cut.kind == "forwarded":
            inner = text[cut.start : cut.end]
            spans += [(cut.start + start, cut.start + end) for start, end in _words_of_forward(inner)]
    return spans


def _words_of_forward(inner: str) -> list[tuple[int, int]]:
    """Line by line, since a forward can be quoted as a whole ("> Begin forwarded message:")."""
    outer = page_of(inner, ())
    page = page_of("\n".join(map(unmarked, outer.said)), ())
    first = next((line for line, said in enumerate(page.said) if said and not is_rule(said)), None)
    head = head_at(page, first) if first is not None else None
    begin = head.last if head is not None else 0
    unsaid = {
        start
        for mark in tail_marks(page, begin, len(page))
        for start in page.starts[bisect_left(page.starts, mark.start) : bisect_left(page.starts, mark.end)]
    }
    spans = []
    for line in range(begin, len(page)):
        if page.said[line] and page.starts[line] not in unsaid:
            at = inner.index(page.said[line], outer.starts[line])
            spans.append((at, at + len(page.said[line])))
    return spans


def reply_text(text: str, cuts: Sequence[Cut] = (), subject: str = "") -> str:
    """The reply as a mail program shows it: without history, marked signature and footers, but with its closing.

    A quotation between whose lines the answers stand is shown: they cannot be understood without it. A letter of
    nothing but old text shows that text.
    """
    given = within(text, cuts)
    page = page_of(text, given)
    marks = _marks(page, subject)
    unseen = [cut for cut in given if cut.kind not in ("quoted", "forwarded")]
    hidden = merged([mark for mark in marks if mark.role != "sign_off"], unseen)
    answered = _answered(text, marks, hidden, given)
    shown = new_text(text, merged([mark for mark in marks if mark.role != "sign_off" and mark not in answered], unseen))
    return shown or _history_alone(page, marks)


def _answered(text: str, marks: Sequence[Mark], hidden: Sequence[Cut], given: Sequence[Cut]) -> set[Mark]:
    """Quotations with own words under them; one under its "On ... wrote:" alone is only history put on top.

    One that the HTML marked bears no sign in the text: shown, it would pass for new where history is introduced at all.
    """
    quotes = [mark for mark in marks if mark.role == "quote" and mark.kind == "quoted"]
    own = kept(text, hidden)
    if not quotes or not own:
        return set()
    introduced = {mark.end for mark in marks if mark.role == "attribution"}
    if introduced and any(cut.kind == "quoted" for cut in given):
        return set()
    followed = {quote for quote in quotes if quote.end <= own[-1][0]}
    alone = len(quotes) == 1 and any(
        not text[end : quotes[0].start].strip() for end in introduced if end <= quotes[0].start
    )
    return set() if alone else followed


def _history_alone(page: Page, marks: Sequence[Mark]) -> str:
    """What a letter without own words shows: the letter passed on, unmarked history, or a quotation of its own."""
    bodies = [mark for mark in marks if mark.role == "body" and mark.start < mark.end]
    if bodies:
        return _without_introductions(page.text[bodies[0].start : bodies[0].end])
    if any(mark.role == "attribution" for mark in marks):
        return ""
    words = [unmarked(said) for at, said in enumerate(page.said) if page.quoted[at]]
    if any(word and not introduces(word, True) for word in words):
        return new_text(page.text, [cut_of(mark) for mark in marks if mark.role != "quote"])
    return ""


def _without_introductions(body: str) -> str:
    page = page_of(body, ())
    heads = (
        (page.starts[at], head)
        for at in range(len(page))
        if page.said[at] and not page.quoted[at] and (head := head_at(page, at)) is not None
    )
    return new_text(body, [Cut(start=head.start, end=page.starts[head.last], kind="quoted") for _, head in heads])


# -- marks ----------------------------------------------------------------------------------------------------------


def _marks(page: Page, subject: str) -> list[Mark]:
    """One walk down the letter: quotations, then the first introduction that takes in all that follows."""
    marks: list[Mark] = []
    own, at = 0, 0  # `own`: where the letter's own words of this stretch begin
    while at < len(page):
        if not page.said[at]:
            at += 1
        elif page.quoted[at]:
            marks += tail_marks(page, own, at)
            own = at = _quotation(page, at, marks)
        elif (head := head_at(page, at)) is not None:
            marks += _own_tail(page, own, at, head)
            own = at = _under(page, head, subject, marks)
        else:
            at += 1
    return marks + tail_marks(page, own, len(page))


def _own_tail(page: Page, own: int, at: int, head: Head) -> list[Mark]:
    return [mark for mark in tail_marks(page, own, at) if mark.start < head.start]


def _quotation(page: Page, at: int, marks: list[Mark]) -> int:
    """A run of quoted lines; the line after it."""
    last = at
    for line in range(at, len(page)):
        if page.quoted[line]:
            last = line + 1
        elif page.said[line]:
            break
    words = unmarked(page.said[at])
    kind: CutKind = "forwarded" if words and marker_of(words) == "forwarded" else "quoted"
    begin = _introduced_inside(page, at, last)
    if begin > at:
        marks.append(page.mark(at, begin, kind, "attribution"))
    if begin < last:
        marks.append(page.mark(begin, last, kind, "quote"))
    return last


def _introduced_inside(page: Page, at: int, last: int) -> int:
    """The line after an introduction that is quoted itself: "> On 3 Feb 2026 at 16:20, X wrote:"."""
    said = ""
    for line in range(at, min(at + 3, last)):
        said = f"{said} {unmarked(page.said[line])}".strip()
        if said.endswith(":"):
            return line + 1 if introduces(said, True) else at
    return at


def _under(page: Page, head: Head, subject: str, marks: list[Mark]) -> int:
    """What an introduction takes in; the line from which own words can stand again."""
    following = page.next_said(head.last, len(page))
    forwarded = head.kind != "attribution" and _passes_on(page, head, subject, marks)
    if not forwarded and following is not None and page.quoted[following]:
        marks.append(Mark(head.start, page.starts[head.last], "quoted", "attribution"))
        return head.last
    kind: CutKind = "forwarded" if forwarded else "quoted"
    role = "attribution" if head.kind == "attribution" else "headers"
    marks.append(Mark(head.start, page.starts[head.last], kind, role))
    last = _forward_ended(page, head.last) if head.kind == "forwarded" else len(page)
    older = _older(page, head.last, last) if forwarded else last
    marks.append(page.mark(head.last, older, kind, "body"))
    if older < last:
        marks.append(page.mark(older, last, "quoted", "body"))
    if last == len(page):
        return last
    marks.append(page.mark(last, last + 1, "footer", "rule"))
    return last + 1


def _forward_ended(page: Page, at: int) -> int:
    """The line "--- End of forwarded message ---", after which the forwarder can speak again."""
    for line in range(at, len(page)):
        said = page.said[line]
        if said and said[0] in STROKES and said[:100].strip(STROKES).casefold() in FORWARD_ENDED:
            return line
    return len(page)


def _older(page: Page, at: int, last: int) -> int:
    """Where the letter passed on has history of its own."""
    first = page.next_said(at, len(page))
    all_quoted = first is not None and page.quoted[first]
    for line in range(at, last):
        if page.said[line] and not all_quoted:
            if page.quoted[line]:
                return line
            if (head := head_at(page, line)) is not None and head.last > line:
                return line
    return last


def _passes_on(page: Page, head: Head, subject: str, marks: list[Mark]) -> bool:
    """Is the block under this introduction handed over, or is it what was answered? In doubt it is old."""
    begin = marks[-_LATEST - 1].end if len(marks) > _LATEST else 0
    latest = [cut_of(mark) for mark in marks[-_LATEST:] if mark.end <= head.start]
    own = "\n".join(page.text[start:end] for start, end in left(page.text, latest, begin, head.start)).casefold()
    if any(words in own for words in OVERRULING):
        return False
    if head.kind == "forwarded":
        return True
    prefix = subject.partition(":")[0].strip().casefold() if ":" in subject[:16] else ""
    if prefix in SUBJECT_REPLY:
        return False
    return not own or (len(own.split()) <= _COVERING_NOTE and any(words in own for words in HANDING_OVER))
