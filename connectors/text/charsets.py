"""Bytes to text, whatever the label says: a wrong or missing label is repaired when the bytes are clear evidence.

label       what the letter claims, often misspelt, sometimes wrong
codec_of    the codec that is meant, of those that decode in linear time
decode      the label is believed unless the bytes speak clearly against it
guess       which 8-bit code it is, by the letters and their neighbours
"""

import codecs
import re
from contextlib import suppress
from encodings.aliases import aliases
from functools import lru_cache
from typing import NamedTuple

__all__ = ["Decoded", "codec_of", "decode", "guess"]


class Decoded(NamedTuple):
    """Text, the codec that gave it, and what was odd about its label."""

    text: str
    codec: str
    problem: str = ""


_NOT_TEXT = frozenset(
    "base64_codec bz2_codec hex_codec quopri_codec rot_13 uu_codec zlib_codec mbcs idna punycode".split()
)
_WIDER = {  # what mail means by a name is what Windows made of it
    "ascii": "cp1252",
    "latin_1": "cp1252",
    "iso8859_9": "cp1254",
    "iso8859_11": "cp874",
    "tis_620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "big5": "cp950",
}
_MISSPELT = {
    "utf": "utf_8",
    "utf8mb4": "utf_8",
    "unicode11utf8": "utf_8",
    "win1251": "cp1251",
    "cpwin1251": "cp1251",
    "ansi1251": "cp1251",
    "msansicyrl": "cp1251",
    "cyrillicwindows1251": "cp1251",
    "win1252": "cp1252",
    "win1250": "cp1250",
    "koi8": "koi8_r",
    "koi": "koi8_r",
    "koi8ru": "koi8_u",
    "koi8u": "koi8_u",
    "cp874": "cp874",
    "cp737": "cp737",
    "dos866": "cp866",
    "ibm866nav": "cp866",
    "maccyr": "mac_cyrillic",
    "macukrainian": "mac_cyrillic",
    "ksc5601": "cp949",
    "ksc56011987": "cp949",
    "ksc56011989": "cp949",
    "windows949": "cp949",
    "windows936": "gb18030",
    "gb231280": "gb18030",
    "windows31j": "cp932",
    "xsjis": "cp932",
    "iso88598i": "iso8859_8",
    "iso88596i": "iso8859_6",
    "windows874": "cp874",
    "usascii": "cp1252",
}
_NO_ASCII_INSIDE = frozenset({"utf_16", "utf_16_le", "utf_16_be", "utf_32", "utf_32_le", "utf_32_be"})
_STATEFUL = re.compile(r"iso2022|hz\Z|utf_7")
_CYRILLIC = ("cp1251", "koi8_r", "iso8859_5", "cp866", "mac_cyrillic")
_PRIOR = {"cp1251": 0.12, "koi8_r": 0.08, "koi8_u": 0.06, "iso8859_5": -0.05, "cp866": -0.05, "mac_cyrillic": -0.03}
_MULTIBYTE = frozenset({"gb18030", "cp932", "cp949", "cp950", "big5hkscs", "euc_jp", "johab", "shift_jis_2004"})
_WESTERN = frozenset({"cp1252", "iso8859_15", "cp1254", "cp1250", "iso8859_2", "iso8859_4", "cp1257"})
_NOT_IN_LABELS = re.compile(r"[^A-Za-z0-9_.:-]+")
_SAMPLE = 600
_GOOD = 0.45  # Cyrillic text that is read rightly scores above, read wrongly far below


def _plain(label: str) -> str:
    return "".join(c for c in label[:60].lower() if c.isalnum() and c.isascii())


def _known() -> dict[str, str]:
    names = {**{name: name for name in aliases.values()}, **aliases}
    table = {_plain(name): _WIDER.get(codec, codec) for name, codec in names.items() if codec not in _NOT_TEXT}
    return table | _MISSPELT


_KNOWN = _known()


