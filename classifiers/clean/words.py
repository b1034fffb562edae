"""The words that tell old text, signatures and footers, read once from `classifiers/data`."""

import re
import tomllib
from importlib.resources import files
from typing import Any


def _load(name: str) -> dict[str, Any]:
    """Folded as the texts are with which they are compared: "ß" is "ss" there."""
    return tomllib.loads((files("classifiers") / "data" / name).read_text("utf-8").casefold())


def _any_of(words: list[str]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


_WORD = re.compile(r"[^\W\d_]+")
_history = _load("history.toml")
_closings = _load("closings.toml")

WROTE = re.compile(
    rf"(?<!\w)(?:{_any_of(_history['wrote'])})(?!\w)|(?:{_any_of(_history['wrote_cjk'])})", re.IGNORECASE
)
STARTS = frozenset(word.split()[0] for word in _history["on"] + _history["weekdays"])
# a line that begins with a date, or with a preposition and a date
LEADS = re.compile(
    rf"[-\s]*(?:(?:{_any_of(_history['on'])})[ \xa0]+)?"
    rf"(?:\(?(?:{_any_of(_history['weekdays'])})[.,)]*[ \xa0]*(?:(?:den|le|el|em|the)[ \xa0])?)?"
    rf"(?:\d|(?:{_any_of(sorted(set(_history['months'])))})[^\W\d]*\.?[ \xa0]\d)|在",
    re.IGNORECASE,
)
DAY_MONTH = re.compile(
    rf"(?<!\w)\d{{1,2}}(?:st|nd|rd|th|\.|º|er)?[ \xa0](?:de )?(?:{_any_of(sorted(set(_history['months'])))})\w*"
    rf"|(?<!\w)(?:{_any_of(sorted(set(_history['months'])))})\w{{0,7}}\.?[ \xa0]\d{{1,2}}(?!\d)",
    re.IGNORECASE,
)
# ... in the middle of a line: "On Wed, Apr 4", "On 3 Feb", "Am Mittwoch, 4"
BEGINS_MIDWAY = re.compile(
    r"\s(?=(?:On|Le|Am|El|Il|Em|Op|Den|Dne|Dnia|W dniu)\s"
    r"(?:\d|[^\W\d]{2,10}[.,]{0,2}\s\d|[^\W\d]{2,10}[.,]{1,2}\s[^\W\d]{3,9}\.?\s\d))"
)

ORIGINAL = frozenset(_history["markers"]["original"])
FORWARDED = frozenset(_history["markers"]["forwarded"])
ANSWER_ABOVE = tuple(_history["markers"]["answer_above"])
FORWARD_ENDED = frozenset(_history["markers"]["ended"])
HANDING_OVER = tuple(_history["markers"]["handing_over"])
OVERRULING = tuple(_history["markers"]["overruling"])
SUBJECT_REPLY = frozenset(_history["markers"]["subject_reply"])
TELLING = frozenset(_history["telling"])
LABELS = {label: role for role, labels in _history["headers"].items() for label in labels}

SIGN_OFF = frozenset(_closings["sign_off"])
SIGN_OFF_PHRASES = tuple(sorted(word for word in SIGN_OFF if " " in word))
FORMAL = tuple(_closings["formal"])
WISHES = tuple(_closings["wishes"])
THANKS = frozenset(_closings["thanks"])
MOBILE_SENT = tuple(_closings["mobile"]["sent"])
MOBILE_GET = tuple(_closings["mobile"]["get"])
MOBILE_LINE = frozenset(_closings["mobile"]["line"])
MOBILE_FIRST = frozenset(word[:3] for word in (*MOBILE_SENT, *MOBILE_GET, *MOBILE_LINE))
PROGRAM = re.compile(rf"(?<![a-zа-яё])(?:{_any_of(_closings['mobile']['program'])})")
DEVICE = re.compile(rf"(?<![a-zа-яё])(?:{_any_of(_closings['mobile']['device'] + _closings['mobile']['program'])})")
BANNER = tuple(_closings["banner"]["phrase"])
BANNER_LINE = frozenset(_closings["banner"]["line"])
DISCLAIMER = (*_closings["disclaimer"]["strong"], *BANNER)
FOOTER = tuple(_closings["footer"]["strong"])
# the words that nearly every letter holds tell nothing of a notice in it
_COMMON = frozenset(_closings["common_words"])


def starts_of(text: str) -> set[str]:
    """How the words of a text begin: enough to see at once that a phrase cannot stand in it."""
    return {word[:6] for word in _WORD.findall(text.casefold())}


def _telling_start(phrase: str) -> str:
    words: list[str] = sorted(_WORD.findall(phrase), key=len, reverse=True)
    return next((word for word in words if word not in _COMMON), words[0])[:6]


NOTICE_STARTS = frozenset(map(_telling_start, (*DISCLAIMER, *FOOTER, *BANNER_LINE)))
