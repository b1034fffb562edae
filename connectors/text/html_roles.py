"""What mail programs say of an element by its classes, ids and styles: a row per habit."""

import re
from functools import lru_cache
from html import unescape
from typing import Literal, NamedTuple

__all__ = ["Role", "read_sheet", "role_of", "shown_as"]

Part = Literal["", "quoted", "signature", "container", "to_end", "header?"]
Colour = tuple[int, int, int]

_ATTRIBUTES = 4_000  # characters of one tag
_SHEET = 100_000  # characters of one style sheet
_ATTRIBUTE = re.compile(r"""([^\s=>/"']++)(?:\s*+=\s*+(?:"([^"]*+)"?|'([^']*+)'?|([^\s>"']++)))?""")

_CLASSES: dict[str, Part] = {
    "gmail_quote": "container",
    "gmail_attr": "quoted",
    "gmail_signature": "signature",
    "gmail_signature_prefix": "signature",
    "yahoo_quoted": "quoted",
    "yahoo-signature": "signature",
    "moz-cite-prefix": "quoted",
    "moz-forward-container": "container",
    "moz-signature": "signature",
    "protonmail_quote": "container",
    "protonmail_signature_block": "signature",
    "tutanota_quote": "quoted",
    "zmail_extra": "quoted",  # Zoho
    "js-readmsg-msg": "quoted",  # Mail.ru
    "mail-quote-collapse": "quoted",
    "mailru-blockquote": "quoted",
    "ya-quote": "quoted",
    "ms-outlook-mobile-reference-message": "quoted",
    "outlookmessageheader": "to_end",
    "wisestamp_app": "signature",
    "sh-signature": "signature",  # Superhuman
    "front-signature": "signature",
    "front-blockquote": "quoted",
}
_IDS: dict[str, Part] = {
    "appendonsend": "to_end",
    "divrplyfwdmsg": "to_end",
    "olk_src_body_section": "quoted",
    "mail-editor-reference-message-container": "quoted",
    "reply-intro": "quoted",  # Roundcube
    "zwchr": "to_end",  # Zimbra
    "isforwardcontent": "quoted",
    "isreplycontent": "quoted",
    "signature": "signature",
    "ms-outlook-mobile-signature": "signature",
    "applemailsignature": "signature",
    "_rc_sig": "signature",
    "zm-_id_-sgn": "signature",  # Zoho
    "ymail_android_signature": "signature",
}
_INDENTED = re.compile(r"margin:0(?:px)? 0(?:px)? 0(?:px)? 40px")  # Gmail indents with a blockquote
_HEADER_LINE = re.compile(r"border-top:(?:solid|1(?:\.0)?p[xt] solid)")


class Role(NamedTuple):
    """One element's part in the letter, and what its style changes; None and "" change nothing."""

    part: Part = ""
    gone: bool = False  # it and all in it is invisible
    tiny: bool | None = None  # the font has no size; what is inside may have one
    colour: Colour | None = None
    background: Colour | None = None
    patterned: bool = False  # a background of which nobody can tell the colour
    kept: bool | None = None  # white space counts, as in <pre>
    flat: bool = False  # a paragraph without space around
    names: frozenset[str] = frozenset()  # ".class" and "#id", for the style sheet
    shows: bool = False  # something of this changes how the text is shown


_PLAIN = Role()


def role_of(tag: str, attributes: str) -> Role:
    """The role of a start tag; letters repeat their tags, so short ones are remembered."""
    if len(attributes) > 400:
        return _read.__wrapped__(tag, attributes[:_ATTRIBUTES])
    return _read(tag, attributes)


@lru_cache(maxsize=2_000)
def _read(tag: str, attributes: str) -> Role:
    values: dict[str, str] = {}
    for name, double, single, bare in _ATTRIBUTE.findall(attributes):
        values.setdefault(name.lower(), double or single or bare)
    style = _spaceless(values.get("style", ""))
    classes = [_own(name) for name in values.get("class", "").lower().split()[:30]]
    own_id = _own(values.get("id", "").strip().lower())
    part = _part(tag, values, style, classes, own_id)
    looks = shown_as(style)
    looks = looks._replace(
        gone=looks.gone or ("hidden" in values and tag != "input"),
        colour=looks.colour or _colour(values.get("color") or (values.get("text", "") if tag == "body" else "")),
        background=looks.background or _colour(values.get("bgcolor", "")),
        patterned=looks.patterned or "background" in values,
    )
    return looks._replace(
        part=part,
        shows=looks != _PLAIN,
        flat="msonormal" in classes or "margin:0" in style,
        names=frozenset((*(f".{name}" for name in classes), *((f"#{own_id}",) if own_id else ()))),
    )


def _own(name: str) -> str:
    """Outlook on the web puts x_ before the names in what it quotes."""
    while name.startswith("x_"):
        name = name[2:]
    return name


