"""Who signs a letter: name, title, telephones and company from the signature's lines, each with its place.

lines of the signature -> what each can be -> the name, and what stands beside it

In doubt a field is left out: a wrong title in the CRM is worse than none. Pure and linear; raises on no text.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from importlib.resources import files
from typing import Literal

import msgspec
import phonenumbers
from phonenumbers import Leniency, PhoneNumberMatcher

from agent.model import Cut
from classifiers.clean.closings import is_sign_off

__all__ = ["Field", "FieldName", "signature"]

FieldName = Literal["name", "title", "phone", "company"]

_LINES = 20  # of one signature; what stands below is a disclaimer
_WIDTH = 160  # characters of one line
_PHONES = 5
_WORD = re.compile(r"[^\W\d_]+(?:['’.-][^\W\d_]+)*\.?")
_PART = re.compile(r"\s{0,20}[|•·/—–]\s{0,20}|,\s{1,20}|\s{1,20}-\s{1,20}|\s{2,20}|\t")
_LABEL = re.compile(
    r"(?:tel|phone|mob|cell|office|direct|fax|тел|моб|факс|раб|сот)\w{0,8}\.?\s{0,3}:?\s{0,3}\Z", re.IGNORECASE
)
_HOST = re.compile(r"https?://|www\.|@", re.IGNORECASE)
_LEGAL_ENDS = frozenset(
    "ltd limited inc llc llp plc corp corporation gmbh ag kg oy ab as sa sarl bv nv srl spa oü co".split()
)
_LEGAL_STARTS = frozenset("ооо оао зао пао ао ип тоо нпо нпп гк фгуп гуп".split())
_QUOTES = "«»\"“”„'"
_FREE = frozenset(
    "gmail googlemail mail yandex ya outlook hotmail live icloud yahoo bk list inbox rambler gmx proton".split()
)
_NO_PHONE = frozenset("f fax факс ф инн кпп огрн огрнип бик рс р с кс окпо vat id no order reg account iban".split())
_PARTICLES = frozenset("van von de der den di da la le bin al el du dos".split())
_PATRONYMIC = ("вич", "вна", "чна", "оглы", "кызы")


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a signature says: text[start:end] == quote."""

    name: FieldName
    value: str  # as it is kept: a telephone in E.164, all else with single spaces
    quote: str
    start: int
    end: int


class _Line(msgspec.Struct, frozen=True):
    """A stretch of one line, and the number of its line."""

    text: str
    start: int
    number: int


def signature(text: str, cuts: Sequence[Cut], sender: str = "", sender_name: str = "") -> tuple[Field, ...]:
    """The fields of the signature that `cuts` mark (those of `classifiers.read`), in the order of the text."""
    cut = next((cut for cut in cuts if cut.kind == "signature" and 0 <= cut.start < cut.end <= len(text)), None)
    if cut is None:
        return ()
    lines = list(_lines(text, cut))
    phones = list(_phones(lines, _regions(sender, text[cut.start : cut.end])))
    parts = [part for line in lines for part in _parts(line) if not _is_taken(part, phones)]
    name = _name(parts, sender_name, sender)
    rest = [part for part in parts if name is None or part.start != name.start]
    title = _title(rest)
    company = _company([part for part in rest if title is None or part.start != title.start], sender)
    named: tuple[tuple[FieldName, _Line | None], ...] = (("name", name), ("title", title), ("company", company))
    found = [_field(kind, part) for kind, part in named if part is not None]
    return tuple(sorted((*found, *phones), key=lambda field: field.start))


def _field(name: FieldName, part: _Line) -> Field:
    value = " ".join(part.text.split())
    return Field(name=name, value=value, quote=part.text, start=part.start, end=part.start + len(part.text))


# -- lines ----------------------------------------------------------------------------------------------------------


def _lines(text: str, cut: Cut) -> Iterator[_Line]:
    """The lines that say something, without the closing words over them."""
    at = cut.start
    kept = 0
    for number, line in enumerate(text[cut.start : min(cut.end, cut.start + _LINES * _WIDTH)].split("\n")):
        said = line[:_WIDTH].strip()
        if said and any(char.isalnum() for char in said):
            start = at + line.index(said)
            kept += 1
            if kept > _LINES:
                return
            if not is_sign_off(said):
                yield _Line(said, start, number)
            elif "," in said:  # "Best regards, Vera Pole"
                after = said.index(",") + 1
                rest = said[after:].strip(" .,!")
                if rest:
                    yield _Line(rest, start + said.index(rest, after), number)
        at += len(line) + 1


def _parts(line: _Line) -> Iterator[_Line]:
    """ "Vera Pole | Buyer | Harbour Foods" is three parts."""
    at = 0
    for found in _PART.finditer(line.text):
        # "Harbour Foods, Ltd." is one
        if found[0].startswith(",") and _bare(line.text[found.end() :].split(" ")[0]) in _LEGAL_ENDS:
            continue
        yield from _trimmed(line, at, found.start())
        at = found.end()
    yield from _trimmed(line, at, len(line.text))


def _trimmed(line: _Line, start: int, end: int) -> Iterator[_Line]:
    piece = line.text[start:end]
    said = piece.strip(" *_,;:-–—|>()\t")
    if said:
        yield _Line(said, line.start + start + piece.index(said), line.number)


def _bare(word: str) -> str:
    return word.strip(".,;:()" + _QUOTES).casefold()


# -- telephones -----------------------------------------------------------------------------------------------------


