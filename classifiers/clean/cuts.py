"""Stretches of a text: what is cut from it, and what is left."""

from collections.abc import Sequence

from agent.model import Cut
from classifiers.clean.lines import Mark


def kept(text: str, cuts: Sequence[Cut]) -> list[tuple[int, int]]:
    """The stretches that remain, without the white space around them."""
    return left(text, cuts, 0, len(text))


def left(text: str, cuts: Sequence[Cut], begin: int, stop: int) -> list[tuple[int, int]]:
    spans, at = [], begin
    for cut in [*sorted(cuts, key=lambda cut: cut.start), Cut(start=stop, end=stop, kind="hidden")]:
        piece = text[at : cut.start]
        start = at + len(piece) - len(piece.lstrip())
        end = at + len(piece.rstrip())
        if start < end:
            spans.append((start, end))
        at = max(at, cut.end)
    return spans


def new_text(text: str, cuts: Sequence[Cut]) -> str:
    """What remains, each stretch in lines of its own."""
    return "\n".join(text[start:end] for start, end in kept(text, cuts))


def cut_of(mark: Mark) -> Cut:
    return Cut(start=mark.start, end=mark.end, kind=mark.kind)


def within(text: str, cuts: Sequence[Cut]) -> list[Cut]:
    """Cuts as given, held to the text's length."""
    held = (Cut(start=max(cut.start, 0), end=min(cut.end, len(text)), kind=cut.kind) for cut in cuts)
    return sorted((cut for cut in held if cut.start < cut.end), key=lambda cut: cut.start)


def merged(marks: Sequence[Mark], given: Sequence[Cut]) -> tuple[Cut, ...]:
    """Where two speak of one place: what no reader sees goes first, then the marks, then what else was given.

    The marks know more than the HTML: a forward inside a quotation of the HTML is a forward.
    """
    found = sorted((cut_of(mark) for mark in marks if mark.start < mark.end), key=lambda cut: (cut.start, -cut.end))
    hidden = _beside([], [cut for cut in given if cut.kind == "hidden"])
    both = _beside(hidden, found)
    return tuple(_joined(_beside(both, [cut for cut in given if cut.kind != "hidden"])))


def _beside(cuts: list[Cut], more: Sequence[Cut]) -> list[Cut]:
    """The cuts, and of `more` the pieces that stand beside them. Both are sorted by their start."""
    pieces, covered, at = [], 0, 0
    for cut in more:
        start = max(cut.start, covered)
        while at > 0 and cuts[at - 1].end > start:
            at -= 1
        while start < cut.end:
            while at < len(cuts) and cuts[at].end <= start:
                at += 1
            end = min(cut.end, cuts[at].start) if at < len(cuts) else cut.end
            if start < end:
                pieces.append(Cut(start=start, end=end, kind=cut.kind))
            start = cuts[at].end if at < len(cuts) else cut.end
        covered = max(covered, cut.end)
    return sorted([*cuts, *pieces], key=lambda cut: cut.start)


def _joined(cuts: Sequence[Cut]) -> list[Cut]:
    """Neighbours of one kind become one."""
    result: list[Cut] = []
    for cut in cuts:
        if result and result[-1].end == cut.start and result[-1].kind == cut.kind:
            cut = Cut(start=result.pop().start, end=cut.end, kind=cut.kind)
        result.append(cut)
    return result
