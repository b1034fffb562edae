"""Bytes to Message, for all of the world's mail: pure, never raises, linear in whatever a sender writes.

bytes -> parts (parts) -> text, attachments, invitations (bodies)
      -> header fields (fields) -> words, addresses, dates (encoded, addresses, dates)
      -> Message
"""

import hashlib
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import accumulate, pairwise

from agent.model import Attachment, Message
from connectors.mail.addresses import NOBODY, Mailboxes, mailboxes
from connectors.mail.bodies import read_bodies
from connectors.mail.dates import EPOCH, moment
from connectors.mail.encoded import raw_text, text_of
from connectors.mail.fields import BLOCK, Fields
from connectors.mail.parts import Part, read_parts
from connectors.text.plain import one_line

__all__ = ["UNSURE_SENDER", "message_key", "parse"]

UNSURE_SENDER = "From: "  # how a problem begins that makes the sender's identity doubtful

_SUBJECT = 2_000
_ID = 500
_REFERENCES = 100  # the first ten, which begin the thread, and the last ones
_RESULTS, _RESULT = 50, 8_000
_SIGNAL, _SIGNALS = 500, 60
_RECIPIENTS = 20
_FAR = timedelta(days=2)
_TRACE = re.compile(rb"(?im)^(received|authentication-results)[ \t]*+:")
_IDENTITY = re.compile(r"<([^<>]{1,2000})>")
_SIGNAL_NAMES = frozenset(
    """auto-submitted precedence list-id list-unsubscribe list-unsubscribe-post list-post x-auto-response-suppress
    x-autoreply x-autorespond x-autoresponder x-auto-reply x-autoreply-from x-vacation x-mail-autoreply
    x-failed-recipients return-path feedback-id x-mailer user-agent x-sg-eid x-sg-id x-mc-user x-csa-complaints
    x-mailer-lid x-mandrill-user x-mailer-recptid x-ses-outgoing x-mj-mid x-pm-message-id x-report-abuse x-loop
    content-class thread-topic x-spam-flag x-cron-env x-github-reason x-jira-fingerprint x-postmaster-msgtype
    x-mailru-msgtype x-yandex-fwd""".split()
)
_SIGNAL_STARTS = ("x-campaign", "x-mailgun-", "x-mailchimp", "x-unisender", "x-sendpulse", "x-getresponse")
_TELLING_TYPES = ("multipart/report", "text/calendar")


def parse(
    raw: bytes,
    received: datetime | None = None,
    size: int | None = None,
    attachments: Sequence[Attachment] = (),
) -> Message:
    """The letter in `raw`. `size` and `attachments` are for letters of which the source fetched only a part."""
    whole = len(raw) if size is None else size
    tree = read_parts(raw)
    bodies = read_bodies(tree.root)
    head = _Head(tree.root)
    problems = {**tree.problems, **bodies.problems}
    from_ = head.people("from")
    problems |= dict.fromkeys(f"{UNSURE_SENDER}{oddity}" for oddity in from_.oddities)
    message_id = head.identity("message-id")
    subject = head.text("subject")[:_SUBJECT]
    written = moment(raw_text(head.fields.first("date")))
    date, doubt = _date(written, received)
    if doubt:
        problems[doubt] = None
    to = head.people("to").found
    sender = from_.found[0].email if from_.found else ""
    return Message(
        key=message_key(message_id, sender, written, [each.email for each in to], subject, whole),
        message_id=message_id,
        date=date,
        subject=subject,
        from_=from_.found,
        sender=head.people("sender").found,
        reply_to=head.people("reply-to").found,
        to=to,
        cc=head.people("cc").found,
        bcc=head.people("bcc").found,
        delivered_to=head.delivered_to(),
        in_reply_to=head.identities("in-reply-to"),
        references=head.identities("references"),
        text=bodies.text,
        cuts=bodies.cuts,
        attachments=_merged(bodies.attachments, attachments),
        invitations=bodies.invitations,
        signals=head.signals(),
        authentication_results=head.authentication_results(raw),
        size=whole,
        problems=tuple(problems),
    )


def message_key(
    message_id: str | None,
    sender: str,
    date: datetime | None,
    to: Sequence[str] = (),
    subject: str = "",
    size: int = 0,
) -> str:
    """Our own name of a letter, from its headers alone: "m:" and a hash of Message-ID, From address and Date.

    So it is the same for the copy in Sent, the copy of an Exchange server, one with a banner and one with a list's
    footer; the Date counts to the second, whatever zone it is written in. Without a Message-ID the recipients, the
    subject and the size take its place.
    """
    second = str(int(date.timestamp())) if date else ""
    if message_id:
        parts = ["id", message_id.strip().strip("<>").strip(), sender.lower(), second]
    else:
        parts = ["no id", sender.lower(), second, ",".join(to), subject, str(size)]
    return "m:" + hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()[:40]


