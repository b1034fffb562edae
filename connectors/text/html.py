"""An HTML body as the text that its reader sees, and marks for what is quoted, signed or hidden; linear, never raises.

to_text    one pass over the tags with a stack of open elements. No tree is built: builders of HTML trees take
           minutes for a letter of nested elements, and copy unclosed ones without bounds
_Page      the text as it grows, each stretch with its kind
html_roles what mail programs say by classes, ids and styles
"""

import re
from html import unescape

from agent.model import Cut, CutKind
from connectors.text.html_roles import Colour, Role, read_sheet, role_of
from connectors.text.plain import visible

__all__ = ["LIMIT", "charset_of", "to_text"]

LIMIT = 1_000_000  # characters of text
_SOURCE = 4_000_000  # characters of HTML
_TAG = re.compile(
    r"""<(?:(!--)|(/?)([a-zA-Z][^\s/>]*+)"""
    r"""((?:[^>=]++|=\s*+(?:"[^"]*+"?|'[^']*+'?)?+)*+)>?|[!?/][^>]*+>?)"""
)
_META = re.compile(rb"""(?i)<meta[^>]{0,200}?charset\s{0,5}=\s{0,5}["']?\s{0,5}([A-Za-z0-9_:.-]{2,40})""")
_TOO_LONG = re.compile(r"&#[xX]?[0-9a-fA-F]{9,}+;?")
_FORWARDED = re.compile(
    r"^\W{0,40}(?:begin |начало )?(?:forwarded message|forwarded by|пересылаемое сообщение|пересланное сообщение"
    r"|переадресованное сообщение|weitergeleitete nachricht|message transféré|mensaje reenviado)",
    re.IGNORECASE,
)
_HEADER = re.compile(r"^\W{0,10}(?:from|от|von|de|da|od|van|från|fra|发件人|差出人)\s?:", re.IGNORECASE)
_HEADER_TIME = re.compile(
    r"\b(?:sent|date|отправлено|дата|gesendet|datum|envoyé|date|enviado|inviato|data|wysłano|skickat|sendt|发送时间|送信日時)\s?:",
    re.IGNORECASE,
)

_VOID = frozenset("area base br col embed hr img input link meta param source track wbr".split())
_RAW = frozenset("script style title textarea xmp noembed noframes iframe svg math object template select".split())
_RAW_END = {name: re.compile(f"</{name}", re.IGNORECASE) for name in _RAW}
_MARKUP_INSIDE = frozenset("svg math object template select".split())
_LINES = frozenset(
    "div tr li table ul ol dl dd dt section article header footer main nav aside address center form fieldset"
    " body html tbody thead tfoot caption figure figcaption details summary legend".split()
)
_PARAGRAPHS = frozenset("p h1 h2 h3 h4 h5 h6 blockquote pre".split())
_BLOCKS = _LINES | _PARAGRAPHS | {"td", "th"}
_BARRIERS = frozenset(("td", "th", "table", "caption"))
_OF_TABLES = frozenset(("td", "th", "tr", "tbody", "thead", "tfoot", "table", "caption"))
_ENDS_PARAGRAPH = (_LINES | _PARAGRAPHS | {"hr"}) - _OF_TABLES | {"table"}
_IMPLIED_END = {  # a start tag that ends its neighbour, and the elements beyond which it has none
    "li": (frozenset(("li",)), frozenset(("ul", "ol", "table"))),
    "dd": (frozenset(("dd", "dt")), frozenset(("dl", "table"))),
    "dt": (frozenset(("dd", "dt")), frozenset(("dl", "table"))),
    "td": (frozenset(("td", "th")), frozenset(("tr", "table"))),
    "th": (frozenset(("td", "th")), frozenset(("tr", "table"))),
    "tr": (frozenset(("tr",)), frozenset(("table",))),
}
_NEAR = 60  # open elements that are looked through for an implied end


