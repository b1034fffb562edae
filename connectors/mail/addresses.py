"""Address headers as mailboxes, as RFC 5322 has them and as mailers write them; pure, linear in any input.

What is odd about a header that says who wrote is told, since an identity that can be read in two ways is none.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from agent.model import Address
from connectors.mail.encoded import decoded
from connectors.text.plain import one_line

__all__ = ["LIMIT", "NOBODY", "Mailboxes", "mailboxes"]

LIMIT = 1_000
_SHORT = 300  # characters of a header that is remembered
_EMAIL = 320
_NAME = 500
_SIMPLE = re.compile(
    r"""\s*+(?:"([^"\\@<>]*+)"|([^"\\<>@(),:;]*+))\s*+"""
    r"""<([A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]++@[A-Za-z0-9.-]++)>\s*+(?:,|\Z)"""
)
_TOKEN = re.compile(
    r"""(?P<word>=\?[^?\s]{1,60}+\?[bBqQ]\?[^?\s]*+\?=)"""
    r"""|(?P<quoted>"(?:[^"\\]++|\\.?)*+"?)"""
    r"""|(?P<special>[()<>,;:])"""
    r"""|(?P<space>\s++)"""
    r"""|(?P<atom>(?:[^\s"()<>,;:=\\]++|=(?!\?)|\\.?|=)++|=)""",
    re.DOTALL,
)
_IN_COMMENT = re.compile(r"(?:[^()\\]++|\\.?)*+", re.DOTALL)
_ANGLE_END = re.compile("[<>]")
_AROUND_AT = re.compile(r"(?<!\s)\s?@\s?")
_HEADROOM = 2_000  # characters in which <> must end
_UNCLOSED = re.compile(r"""\"(?:[^"\\]++|\\.)*+\\?\Z""", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


class Mailboxes(NamedTuple):
    """The mailboxes of one kind of header, and what is odd about them."""

    found: tuple[Address, ...]
    oddities: tuple[str, ...] = ()


NOBODY = Mailboxes(())


def mailboxes(values: Sequence[str]) -> Mailboxes:
    """All mailboxes of these headers (already text, encoded words still encoded), each once, at most LIMIT."""
    if len(values) == 1 and len(values[0]) <= _SHORT:
        return _remembered(values[0])
    return _read_all(values) if values else NOBODY


def _read_all(values: Sequence[str]) -> Mailboxes:
    found: dict[Address, None] = {}
    oddities: dict[str, None] = {}
    for value in values:
        _read(value, found, oddities)
    if len(values) > 1 and len({address.email for address in found}) > 1:
        oddities["there are several such headers"] = None
    if len(found) >= LIMIT:
        oddities[f"only the first {LIMIT} addresses are kept"] = None
    return Mailboxes(tuple(found), tuple(oddities))


@lru_cache(maxsize=2048)
def _remembered(value: str) -> Mailboxes:
    """The same few people write and are written to, in letter after letter."""
    return _read_all((value,))


def _read(value: str, found: dict[Address, None], oddities: dict[str, None]) -> None:
    at = 0
    while len(found) < LIMIT and (simple := _SIMPLE.match(value, at)):
        quoted, phrase, email = simple.groups()
        _add(found, quoted or phrase or "", email, oddities)
        at = simple.end()
        if at >= len(value):
            return
    if len(found) < LIMIT and value[at:].strip(" ,;"):
        _Reader(value, found, oddities).read(at)


def _add(found: dict[Address, None], name: str, email: str, oddities: dict[str, None]) -> None:
    shown = one_line(decoded(name))[:_NAME] if name else ""
    if shown[:1] == "'" == shown[-1:]:
        shown = shown[1:-1].strip()
    seen = one_line(email)
    if seen != email:
        oddities["an address holds invisible characters"] = None
    if "=?" in seen or seen.count("@") > 1:
        oddities["an address can be read in two ways"] = None
    if shown or seen:
        found[Address(email=seen.lower()[:_EMAIL], name=shown)] = None


class _Reader:
    """Reads one header token by token; what has been read of the mailbox at hand is its state."""

    def __init__(self, value: str, found: dict[Address, None], oddities: dict[str, None]) -> None:
        self.value = value
        self.found = found
        self.oddities = oddities
        self.comments = self.quotes = True  # False once one was never closed: then its sign means nothing
        self._reset()

    def _reset(self) -> None:
        self.phrase: list[str] = []  # of the display name, or an address without <>
        self.has_at = False  # the phrase holds an address
        self.comment = ""
        self.angled: str | None = None  # what stands in <>

    def read(self, at: int) -> None:
        while at < len(self.value) and len(self.found) < LIMIT:
            token = _TOKEN.match(self.value, at)
            if token is None:  # a lone sign that begins nothing
                at += 1
            elif token.lastgroup == "special":
                at = self._special(token[0], token.end())
            elif token.lastgroup == "quoted":
                at = self._quoted(token[0], at)
            else:
                at = token.end()
                self._say(" " if token.lastgroup == "space" else token[0])
        self._end()

    def _say(self, text: str) -> None:
        self.phrase.append(text)
        self.has_at = self.has_at or "@" in text

    def _quoted(self, text: str, at: int) -> int:
        if not self.quotes:
            return at + 1
        if len(text) < 2 or not text.endswith('"') or (text.endswith('\\"') and _UNCLOSED.match(text)):
            self.quotes = False
            return at + 1
        at += len(text)
        if self.value.startswith("@", at):  # no name, but the local part of a bare address: "a b"@c
            self._say(text)
        else:
            self.phrase.append(_ESCAPED.sub(r"\1", text[1:-1]))
        return at

    def _special(self, sign: str, at: int) -> int:
        if sign == "(" and self.comments:
            return self._comment(at)
        if sign == "<":
            return self._angle(at)
        if sign == "," and self.phrase and not self.has_at and self.angled is None:
            self.phrase.append(", ")  # Petrov, Ivan <...> without quotes
        elif sign in ",;":
            self._end()
        elif sign == ":" and not self.has_at:  # the name of a group; its members follow
            if self.phrase:
                self.oddities["it names a group"] = None
            self._reset()
        elif sign in "()":
            self.phrase.append(sign)
        return at

    def _comment(self, start: int) -> int:
        depth, at = 1, start
        while depth:
            found = _IN_COMMENT.match(self.value, at)
            at = found.end() if found else at
            if at >= len(self.value):
                self.comments = False
                self.phrase.append("(")
                return start
            depth += 1 if self.value[at] == "(" else -1
            at += 1
        self.comment = self.comment or _ESCAPED.sub(r"\1", self.value[start : at - 1])
        return at

    def _angle(self, start: int) -> int:
        """What stands in <>; one that is never closed ends where the next mailbox begins."""
        stop = _ANGLE_END.search(self.value, start, start + _HEADROOM)
        end = stop.start() if stop else min(len(self.value), start + _HEADROOM)
        if stop is None or stop[0] == "<":
            comma = self.value.find(",", start, end)
            end = comma if comma >= 0 else end
        if self.angled is not None:  # <a@b> <c@d>: two mailboxes, whichever was meant
            self._end()
        self.angled = _address(self.value[start:end])
        if self.value.startswith("@", start):
            self.oddities["an address names the way to it"] = None
        return end + 1 if stop and stop[0] == ">" else end

    def _end(self) -> None:
        phrase = "".join(self.phrase).strip(" ,")
        if self.angled is not None:
            _add(self.found, phrase or self.comment, self.angled, self.oddities)
        elif self.has_at:
            _add_bare(self.found, phrase, self.comment, self.oddities)
        elif phrase:
            _add(self.found, phrase, "", self.oddities)
        self._reset()


def _address(inner: str) -> str:
    """The address in <>, without a source route (<@relay:a@b>), blanks and mailto:."""
    inner = "".join(inner.split())
    if inner.startswith("@"):
        inner = inner.rpartition(":")[2]
    inner = inner[7:] if inner[:7].lower() == "mailto:" else inner
    return inner if "@" in inner.strip("@") else ""


def _add_bare(found: dict[Address, None], phrase: str, comment: str, oddities: dict[str, None]) -> None:
    """Addresses without <>, and what stands beside them."""
    packed = _AROUND_AT.sub("@", phrase)
    words = [packed] if packed.startswith('"') else packed.split(" ")
    emails = [word for word in words if "@" in word.strip("@.,[]")]
    name = " ".join(word for word in words if word and word not in emails) if len(emails) < 2 else ""
    for email in emails[:LIMIT]:
        _add(found, name or comment, email.strip(".,[]'"), oddities)
    if not emails:
        _add(found, phrase, "", oddities)