@lru_cache(maxsize=256)
def codec_of(label: str) -> str | None:
    """The codec that a charset label means; None when it means none."""
    word = label.strip(" \"'").split(";")[0].split(",")[0]
    name = _plain(word.rpartition("charset=")[2].split(" ")[0])
    return _KNOWN.get(name) or _KNOWN.get(name.removeprefix("x"))


def decode(data: bytes, label: str = "") -> Decoded:
    """The text of `data`; characters that cannot be read become U+FFFD. Never raises, and is linear."""
    codec = codec_of(label) if label else None
    if data.isascii() and not (codec and (codec in _NO_ASCII_INSIDE or _STATEFUL.match(codec))):
        return _of_ascii(data)
    if marked := _by_mark(data):
        return marked
    if codec in _NO_ASCII_INSIDE:
        return _wide(data, codec, label)
    if codec and _STATEFUL.match(codec):
        return Decoded(_read(data, codec), codec)
    if codec is None and _looks_wide(data):
        return _wide(data, "utf_16", label)
    return _eight_bit(data, codec, label)


def guess(data: bytes) -> Decoded:
    """8-bit text without a label, by what its letters look like."""
    best, score = _best_cyrillic(data)
    western = _western_score(data)
    if score > western and score >= (_GOOD if western > 0 else 0.2):
        return Decoded(_read(data, best), best)
    if western < 0 and score < 0 and (other := _by_statistics(data)):
        return other
    return Decoded(_read(data, "cp1252"), "cp1252")


# -- steps ----------------------------------------------------------------------------------------------------------


def _of_ascii(data: bytes) -> Decoded:
    if _looks_wide(data):
        return _wide(data, "utf_16", "")
    if b"\x1b$" in data:  # Japanese of the seven-bit days, which is told by its escapes
        return Decoded(_read(data, "iso2022_jp_2"), "iso2022_jp_2")
    return Decoded(data.decode("ascii"), "ascii")


def _looks_wide(data: bytes) -> bool:
    """Every other byte is 0, or 4 where the letters are Cyrillic."""
    return len(data) > 3 and (data.count(0) + data.count(4)) * 3 > len(data)


def _by_mark(data: bytes) -> Decoded | None:
    if data.startswith(codecs.BOM_UTF8):
        return Decoded(_read(data, "utf_8_sig"), "utf_8")
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) and len(data) > 3:
        return Decoded(_read(data, "utf_16"), "utf_16")
    return None


def _wide(data: bytes, codec: str, label: str) -> Decoded:
    """UTF-16 and UTF-32; often the label is all that is wide about it."""
    if codec.startswith("utf_16") and not data.count(0) and not data.count(4):
        told = decode(data)
        return Decoded(told.text, told.codec, _wrong(label, codec, told.codec))
    if codec == "utf_16":
        zeros = (data[0::2].count(0) + data[0::2].count(4), data[1::2].count(0) + data[1::2].count(4))
        codec = "utf_16_be" if zeros[0] > zeros[1] else "utf_16_le"
    return Decoded(_read(data, codec), codec)


def _eight_bit(data: bytes, codec: str | None, label: str) -> Decoded:
    text = _strict(data, "utf_8")
    if text is not None and _believes_utf8(text, codec):
        return Decoded(_unmangled(text), "utf_8", _wrong(label, codec, "utf_8"))
    if codec is None or codec == "utf_8":
        return _broken_utf8(data, codec, label)
    if _in_doubt(data, codec):
        best, score = _best_cyrillic(data)
        if score >= _GOOD and score > _score(data, codec) + 0.35:
            return Decoded(_read(data, best), best, _wrong(label, codec, best))
    if codec in _MULTIBYTE and _strict(data, codec) is None:
        best, score = _best_cyrillic(data)
        if score >= _GOOD:
            return Decoded(_read(data, best), best, _wrong(label, codec, best))
    return Decoded(_read(data, codec), codec)