def _part(tag: str, values: dict[str, str], style: str, classes: list[str], own_id: str) -> Part:
    if tag == "blockquote":
        cited = values.get("type", "").lower() == "cite" or "cite" in values or "gmail_quote" in classes
        return "quoted" if cited or not _INDENTED.search(style) else ""
    for name in classes:
        if name in _CLASSES:
            return _CLASSES[name]
        if name.startswith("ydp"):  # Yahoo puts letters of its own before its names
            return "quoted" if name.endswith("yahoo_quoted") else "signature" if name.endswith("signature") else ""
    if own_id in _IDS:
        return _IDS[own_id]
    marker = values.get("data-marker", "")
    if marker in ("__QUOTED_TEXT__", "__HEADERS__"):
        return "quoted"
    if marker.startswith("__SIG") or "data-signature-widget" in values or "data-smartmail" in values:
        return "signature"
    return "header?" if _HEADER_LINE.search(style) and tag in ("div", "td", "p", "table") else ""


# -- what is seen ---------------------------------------------------------------------------------------------------

_GONE = re.compile(
    r"(?:^|;)(?:display:none|visibility:(?:hidden|collapse)|opacity:0*+(?:\.0*+)?(?:;|!|$)|mso-hide:all|color:transparent"
    r"|text-indent:-\d{3}|(?:left|top):-\d{3}|clip:rect\(0)"
)
_CLIPPED = re.compile(r"(?:^|;)(?:max-)?(?:height|width):0(?:px|pt|em|%)?(?:;|!|$)")
_FONT = re.compile(r"(?:^|;)font(?:-size:|:(?:[a-z0-9]+ )*?)(\d++(?:\.\d++)?|\.\d++)(?:px|pt|em|rem|%)?(?=[;/! ]|$)")
_COLOUR = re.compile(r"(?:^|;)color:([^;!]{1,60})")
_BACKGROUND = re.compile(r"(?:^|;)background(?:-color)?:([^;!]{1,200})")
_SPACE = re.compile(r"\s*([:;,()])\s*|\s{2,}")
_RGB = re.compile(r"rgba?\((\d{1,3}),(\d{1,3}),(\d{1,3})(?:,([\d.]{1,6}))?\)")
_NAMED: dict[str, Colour] = {
    "white": (255, 255, 255),
    "black": (0, 0, 0),
    "red": (255, 0, 0),
    "blue": (0, 0, 255),
    "green": (0, 128, 0),
    "gray": (128, 128, 128),
    "grey": (128, 128, 128),
    "silver": (192, 192, 192),
    "yellow": (255, 255, 0),
    "navy": (0, 0, 128),
    "snow": (255, 250, 250),
    "ivory": (255, 255, 240),
    "whitesmoke": (245, 245, 245),
}


def _spaceless(style: str) -> str:
    if not style:
        return ""
    text = unescape(style[:2_000]) if "&" in style and "&#" not in style else style[:2_000]
    return _SPACE.sub(lambda found: found[1] or " ", text.strip().lower())


def shown_as(style: str) -> Role:
    """What a style (lower case, no blanks around its signs) says of being seen."""
    if not style:
        return _PLAIN
    background = None
    patterned = False
    if "background" in style and (found := _BACKGROUND.search(style)):
        patterned = "url(" in found[1] or "gradient" in found[1]
        background = None if patterned else _first_colour(found[1])
    colour = _COLOUR.search(style) if "color:" in style else None
    font = _FONT.search(style) if "font" in style else None
    clipped = "overflow:hidden" in style and _CLIPPED.search(style) is not None
    return Role(
        gone=clipped or _GONE.search(style) is not None,
        tiny=_is_tiny(font[1], style[font.end(1) :]) if font else None,
        colour=_colour(colour[1]) if colour else None,
        background=background,
        patterned=patterned,
        kept=True if "white-space:pre" in style else None,
    )


def _is_tiny(size: str, unit: str) -> bool:
    return float(size) == 0 if unit.startswith(("em", "rem", "%")) else float(size) < 1.5


def _first_colour(value: str) -> Colour | None:
    return next((colour for word in value.split(" ")[:8] if (colour := _colour(word))), None)


def _colour(value: str) -> Colour | None:
    value = value.strip().lower()
    if value in _NAMED:
        return _NAMED[value]
    digits = value.removeprefix("#")
    if len(digits) in (3, 6) and all(c in "0123456789abcdef" for c in digits):
        if len(digits) == 3:
            digits = "".join(c * 2 for c in digits)
        return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:], 16)
    found = _RGB.match(value.replace(" ", ""))
    if found and (found[4] is None or found[4].strip("0.") != ""):
        return int(found[1]), int(found[2]), int(found[3])
    return None


def read_sheet(sheet: str) -> tuple[set[str], set[str]]:
    """The classes and ids that a style sheet hides on every screen, and those to which it gives a background.

    Rules inside @media hide for some screens only.
    """
    hidden: set[str] = set()
    painted: set[str] = set()
    open_rules: list[str] = []
    at = 0
    for found in _BRACE.finditer(sheet[:_SHEET]):
        before = sheet[at : found.start()].strip()
        at = found.end()
        if found[0] == "{":
            open_rules.append(before)
        elif open_rules:
            selector = open_rules.pop()[:2_000].lower()
            role = shown_as(_spaceless(before))
            if role.background or role.patterned:
                painted.update(_NAME.findall(selector))
            if (role.gone or role.tiny) and not open_rules:
                hidden.update(name for each in selector.split(",") if _ONE_NAME.match(name := each.strip()))
    return hidden, painted


_BRACE = re.compile(r"[{}]")
_NAME = re.compile(r"[.#][\w-]{1,60}")
_ONE_NAME = re.compile(r"[.#][\w-]{1,60}\Z")