class _Look:
    """How text is shown here; inherited, and shared by all that change nothing."""

    __slots__ = ("background", "colour", "gone", "kept", "tiny", "unseen")

    def __init__(
        self,
        gone: bool = False,
        tiny: bool = False,
        colour: Colour | None = (0, 0, 0),
        background: Colour | None = (255, 255, 255),
        kept: bool = False,
    ) -> None:
        self.gone, self.tiny, self.colour, self.background, self.kept = gone, tiny, colour, background, kept
        self.unseen = gone or tiny or _alike(colour, background)

    def within(self, role: Role, tag: str, hidden: bool) -> "_Look":
        linked = None if tag == "a" else self.colour  # links have a colour of their own
        return _Look(
            self.gone or role.gone or hidden,
            self.tiny if role.tiny is None else role.tiny,
            role.colour or linked,
            None if role.patterned else role.background or self.background,
            (self.kept or tag == "pre") if role.kept is None else role.kept,
        )


def _alike(colour: Colour | None, background: Colour | None) -> bool:
    if colour is None or background is None:
        return False
    return all(abs(one - other) <= 10 for one, other in zip(colour, background, strict=True))


class _Region:
    """A stretch that its markup gives a kind; only the outermost counts."""

    __slots__ = ("container", "kind", "piece", "stretch")

    def __init__(self, kind: CutKind, piece: int, stretch: int, container: bool) -> None:
        self.kind = kind
        self.piece = piece  # where its text begins in the page
        self.stretch = stretch
        self.container = container  # it may be a forward, and it may end with the first quotation in it


class _Element:
    """An open element."""

    __slots__ = ("check", "ended", "flat", "look", "name", "region")

    def __init__(self, name: str, look: _Look, flat: bool) -> None:
        self.name = name
        self.look = look
        self.flat = flat  # a paragraph without space around
        self.region: _Region | None = None
        self.check: tuple[int, int] | None = None  # when it ends: is it the header of a quoted letter?
        self.ended = False  # by an end tag that came too early for what is inside it


def charset_of(source: bytes) -> str:
    """The charset that the HTML itself names."""
    found = _META.search(source, 0, 4_096)
    return found[1].decode("ascii") if found else ""


def to_text(source: str) -> tuple[str, tuple[Cut, ...]]:
    """The text of an HTML body, and the cuts that its markup shows: sorted, without overlaps."""
    reader = _Reader(source[:_SOURCE])
    reader.read()
    return reader.page.finish()


