"""Encoded words and parameters of headers, as they should be (RFC 2047, RFC 2231) and as they come; pure, linear."""

import binascii
import re
from itertools import groupby
from operator import itemgetter
from urllib.parse import unquote_to_bytes

from connectors.text.charsets import decode
from connectors.text.plain import one_line

__all__ = ["decoded", "file_name", "parameters", "raw_text", "text_of"]

_WORDS = 2_000  # in one header
_ONE_PARAMETER = re.compile(r"""([!-:<-~]+); ?([A-Za-z-]+)=(?:"([^"\\]*)"|([!#-:<>-\[\]-~]+))""")
_PARAMETERS = 200
_NAME = 255
_B64_JUNK = re.compile(rb"[^A-Za-z0-9+/]")


def raw_text(value: bytes, charset: str = "") -> str:
    """A header's bytes as text; 8-bit ones are UTF-8, or what the body's label or their looks say."""
    return value.decode("ascii") if value.isascii() else decode(value, charset).text


def text_of(value: bytes, charset: str = "") -> str:
    """A header that is free text, decoded and fit to be kept."""
    return one_line(decoded(raw_text(value, charset)))


def decoded(text: str) -> str:
    """The text with its encoded words decoded. Neighbours of one charset are joined first: mailers cut characters."""
    if "=?" not in text:
        return text
    pieces: list[str] = []
    run: list[tuple[str, str, str]] = []
    at = 0
    for start, end, word in _encoded_words(text):
        between = text[at:start]
        if between and not (run and between.isspace()):
            pieces += (_joined(run), between)
            run = []
        run.append(word)
        at = end
    return "".join((*pieces, _joined(run), text[at:]))


def _encoded_words(text: str) -> list[tuple[int, int, tuple[str, str, str]]]:
    """Where encoded words stand: (start, end, (charset, encoding, content))."""
    found: list[tuple[int, int, tuple[str, str, str]]] = []
    at = text.find("=?")
    while at >= 0 and len(found) < _WORDS:
        mark = text.find("?", at + 2, at + 64)
        if mark < 0 or text[mark + 1 : mark + 3] not in ("b?", "B?", "q?", "Q?"):
            at = text.find("=?", at + 2)
            continue
        end = text.find("?=", mark + 3)
        if end < 0:
            break
        charset = text[at + 2 : mark].partition("*")[0]
        found.append((at, end + 2, (charset.lower(), text[mark + 1].lower(), text[mark + 3 : end])))
        at = text.find("=?", end + 2)
    return found


def _joined(run: list[tuple[str, str, str]]) -> str:
    """A run of words that touch, or are parted by white space only."""
    if len(run) == 1:
        charset, encoding, content = run[0]
        return decode(_from_b([content]) if encoding == "b" else _from_q(content), charset).text
    pieces: list[str] = []
    for charset, words in groupby(run, key=itemgetter(0)):
        data = b"".join(
            _from_b([word[2] for word in same]) if encoding == "b" else b"".join(_from_q(w[2]) for w in same)
            for encoding, same in groupby(words, key=itemgetter(1))
        )
        pieces.append(decode(data, charset).text)
    return "".join(pieces)


def _from_q(content: str) -> bytes:
    return binascii.a2b_qp(content.encode("utf-8", "replace"), header=True)


def _from_b(contents: list[str]) -> bytes:
    """Words end where base64 can end, with or without padding; or the mailer cut one long word at any place."""
    words = [_B64_JUNK.sub(b"", content.encode("ascii", "ignore")) for content in contents]
    if all(map(_is_whole, words[:-1])):
        return b"".join(map(_b64, words))
    return _b64(b"".join(words))


def _is_whole(word: bytes) -> bool:
    """Base64 that ends here leaves bits over, and they are zero."""
    over = len(word) % 4
    return over == 0 or (over == 2 and word[-1:] in b"AQgw") or (over == 3 and word[-1:] in b"AEIMQUYcgkosw048")


def _b64(data: bytes) -> bytes:
    data = data[:-1] if len(data) % 4 == 1 else data
    return binascii.a2b_base64(data + b"=" * (-len(data) % 4))


# -- parameters -----------------------------------------------------------------------------------------------------

_PARAMETER = re.compile(
    r"""[;\s]([A-Za-z0-9_.-]++(?:\*[0-9]*+)?\*?)\s*+=\s*+(?:"((?:[^"\\]++|\\.?)*+)"?|([^;]*+))""", re.DOTALL
)
_ESCAPED = re.compile(r'\\(["\\])')


def parameters(value: str) -> tuple[str, dict[str, str]]:
    """A header such as Content-Type, as its first word and its parameters; names and the word in lower case."""
    if usual := _ONE_PARAMETER.fullmatch(value):  # as it mostly is: a charset, a boundary
        main, name, quoted, bare = usual.groups()
        content = bare if quoted is None else quoted
        if "=?" not in content:
            return main.lower(), {name.lower(): content}
    word = value.split(";", 1)[0].split(None, 1)
    main = word[0].lower() if word else ""
    if "=" not in value:
        return main, {}
    simple: dict[str, str] = {}
    pieces: dict[str, dict[int, tuple[str, bool]]] = {}
    for count, found in enumerate(_PARAMETER.finditer(value)):
        if count >= _PARAMETERS:
            break
        name, quoted, bare = found.groups()
        content = _ESCAPED.sub(r"\1", quoted) if quoted is not None else bare.strip()
        base, star, rest = name.lower().partition("*")
        if not star:
            simple.setdefault(base, content)
            continue
        number = rest.rstrip("*")
        pieces.setdefault(base, {}).setdefault(int(number[:4] or 0), (content, not number or rest.endswith("*")))
    return main, {name: decoded(content) for name, content in simple.items()} | {
        name: _assembled(parts) for name, parts in pieces.items()
    }


def _assembled(parts: dict[int, tuple[str, bool]]) -> str:
    """A parameter in pieces. They are joined as bytes: mailers cut inside a character."""
    ordered = [parts[number] for number in sorted(parts)]
    charset = ""
    first, is_encoded = ordered[0]
    if is_encoded and first.count("'") >= 2:
        charset, _, first = first.split("'", 2)
        ordered[0] = (first, True)
    data = b"".join(
        unquote_to_bytes(content) if percent else content.encode("utf-8", "replace") for content, percent in ordered
    )
    return decoded(decode(data, charset).text)


def file_name(*candidates: str | None) -> str:
    """The first name there is, without folders and without anything that hides what kind of file it is."""
    for candidate in candidates:
        if candidate and (name := one_line(candidate.replace("\\", "/").rpartition("/")[2])):
            return name[:_NAME]
    return ""