def _believes_utf8(text: str, codec: str | None) -> bool:
    """Bytes that happen to be valid UTF-8 are that, unless they are very few and their label reads well."""
    if codec in (None, "utf_8", "cp1252"):
        return True
    beyond = len(text) - len(text.encode("ascii", "ignore"))
    return beyond >= (4 if codec in _MULTIBYTE else 3)


def _broken_utf8(data: bytes, codec: str | None, label: str) -> Decoded:
    """Not valid UTF-8: UTF-8 with a few broken characters, or something else altogether."""
    text = data.decode("utf_8", "replace")
    broken = text.count("\ufffd")
    whole = len(text) - broken - len(text.encode("ascii", "ignore"))
    if whole > 2 * broken:
        return Decoded(text, "utf_8", "some characters of the text are broken")
    told = guess(data)
    return Decoded(told.text, told.codec, _wrong(label, codec, told.codec))


def _wrong(label: str, codec: str | None, found: str) -> str:
    if codec == found or (codec == "cp1252" and found == "utf_8" and _plain(label) == "usascii"):
        return ""
    return f"text labelled {_NOT_IN_LABELS.sub('', label)[:40]} is {found.replace('_', '-')}" if label else ""


def _strict(data: bytes, codec: str) -> str | None:
    try:
        return data.decode(codec)
    except ValueError:
        return None


def _read(data: bytes, codec: str) -> str:
    return data.decode(codec, "replace")


def _unmangled(text: str) -> str:
    """UTF-8 that somebody took for Western text and encoded once more ("Ð¿Ñ€"), back to what it was."""
    telling = text.count("Ð") + text.count("Ñ")
    if not telling or telling * 3 < len(text) - len(text.encode("ascii", "ignore")):
        return text
    for codec in ("cp1252", "latin_1"):
        with suppress(ValueError):
            return text.encode(codec).decode("utf_8")
    return text


# -- which 8-bit code -----------------------------------------------------------------------------------------------

_WEIGHT = (
    dict.fromkeys("оеаинтсрвлкмдпу", 1.0)
    | dict.fromkeys("яыьгзбчй", 0.6)
    | dict.fromkeys("хжшюцщэіїє", 0.2)
    | dict.fromkeys("фъґў", 0.0)
)
_PAIRS = frozenset(
    """
    сч ст но то на ен ов ни ра во ко ро ос ер по го ал ли пр ка не от ре та ль ат ол ор ом ан од ва ел те ет ть ло
    ве ес ит де ла ск да за ны ой ый ие ия ки ив им ин ис ил из ак ам ав аз ас ар бо бы бу вс вы вн ви ги гл гр ди
    до др ду ег ед ее ей ем ещ же жи жн зн зд зв их ич кл кт кр ку лу ля лю ма ме ми мо мы му ну ня нн об ог ож оз
    ок он оп оч па пе пи пл ри рт ру ры ря сл см со сп се си су сь ся тв ти тн тр ту ты ул ум ур ус ут уч уд хо хо
    це че чт чи ше ши эт яв яз ят ая яс ех ую ые ый юд ют ящ щи ще ща нт нд рж рг рн рм рк зо за зы зк бл бе ба би
    бр об ук уж уе ай ее ею
    """.split()
)
_RUSSIAN_MARKS = frozenset("\xa0«»—–…№“”„’‘•™©®°§€·")
_ENDS = frozenset("“”„’‘•™®·–…")  # a Russian word does not begin right after these, in lower case
_LETTERS = frozenset("абвгдеёжзийклмнопрстуфхцчшщъыьэюяіїєґў")
_WESTERN_LETTERS = frozenset("éèêëàâäáãåæçíìîïñóòôöõøúùûüßÿœšžý")
_WESTERN_MARKS = frozenset("\xa0‘’“”–—…•€£°§«»©®™´·²³½¿¡")
_RUN = re.compile(rb"[\x80-\x9f\xa1-\xff]{4}")


