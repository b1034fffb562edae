"""The parts of a letter as what it says: its text with cuts, its attachments, its invitations; pure, bounded.

alternative   the plain text, unless it is a stub that only points to the HTML
mixed         every text in its order; files are attachments
enclosed      a letter in a letter: an attachment, and its text below the own one, marked as forwarded
shells        encrypted letters are named; what a signature, compression or winmail.dat encloses is read
"""

import hashlib
import re
from typing import NamedTuple

from agent.model import Attachment, Cut
from connectors.mail.contents import content_of, without_uuencoded
from connectors.mail.encoded import file_name, text_of
from connectors.mail.fields import Fields, read_fields
from connectors.mail.parts import Part, read_parts
from connectors.mail.smime import Kind, opened
from connectors.mail.tnef import Packed, unpacked
from connectors.text import html
from connectors.text.charsets import decode
from connectors.text.plain import flowed, one_line, paragraphs, visible

__all__ = ["ENCLOSED", "PACKED", "Bodies", "enclosed_name", "is_attached", "is_text", "read_bodies"]

LIMIT = 1_000_000  # characters of text
_LEVELS = 5  # letters in letters that are read
_HEAD = 500
_READ = 4_000_000  # bytes of one text part
_INVITATIONS, _INVITATION = 10, 200_000
_TEXTS = frozenset(
    (
        "text/plain",
        "text/html",
        "text/enriched",
        "text/richtext",
        "text/markdown",
        "text/x-markdown",
        "message/delivery-status",
        "message/disposition-notification",
        "message/feedback-report",
    )
)
_SIGNATURES = frozenset(
    (
        "application/pgp-signature",
        "application/pgp-encrypted",
        "application/pkcs7-signature",
        "application/x-pkcs7-signature",
    )
)
_TNEF = frozenset(("application/ms-tnef", "application/vnd.ms-tnef"))
_SHELLS = frozenset(("application/pkcs7-mime", "application/x-pkcs7-mime"))
PACKED = _TNEF | _SHELLS  # files whose content is read
ENCLOSED = frozenset(("message/rfc822", "message/global", "text/rfc822-headers"))
_STUB = re.compile(
    r"\bhtml\b|does not support|enable images|поддержива|формате? html|view (?:this|the) (?:e-?mail|message) in"
    r"|(?:текст|содержание) (?:письма|сообщения) в формате|просматрива|mime-совместим",
    re.IGNORECASE,
)
_STUB_LENGTH = 400
_IS_HTML = re.compile(
    r"\s{0,200}(?:<\?xml[^>]{0,200}>\s{0,50})?<(?:!doctype\s+html|html|head|body|div|table)\b", re.IGNORECASE
)
_ENRICHED = re.compile(r"<(/?[a-zA-Z][a-zA-Z-]{0,60})>")


_SHELL_PROBLEMS: dict[Kind, str] = {
    "signed": "the letter is signed in an opaque S/MIME shell: its text cannot be read",
    "compressed": "the letter is compressed in an S/MIME shell: its text cannot be read",
    "encrypted": "the letter is encrypted: its text cannot be read",
}


class Bodies(NamedTuple):
    """What the parts of a letter say."""

    text: str
    cuts: tuple[Cut, ...]
    attachments: tuple[Attachment, ...]
    invitations: tuple[str, ...]
    problems: dict[str, None]


class _Text(NamedTuple):
    """One stretch of text and its cuts."""

    text: str
    cuts: tuple[Cut, ...] = ()


def read_bodies(root: Part) -> Bodies:
    """What the letter says with all of its parts."""
    gathering = _Gathering()
    if root.content_type in _TEXTS and not root.children:
        gathering.take_text(root)
    else:
        gathering.take(root)
    gathering.take_packed_text()
    text, cuts = gathering.joined()
    return Bodies(
        text, cuts, tuple(gathering.attachments), tuple(dict.fromkeys(gathering.invitations)), gathering.problems
    )