class _Page:
    """The text as it grows: blanks and breaks wait until something follows them."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.length = 0
        self.gap = 0  # 1 a blank, 2 a new line, 3 an empty line before what follows
        self.stretches: list[tuple[int, int, CutKind | None]] = []
        self.fresh = False  # the next stretch begins anew

    def add(self, text: str, kind: CutKind | None, kept: bool) -> None:
        if kept:
            self._add_lines(text, kind)
            return
        words = text.split()
        if not words:
            empty_line = self.gap >= 2 and "\xa0" in text  # Word's way to leave a line empty
            self.gap = 3 if empty_line else self.gap or 1
            return
        if text[0].isspace():
            self.gap = self.gap or 1
        shown = " ".join(words)
        if not shown.isprintable():
            shown = " ".join(visible(shown).split())
        if shown:
            self._put(shown, kind)
        if text[-1].isspace():
            self.gap = self.gap or 1

    def _add_lines(self, text: str, kind: CutKind | None) -> None:
        for number, line in enumerate(visible(text).split("\n")):
            if number:
                self.gap = 2 if self.gap < 2 else 3
            if shown := line.rstrip():
                self._put(shown, kind)

    def _put(self, text: str, kind: CutKind | None) -> None:
        before = ("", " ", "\n", "\n\n")[self.gap] if self.length else ""
        self.gap = 0
        self.pieces.append(before + text)
        start = self.length + len(before)
        self.length = start + len(text)
        if self.stretches and not self.fresh and self.stretches[-1][2] == kind:
            self.stretches[-1] = (self.stretches[-1][0], self.length, kind)
        else:
            self.stretches.append((start, self.length, kind))
            self.fresh = False

    def line_break(self) -> None:
        self.gap = 2 if self.gap < 2 else 3

    def new_line(self, gap: int) -> None:
        self.gap = max(self.gap, gap)

    def mark(self) -> tuple[int, int]:
        """This place, to come back to it: (piece, stretch)."""
        self.fresh = True
        return len(self.pieces), len(self.stretches)

    def since(self, piece: int) -> str:
        return "".join(self.pieces[piece : piece + 40])[:600].strip()

    def relabel(self, stretch: int, kind: CutKind) -> None:
        for number in range(stretch, len(self.stretches)):
            start, end, before = self.stretches[number]
            if before != "hidden":
                self.stretches[number] = (start, end, kind)

    def finish(self) -> tuple[str, tuple[Cut, ...]]:
        signed_only = not any(kind is None for _, _, kind in self.stretches)
        cuts: list[Cut] = []
        last: CutKind | None = None
        for start, end, kind in self.stretches:
            if kind is not None and not (signed_only and kind == "signature"):
                if last == kind:
                    start = cuts.pop().start
                cuts.append(Cut(start=start, end=end, kind=kind))
            last = kind
        return "".join(self.pieces), tuple(cuts)


class _Reader:
    """The one pass over the source."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.page = _Page()
        self.stack: list[_Element] = []
        self.where: dict[str, list[int]] = {}  # name -> the places in the stack where it is open
        self.blocks: list[int] = []
        self.barriers: list[int] = []
        self.region: _Region | None = None
        self.rest: CutKind | None = None  # the kind of all that follows
        self.unclosed: set[str] = set()
        self.hidden: set[str] = set()  # names that the style sheets hide
        self.painted: set[str] = set()  # names to which they give a background
        self.look = _Look()
        self.numbers: list[int] = []  # of the open lists: the last item, -1 for those without

    def read(self) -> None:
        source, at = self.source, 0
        while self.page.length < LIMIT and (found := _TAG.search(source, at)):
            start = found.start()
            if start > at:
                self._text(source[at:start])
            at = found.end()
            comment, ends, name, attributes = found.group(1, 2, 3, 4)
            if name:
                name = name.lower()
                if ends:
                    self._end(name)
                else:
                    at = self._start(name, attributes, at)
            elif comment:
                at = self._after_comment(at)
        if self.page.length < LIMIT:
            self._text(source[at:])
        while self.stack:
            self._pop()

    def _after_comment(self, at: int) -> int:
        if self.source.startswith((">", "->"), at):
            return self.source.index(">", at) + 1
        end = self.source.find("-->", at)
        return end + 3 if end >= 0 else len(self.source)

    def _text(self, text: str) -> None:
        if "&" in text:
            text = unescape(_TOO_LONG.sub("", text))
        kind: CutKind | None = self.region.kind if self.region else self.rest
        if kind != "hidden" and self.look.unseen:
            kind = "hidden"
        self.page.add(text, kind, self.look.kept)

    # -- start tags

    def _start(self, name: str, attributes: str, at: int) -> int:
        if name in _RAW:
            return self._raw(name, at)
        if name == "br":
            self.page.line_break()
            return at
        self._imply_ends(name)
        role = role_of(name, attributes)
        self._break(name, role.flat)
        if name in _VOID:
            if name == "hr" and role.part == "to_end":
                self._begin_rest()
            return at
        element = _Element(name, self._look_of(name, role), role.flat)
        if role.part:
            self._take_part(element, role)
        self._push(element)
        if name == "li":
            self._bullet()
        elif name in ("ul", "ol"):
            self.numbers.append(0 if name == "ol" else -1)
        return at

    def _raw(self, name: str, at: int) -> int:
        """Elements whose content is no text; one that is never closed hides the rest, as in a browser."""
        found = None if name in self.unclosed else _RAW_END[name].search(self.source, at)
        end = found.start() if found else len(self.source)
        if name == "style":
            hidden, painted = read_sheet(self.source[at:end])
            self.hidden |= hidden
            self.painted |= painted
        if not found and name in _MARKUP_INSIDE:
            self.unclosed.add(name)  # never looked for again: that would take as long as the letter, each time
            return at
        return self.source.find(">", end) + 1 or len(self.source)

    def _imply_ends(self, name: str) -> None:
        if name in _IMPLIED_END:
            ends, beyond = _IMPLIED_END[name]
        elif name in _ENDS_PARAGRAPH and self.where.get("p"):
            ends, beyond = frozenset(("p",)), _BLOCKS - {"p"}
        else:
            return
        for place in range(len(self.stack) - 1, max(-1, len(self.stack) - _NEAR), -1):
            if self.stack[place].name in ends:
                flat = self.stack[place].flat
                self._pop_to(place)
                self._break("p" if "p" in ends else name, flat)
                return
            if self.stack[place].name in beyond:
                return

    def _break(self, name: str, flat: bool) -> None:
        if name in _PARAGRAPHS:
            self.page.new_line(2 if flat else 3)
        elif name in _LINES or name == "hr":
            self.page.new_line(2)
        elif name in ("td", "th"):
            self.page.new_line(1)

    def _look_of(self, name: str, role: Role) -> _Look:
        hidden = bool(self.hidden) and not self.hidden.isdisjoint(role.names)
        if self.painted and not self.painted.isdisjoint(role.names):
            role = role._replace(patterned=True)
        if role.shows or role.patterned or hidden or name in ("a", "pre"):
            return self.look.within(role, name, hidden)
        return self.look

    def _take_part(self, element: _Element, role: Role) -> None:
        if role.part == "to_end":
            self._begin_rest()
        elif role.part == "header?":
            element.check = self.page.mark()
        elif self.region is None and self.rest is None:
            container = role.part == "container"
            kind: CutKind = "signature" if role.part == "signature" else "quoted"
            element.region = self.region = _Region(kind, *self.page.mark(), container)

    def _begin_rest(self) -> None:
        if self.region is None:
            self.rest = "quoted"

    def _bullet(self) -> None:
        mark = "- "
        if self.numbers and self.numbers[-1] >= 0:
            self.numbers[-1] += 1
            mark = f"{self.numbers[-1]}. "
        self._text(mark)

    def _push(self, element: _Element) -> None:
        place = len(self.stack)
        self.stack.append(element)
        self.where.setdefault(element.name, []).append(place)
        if element.name in _BLOCKS:
            self.blocks.append(place)
        if element.name in _BARRIERS:
            self.barriers.append(place)
        self.look = element.look

    # -- end tags

    def _end(self, name: str) -> None:
        places = self.where.get(name)
        flat = False
        if places:
            place = places[-1]
            flat = self.stack[place].flat
            if name not in _BLOCKS and self.blocks and self.blocks[-1] > place:
                self.stack[place].ended = True  # <b><p></b>: the paragraph goes on
                places.pop()
            elif name in _OF_TABLES or not self.barriers or self.barriers[-1] < place:
                self._pop_to(place)
        self._break(name, flat)

    def _pop_to(self, place: int) -> None:
        while len(self.stack) > place:
            self._pop()

    def _pop(self) -> None:
        element = self.stack.pop()
        place = len(self.stack)
        if not element.ended:
            self.where[element.name].pop()
        if self.blocks and self.blocks[-1] == place:
            self.blocks.pop()
        if self.barriers and self.barriers[-1] == place:
            self.barriers.pop()
        if element.name in ("ul", "ol") and self.numbers:
            self.numbers.pop()
        if element.check:
            self._check_header(*element.check)
        if element.region and element.region is self.region:
            self._end_region(element.region)
        elif element.name == "blockquote" and self.region and self.region.container:
            self._end_quotation(self.region)
        self.look = self.stack[-1].look if self.stack else _Look()

    def _check_header(self, piece: int, stretch: int) -> None:
        """Outlook parts the letter that it quotes by a line above "From: ... Sent: ..."."""
        if self.region is not None or self.rest is not None:
            return
        head = self.page.since(piece)
        if _HEADER.match(head) and _HEADER_TIME.search(head):
            self.page.relabel(stretch, "quoted")
            self.page.fresh = True
            self.rest = "quoted"

    def _end_region(self, region: _Region) -> None:
        if region.container and _FORWARDED.match(self.page.since(region.piece)):
            self.page.relabel(region.stretch, "forwarded")
        self.region = None
        self.page.fresh = True

    def _end_quotation(self, region: _Region) -> None:
        """In a reply between the lines what stands after the first quotation is new again; in a forward it is not."""
        if not _FORWARDED.match(self.page.since(region.piece)):
            self.region = None
            self.page.fresh = True