def _date(written: datetime | None, received: datetime | None) -> tuple[datetime, str]:
    """When the letter was written, and what is doubtful about it."""
    if received is not None and received.tzinfo is None:
        received = received.replace(tzinfo=UTC)
    if written is None:
        if received is None:
            return EPOCH, "no Date that can be read, and nobody says when it arrived"
        return received, "no Date that can be read: it is dated by its arrival"
    if received is not None and abs(written - received) > _FAR:
        return received, "Date is more than two days off: it is dated by its arrival"
    return written, ""


def _merged(parsed: Sequence[Attachment], left: Sequence[Attachment]) -> tuple[Attachment, ...]:
    """The letter's own attachments, and those that the source left out.

    One that the source has hashed is the whole of what may stand in the letter by its label alone.
    """
    if not left:
        return tuple(parsed)
    waiting: dict[tuple[str, str], list[Attachment]] = {}
    for each in reversed(left):
        waiting.setdefault(_label(each), []).append(each)
    result: list[Attachment] = []
    for each in parsed:
        whole = waiting[_label(each)].pop() if waiting.get(_label(each)) else each
        result.append(whole if whole.sha256 else each)
    rest = {id(each) for lot in waiting.values() for each in lot}
    return (*result, *(each for each in left if id(each) in rest))


def _label(attachment: Attachment) -> tuple[str, str]:
    return attachment.name.lower(), attachment.content_type


class _Head:
    """The letter's own header, read as what each field is."""

    def __init__(self, root: Part) -> None:
        self.fields: Fields = root.fields
        self.content_type = root.content_type
        self.params = root.params
        self.charset = root.params.get("charset", "") or next(
            (part.params["charset"] for part in root.children if "charset" in part.params), ""
        )

    def text(self, name: str) -> str:
        return text_of(self.fields.first(name), self.charset)

    def people(self, name: str) -> Mailboxes:
        values = self.fields.values.get(name)
        return mailboxes([raw_text(value, self.charset) for value in values]) if values else NOBODY

    def delivered_to(self) -> tuple[str, ...]:
        found = (
            address.email
            for name in ("delivered-to", "x-original-to", "envelope-to", "x-delivered-to")
            if name in self.fields.values
            for address in self.people(name).found
        )
        return tuple(dict.fromkeys(email for email in found if email))[:_RECIPIENTS]

    def identity(self, name: str) -> str | None:
        found = self.identities(name)
        return found[0] if found else None

    def identities(self, name: str) -> tuple[str, ...]:
        """Message-IDs; the words of a header that forgot its <> are taken as they are."""
        values = self.fields.values.get(name)
        if not values:
            return ()
        text = one_line(" ".join(map(raw_text, values)))
        words = ["".join(word.split()) for word in _IDENTITY.findall(text)]
        if not words:
            words = [word.strip("<>\"',;()") for word in text.split(" ") if "@" in word or name == "message-id"]
        found = tuple(dict.fromkeys(f"<{word[:_ID]}>" for word in words if word))
        return found if len(found) <= _REFERENCES else found[:10] + found[10 - _REFERENCES :]

    def authentication_results(self, raw: bytes) -> tuple[tuple[str, ...], ...]:
        """Those that no Received parts are of one server, which adds them to its own Received."""
        values = self.fields.all("authentication-results")[:_RESULTS]
        texts = [one_line(raw_text(value[:_RESULT]), unseen="\ufffd") for value in values]  # our id is written plainly
        if len(texts) < 2:
            return (tuple(texts),) if texts else ()
        trace = "".join("r" if name[:1] in b"rR" else "a" for name in _TRACE.findall(raw, 0, self.fields.body or BLOCK))
        hops = [len(hop) for hop in trace.split("r") if hop]
        ends = list(accumulate(hops)) if sum(hops) >= len(texts) else range(1, len(texts) + 1)
        return tuple(filter(None, (tuple(texts[a:b]) for a, b in pairwise((0, *ends)))))

    def signals(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for name, values in self.fields.values.items():
            if len(found) < _SIGNALS and _is_signal(name):
                found[name[:80]] = text_of(values[0][:_SIGNAL], self.charset)
        if self.content_type in _TELLING_TYPES:
            told = (f"{key}={self.params[key]}" for key in ("report-type", "method") if key in self.params)
            found["content-type"] = one_line("; ".join((self.content_type, *told)))[:_SIGNAL]
        return found


@lru_cache(maxsize=1024)
def _is_signal(name: str) -> bool:
    return (
        name in _SIGNAL_NAMES
        or name.startswith(_SIGNAL_STARTS)
        or (name.startswith("x-ms-exchange-") and ("autoreply" in name or "inbox-rules" in name))
    )