class _Gathering:
    """Walks the tree, which is at most 50 deep, and keeps what it finds."""

    def __init__(self, level: int = 0) -> None:
        self.level = level  # how many letters stand around this one
        self.texts: list[_Text] = []
        self.enclosed: list[_Text] = []
        self.attachments: list[Attachment] = []
        self.invitations: list[str] = []
        self.problems: dict[str, None] = {}
        self.packed: list[Packed] = []  # winmail.dat
        self.shells = 0  # S/MIME shells that are open
        self._read: tuple[Part, _Text] | None = None  # the last text: one of two alternatives is looked at, then taken

    def joined(self) -> tuple[str, tuple[Cut, ...]]:
        pieces: list[str] = []
        cuts: list[Cut] = []
        length = 0
        for text, own_cuts in (*self.texts, *self.enclosed):
            if not text:
                continue
            if pieces:
                pieces.append("\n\n")
                length += 2
            if length + len(text) > LIMIT:
                self.problems["the text is longer than what is read of it"] = None
                text = text[: max(0, LIMIT - length)]
            pieces.append(text)
            cuts += (
                Cut(start=cut.start + length, end=min(cut.end, len(text)) + length, kind=cut.kind)
                for cut in own_cuts
                if cut.start < len(text)
            )
            length += len(text)
        return "".join(pieces), tuple(cuts)

    def take(self, part: Part) -> None:
        kind = part.content_type
        if kind in ENCLOSED:
            self._take_enclosed(part)
        elif kind.startswith("multipart/") and part.children:
            self._take_multipart(part)
        elif kind == "text/calendar" and self._is_invitation(part):
            self._take_invitation(part)
        elif is_text(part, bool(self.texts)) or (kind.startswith("multipart/") and not part.disposition):
            self.take_text(part)
        elif kind in _SHELLS:
            self._take_shell(part)
        elif kind not in _SIGNATURES:
            self._attach(part)

    def _take_multipart(self, part: Part) -> None:
        if part.content_type == "multipart/alternative":
            self._take_alternative(part)
            return
        if part.content_type == "multipart/encrypted":
            self.problems["the letter is encrypted: its text cannot be read"] = None
        for child in part.children:
            self.take(child)

    # -- texts

    def take_text(self, part: Part) -> None:
        text = self._text_of(part)
        if text.text:
            self.texts.append(text)

    def _text_of(self, part: Part) -> _Text:
        if self._read is None or self._read[0] is not part:
            self._read = part, self._read_text(part)
        return self._read[1]

    def _read_text(self, part: Part) -> _Text:
        data = content_of(part)
        if len(data) > _READ:
            self.problems["the text is longer than what is read of it"] = None
            data = data[: data.rfind(b"\n", 0, _READ) + 1] or data[:_READ]
        if part.content_type == "text/plain" and (data.startswith(b"begin ") or b"\nbegin " in data):
            data, files = without_uuencoded(data)
            self.attachments += (_attachment(file_name(text_of(n)), "application/octet-stream", c) for n, c in files)
        label = part.params.get("charset", "")
        if part.content_type == "text/html" and not label:
            label = html.charset_of(data)
        text, _, problem = decode(data, label)
        if problem:
            self.problems[problem] = None
        if part.content_type == "text/html" or _IS_HTML.match(text):
            return _Text(*html.to_text(text))
        if part.content_type in ("text/enriched", "text/richtext"):
            text = _ENRICHED.sub("", text.replace("<<", "<"))
        elif part.params.get("format", "").lower() == "flowed":
            text = flowed(text, part.params.get("delsp", "").lower() == "yes")
        if text.lstrip()[:27] == "-----BEGIN PGP MESSAGE-----":
            self.problems["the letter is encrypted: its text cannot be read"] = None
        return _Text(paragraphs(text))

    # -- alternatives

    def _take_alternative(self, part: Part) -> None:
        plain = next((child for child in part.children if _holds(child, "text/plain")), None)
        rich = next((child for child in reversed(part.children) if _holds(child, "text/html")), None)
        chosen = self._chosen(plain, rich) or next(
            (child for child in reversed(part.children) if child.content_type != "text/calendar"), None
        )
        for child in part.children:
            if child is chosen:
                self.take(child)
            else:
                self._take_files(child)

    def _chosen(self, plain: Part | None, rich: Part | None) -> Part | None:
        if plain is None or rich is None:
            return plain or rich
        if plain.children:
            return plain
        text = self._text_of(plain).text
        if len(text) > _STUB_LENGTH:
            return plain
        if not text or _STUB.search(text):
            return rich if _first(rich, "text/html") is not None else plain
        return plain

    def _take_files(self, part: Part) -> None:
        """The files of an alternative that is not read."""
        if part.children and part.content_type.startswith("multipart/"):
            for child in part.children:
                self._take_files(child)
        elif part.content_type == "text/calendar" or part.disposition == "attachment" or not _is_alternative(part):
            self.take(part)

    # -- what is not text

    def _is_invitation(self, part: Part) -> bool:
        if part.disposition != "attachment":
            return True
        method = part.params.get("method", "").lower()
        if not method:
            found = re.search(rb"^METHOD:([A-Za-z]{1,20})", content_of(part)[:_READ], re.MULTILINE | re.IGNORECASE)
            method = found[1].decode().lower() if found else ""
        return method not in ("", "publish")  # a calendar entry that somebody attached asks nothing

    def _take_invitation(self, part: Part) -> None:
        data = content_of(part)
        if len(data) > _INVITATION or len(self.invitations) >= _INVITATIONS:
            self.problems["an invitation is too long, or there are too many"] = None
            return
        self.invitations.append(visible(decode(data, part.params.get("charset", "")).text))

    def _take_shell(self, part: Part) -> None:
        """An S/MIME shell is a file, and what it holds without a key is the letter."""
        self._attach(part)
        shell = opened(content_of(part))
        kind = shell.kind if shell.kind != "unknown" else _told_kind(part)
        if not shell.content or self.shells >= _LEVELS:
            self.problems[_SHELL_PROBLEMS[kind]] = None
            return
        self.shells += 1
        self.take(read_parts(shell.content).root)
        self.shells -= 1

    def _attach(self, part: Part) -> None:
        content = content_of(part)
        self.attachments.append(_attachment(part.name, part.content_type, content))
        if part.content_type == "message/partial":
            self.problems["the letter is one piece of a larger one that was sent in pieces"] = None
        if part.content_type in _TNEF or part.name.lower() == "winmail.dat":
            self._unpack(content)

    def _unpack(self, content: bytes) -> None:
        packed = unpacked(content)
        if packed is None:
            self.problems["winmail.dat: what Outlook packed into it cannot be read"] = None
            return
        self.problems["the letter came packed in winmail.dat, as Outlook does"] = None
        if not packed.whole:
            self.problems["winmail.dat is broken: there may be more in it"] = None
        self.attachments += packed.files
        self.packed.append(packed)

    def take_packed_text(self) -> None:
        """The text of a winmail.dat is another form of the letter's own, if it has one."""
        for packed in self.packed if not any(text.text for text in self.texts) else ():
            text, _, _ = decode(packed.text, packed.charset)
            self.texts.append(_Text(*html.to_text(text)) if packed.is_html else _Text(paragraphs(text)))

    def _take_enclosed(self, part: Part) -> None:
        """A letter in the letter; its own files are its own."""
        data, top = part.body, part.children[0] if part.children else None
        if top is None and self.level < _LEVELS and part.encoding:  # it came encoded as a whole
            data = content_of(part)
            top = read_parts(data.replace(b"\r\n", b"\n")).root
        fields = top.fields if top else read_fields(data, 0, len(data))
        if part.content_type != "text/rfc822-headers":
            self.attachments.append(_attachment(enclosed_name(part, fields), part.content_type, data))
        if self.level >= _LEVELS:
            return
        inner = _Gathering(self.level + 1)
        if top:
            inner.take(top)
        inner.take_packed_text()
        text = "\n\n".join(filter(None, (_head_of(fields), inner.joined()[0])))
        if text:
            self.enclosed.append(_Text(text, (Cut(start=0, end=len(text), kind="forwarded"),)))
        self.problems |= inner.problems