def _sample(data: bytes) -> bytes:
    """The stretch of the text where its foreign letters begin."""
    first = next((found.start() for found in re.finditer(rb"[\x80-\xff]", data)), 0)
    return data[max(0, first - 20) : first + _SAMPLE]


def _best_cyrillic(data: bytes) -> tuple[str, float]:
    sample = _sample(data)
    scores = {codec: _score(sample, codec) for codec in _CYRILLIC}
    best = max(scores, key=lambda codec: scores[codec])
    return best, scores[best]


def _score(data: bytes, codec: str) -> float:
    """How much a text looks Russian when it is read in this code; about 1 for Russian, below 0 for nonsense."""
    text = _sample(data).decode(codec, "replace")
    total, seen, before, was_upper = 0.0, 0, "", False
    for char in text:
        lower = "е" if char in "ёЁ" else char.lower()
        if lower in _LETTERS:
            seen += 1
            upper = char.isupper()
            total += _WEIGHT.get(lower, 0.3) * 0.6
            if before in _LETTERS:
                total += 0.6 if before + lower in _PAIRS else -0.3
                total -= 1.5 if upper and not was_upper else 0.0
            elif (before.isalpha() and before.isascii()) or (before in _ENDS and not upper):
                total -= 0.8
            before, was_upper = lower, upper
            continue
        if char > "\x7f":
            seen += 1
            total -= 0.0 if char in _RUSSIAN_MARKS else 3.0 if "\u0400" <= char <= "\u04ff" else 1.5
        elif before in _LETTERS and char.isalpha():
            total -= 0.8
        before, was_upper = char, False
    return total / seen + _PRIOR.get(codec, 0.0) if seen else 0.0


def _western_score(data: bytes) -> float:
    text = _sample(data).decode("cp1252", "replace")
    total, seen, before = 0.0, 0, ""
    for char in text:
        if char > "\x7f":
            seen += 1
            if char.lower() in _WESTERN_LETTERS:
                total += 0.6 if char == char.lower() or not before.isalpha() else -0.2
                total -= 0.9 if before > "\x7f" and before.isalpha() else 0.0
            else:
                total += 0.4 if char in _WESTERN_MARKS else -0.8
        before = char
    return total / seen if seen else 0.0


@lru_cache(maxsize=8)
def _classes(codec: str) -> bytes:
    """Each byte's class in a Cyrillic code: l and U for letters, ? for what no Russian text has, a dot for the rest."""
    table = bytearray(b"." * 256)
    for byte in range(0x80, 0x100):
        char = bytes([byte]).decode(codec, "replace")
        if char.lower() in _LETTERS:
            table[byte] = ord("l") if char == char.lower() else ord("U")
        elif char not in _RUSSIAN_MARKS:
            table[byte] = ord("?")
    return bytes(table)


def _in_doubt(data: bytes, codec: str) -> bool:
    """A cheap look for signs that the label is wrong, before the costly one."""
    if codec in _WESTERN:
        return _RUN.search(data) is not None
    if codec not in _PRIOR:
        return False
    seen = data.translate(_classes(codec))
    lower, upper, odd = seen.count(b"l"), seen.count(b"U"), seen.count(b"?")
    return upper > lower or odd * 10 > lower + upper or seen.count(b"lU") * 30 > lower + upper


def _by_statistics(data: bytes) -> Decoded | None:
    """For the scripts that are neither Cyrillic nor Western: slow, so the very last resort and on a sample only."""
    import charset_normalizer  # here, because hardly any letter needs it and it takes long to import

    found = charset_normalizer.from_bytes(_sample(data), cp_exclusion=["utf_7"]).best()
    codec = codec_of(found.encoding) if found else None
    return Decoded(_read(data, codec), codec) if codec and codec not in _NO_ASCII_INSIDE else None