def _regions(sender: str, text: str) -> list[str]:
    """The countries in which a number without a country's code may be; of a domain of no country, North America."""
    last = sender.rpartition(".")[2].casefold()
    regions = []
    if last in ("ru", "su", "рф", "xn--p1ai") or any("а" <= char <= "я" for char in text[:2_000].lower()):
        regions.append("RU")
    if last == "uk":
        regions.append("GB")
    elif len(last) == 2 and last.upper() in phonenumbers.SUPPORTED_REGIONS:
        regions.append(last.upper())
    return list(dict.fromkeys(regions))[:2] or ["US"]


def _phones(lines: Iterable[_Line], regions: Sequence[str]) -> Iterator[Field]:
    seen: set[str] = set()
    for line in lines:
        if sum(char.isdigit() for char in line.text) < 7:
            continue
        for region in regions:
            matches = PhoneNumberMatcher(line.text, region, leniency=Leniency.VALID, max_tries=20)
            found = [(m, phonenumbers.format_number(m.number, phonenumbers.PhoneNumberFormat.E164)) for m in matches]
            for match, value in found:
                if value not in seen and not _is_other(line.text, match.start) and len(seen) < _PHONES:
                    seen.add(value)
                    at = line.start + match.start
                    yield Field(
                        name="phone",
                        value=_with_extension(value, match.number),
                        quote=match.raw_string,
                        start=at,
                        end=at + len(match.raw_string),
                    )
            if found:
                break


def _with_extension(value: str, number: phonenumbers.PhoneNumber) -> str:
    return f"{value};ext={number.extension}" if number.extension else value


def _is_other(text: str, at: int) -> bool:
    """The words in front say that it is a fax, or no telephone at all."""
    before = _words(text[max(0, at - 20) : at])
    return bool(before) and before[-1] in _NO_PHONE


def _is_taken(part: _Line, phones: Sequence[Field]) -> bool:
    """It is a number, an address or a site, or what stands in front of one."""
    end = part.start + len(part.text)
    if any(phone.start < end and part.start < phone.end for phone in phones):
        return True
    return _HOST.search(part.text) is not None or _LABEL.fullmatch(part.text) is not None


# -- name -----------------------------------------------------------------------------------------------------------


def _name(parts: Sequence[_Line], sender_name: str, sender: str) -> _Line | None:
    """The part that the sender's own name or address knows; else the first that looks like a name."""
    known = {word for word in _words(sender_name) if len(word) > 1}
    known |= {word for word in re.split(r"[^\w]|_", sender.partition("@")[0].casefold()) if len(word) > 2}
    likely = [part for part in parts if _is_name(part.text)]
    for part in likely:
        if known & set(_words(part.text)):
            return part
    first = parts[0].number if parts else 0
    return next((part for part in likely if part.number <= first + 1 or _has_patronymic(part.text)), None)


def _has_patronymic(text: str) -> bool:
    return len(text.split()) >= 3 and any(word.endswith(_PATRONYMIC) for word in _words(text))


def _words(text: str) -> list[str]:
    return [word.rstrip(".").casefold() for word in _WORD.findall(text[:_WIDTH])]


def _is_name(text: str) -> bool:
    words = text.split()
    if not 1 <= len(words) <= 5 or len(text) > 60 or any(char.isdigit() for char in text):
        return False
    if any(_bare(word) in _LEGAL_ENDS | _LEGAL_STARTS for word in words) or _says_title(text):
        return False
    return all(_WORD.fullmatch(word.strip(",()")) for word in words) and all(
        word[0].isupper() or word[0] == "(" or word in _PARTICLES for word in words
    )


# -- title and company ----------------------------------------------------------------------------------------------


@cache
def _vocabulary() -> dict[str, frozenset[str]]:
    table = tomllib.loads((files("classifiers") / "data" / "signatures.toml").read_text("utf-8"))
    return {name: frozenset(words.split()) for name, words in table.items()}


def _says_title(text: str) -> bool:
    words = [piece for word in _words(text) for piece in (word, *word.split("-"))]
    titles, starts = _vocabulary()["titles"], tuple(_vocabulary()["title_starts"])
    return any(word in titles or word.startswith(starts) for word in words)


def _says_company(text: str) -> bool:
    words = [_bare(word) for word in text.split()]
    if not words:
        return False
    return words[-1] in _LEGAL_ENDS or words[0] in _LEGAL_STARTS or words[0] in _vocabulary()["company_starts"]


def _title(parts: Sequence[_Line]) -> _Line | None:
    """The first part with a word of an office; one that is a company's ("ООО Директор") is none."""
    for part in parts:
        short = len(part.text) <= 100 and len(part.text.split()) <= 10 and not part.text.endswith((".", "!", "?"))
        if short and _says_title(part.text) and not _says_company(part.text):
            return part
    return None


def _company(parts: Sequence[_Line], sender: str) -> _Line | None:
    """A part with a legal form, or one that the sender's domain knows."""
    short = [part for part in parts if len(part.text) <= 80 and len(part.text.split()) <= 8]
    for part in short:
        if _says_company(part.text):
            return part
    labels = sender.rpartition("@")[2].casefold().split(".")[:-1]
    own = {label for label in labels if len(label) > 2 and label not in _FREE}
    for part in short:
        words = _words(part.text)
        joined = {"".join(words), "-".join(words), *(word for word in words if len(word) > 3)}
        if own & joined and any(char.isupper() for char in part.text):
            return part
    return None