def is_text(part: Part, has_text: bool) -> bool:
    """A text with a name is a file, unless nothing but it can be the letter's own text."""
    if part.content_type not in _TEXTS or part.disposition == "attachment":
        return False
    return not part.name or not has_text


def is_attached(part: Part) -> bool:
    """Not the text, and no signature: whatever has no parts ends among the attachments."""
    is_file = part.disposition == "attachment" or bool(part.name) or not _is_alternative(part)
    return is_file and part.content_type not in _SIGNATURES


def _told_kind(part: Part) -> Kind:
    """The kind of a shell that cannot be read, as its header has it."""
    told = part.params.get("smime-type", "").lower()
    return "signed" if told.startswith("signed") else "compressed" if told.startswith("compressed") else "encrypted"


def enclosed_name(part: Part, fields: Fields) -> str:
    """The file's name of a letter in the letter."""
    subject = text_of(fields.first("subject"))
    return part.name or (file_name(f"{subject.replace('/', '-')[:200]}.eml") if subject else "")


def _head_of(fields: Fields) -> str:
    """What a mail program shows above an enclosed letter."""
    shown = ((name, text_of(fields.first(name.lower()))) for name in ("From", "Date", "To", "Subject"))
    return "\n".join(f"{name}: {value[:_HEAD]}" for name, value in shown if value)


def _attachment(name: str, content_type: str, content: bytes) -> Attachment:
    return Attachment(
        name=name,
        content_type=one_line(content_type)[:100],
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )


def _first(part: Part, content_type: str) -> Part | None:
    if part.content_type == content_type and part.disposition != "attachment":
        return part
    if part.content_type.startswith("multipart/"):
        for child in part.children:
            if found := _first(child, content_type):
                return found
    return None


def _holds(part: Part, content_type: str) -> bool:
    return _first(part, content_type) is not None


def _is_alternative(part: Part) -> bool:
    """Another form of the text that is read, and no file."""
    return part.content_type in _TEXTS or part.content_type in ("text/x-amp-html", "text/watch-html", "text/rtf")
