"""From the bytes of one item to what the ledger stores: parse, exclude, settle what the item alone proves.

Pure, and run in worker processes, so that a hostile letter costs a worker and nothing else.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from agent.clients import domain_of, within
from agent.model import Attendee, Direction, Letter, Meeting, Message
from classifiers.automated import automated
from connectors.calendars import ical
from connectors.items import Item
from connectors.mail import mime
from connectors.mail.authentication import Verdict, judge
from connectors.mail.signatures import signers

NEXT_LOOK = timedelta(days=1_100)  # behind the window: whether a meeting or a series goes on there

Verified = Literal["sent", "authenticated", "unknown", "failed"]


class House(msgspec.Struct, frozen=True, kw_only=True):
    """What the intake must know of us: who we are, what is kept out, whose word on senders counts."""

    domains: tuple[str, ...]
    addresses: frozenset[str]  # of the reps
    authserv_ids: tuple[str, ...] = ()
    dkim_keys: tuple[str, ...] = ()
    exclude_addresses: frozenset[str] = frozenset()
    exclude_domains: tuple[str, ...] = ()
    private_events: bool = True
    hash_key: bytes = b""  # for the addresses of what is skipped

    def is_ours(self, email: str) -> bool:
        return email in self.addresses or within(domain_of(email), self.domains)


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One activity as the ledger stores it."""

    key: str
    kind: Literal["message", "meeting"]
    identity: str | None  # Message-ID or iCalendar UID
    date: datetime
    direction: Direction
    verified: Verified
    skipped: str  # reason, or ""
    mentions: tuple[str, ...]  # what makes threads: Message-IDs, "uid:..."
    participants: tuple[tuple[str, str], ...]  # (role, address), addresses as keyed hashes when skipped
    domains: tuple[str, ...]  # of the participants, in the same order
    content: str
    rank: str
    record: str | None
    recurrence_id: str | None = None


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """One item as the ledger stores it."""

    ref: str
    folder: str
    uid: str
    digest: str
    sent: bool = False
    excluded: str = ""  # the rule; then nothing else is known
    entries: tuple[Entry, ...] = ()
    problems: tuple[str, ...] = ()
    expanded_until: datetime | None = None  # a meeting or a series that goes on behind this moment


def prepare_letters(items: Sequence[Item], house: House) -> list[Prepared]:
    return [prepare_letter(item, house) for item in items]


def prepare_letter(item: Item, house: House) -> Prepared:
    """One letter. Raises only what a defect of ours would raise."""
    if item.excluded:
        return _excluded(item, item.excluded)
    message = mime.parse(item.raw, item.received, item.size or None, item.attachments)
    people = _people(message)
    if rule := _exclusion([email for _, email in people], house):
        return _excluded(item, rule)
    direction = _direction(message, item.sent, house)
    verified: Verified = "sent" if item.sent else _verdict(message, item.raw, house)
    skipped = _settled(message, direction, verified, house)
    letter = letter_of(message, direction)
    content = content_name(letter)
    entry = Entry(
        key=message.key,
        kind="message",
        identity=message.message_id,
        date=message.date,
        direction=direction,
        verified=verified,
        skipped=skipped,
        mentions=_mentions(message),
        participants=tuple((role, _kept(email, skipped, house)) for role, email in people),
        domains=tuple(_kept(domain_of(email), skipped, house) for _, email in people),
        content="" if skipped else content,
        rank=f"{0 if item.sent else 1}{len(message.text):09d}{content[:16]}",
        record=None if skipped else msgspec.json.encode(message).decode(),
    )
    return Prepared(
        ref=item.ref,
        folder=item.folder,
        uid=item.uid,
        digest="",
        sent=item.sent,
        entries=(entry,),
        problems=message.problems,
    )


def prepare_events(
    items: Sequence[Item], house: House, window: tuple[datetime, datetime], tz: str, owner: str
) -> list[Prepared]:
    return [prepare_event(item, house, window, tz, owner) for item in items]


def prepare_event(item: Item, house: House, window: tuple[datetime, datetime], tz: str, owner: str) -> Prepared:
    """One calendar object: a meeting, or a series with its moved and cancelled instances."""
    if item.excluded:
        return _excluded(item, item.excluded)
    parsed = ical.parse(item.raw, window, tz)
    goes_on = _goes_on(item, parsed, window[1], tz)
    if house.private_events and any(meeting.private for meeting in parsed.meetings):
        return _excluded(item, "private")
    addresses = {email for meeting in parsed.meetings for _, email in _attendance(meeting, owner)}
    if rule := _exclusion(addresses, house):
        return _excluded(item, rule)
    return Prepared(
        ref=item.ref,
        folder=item.folder,
        uid=item.uid,
        digest=hashlib.sha256(item.raw).hexdigest(),
        entries=tuple(_meeting_entry(meeting, house, owner) for meeting in parsed.meetings),
        problems=parsed.problems,
        expanded_until=window[1] if goes_on else None,
    )


def _goes_on(item: Item, parsed: ical.Parsed, end: datetime, tz: str) -> bool:
    """Does a calendar object hold more behind the window, to be looked at when its time comes nearer?"""
    repeats = parsed.meetings and all(meeting.recurrence_id is None for meeting in parsed.meetings)
    return not repeats and bool(ical.parse(item.raw, (end, end + NEXT_LOOK), tz).meetings)


def letter_of(record: Message | Meeting, direction: Direction) -> Letter:
    """What the classifiers are given of a record."""
    if isinstance(record, Message):
        return Letter(
            direction=direction,
            subject=record.subject,
            body=record.text,
            cuts=record.cuts,
            attachments=tuple(a.name for a in record.attachments),
            signals=record.signals | {"from": record.from_[0].email if record.from_ else ""},
        )
    return Letter(direction=direction, subject=record.title, body=record.description, kind="meeting")


def content_name(letter: Letter) -> str:
    """Names what is read: equal for equal contents, whatever mailbox and thread they came from."""
    return hashlib.blake2b(msgspec.json.encode(letter), digest_size=20).hexdigest()


def keyed_hash(text: str, key: bytes) -> str:
    """An address that we do not keep: only whoever holds the store's key can ask whether it was this one."""
    return "#" + hashlib.blake2b(text.encode(), key=key, digest_size=16).hexdigest()


def _excluded(item: Item, rule: str) -> Prepared:
    return Prepared(ref=item.ref, folder=item.folder, uid=item.uid, digest="", excluded=rule)


def _kept(text: str, skipped: str, house: House) -> str:
    return keyed_hash(text, house.hash_key) if skipped and text else text


def _people(message: Message) -> list[tuple[str, str]]:
    """(role, address) of everybody named in the header, each once per role."""
    fields = (("from", message.from_), ("to", message.to), ("cc", message.cc), ("bcc", message.bcc))
    found = {(role, a.email): None for role, addresses in fields for a in addresses if a.email}
    return list(found)


def _exclusion(addresses: Sequence[str] | set[str], house: House) -> str:
    for email in addresses:
        if email in house.exclude_addresses:
            return "address"  # which one is not said: it would be stored
        if within(domain_of(email), house.exclude_domains):
            return "domain"
    return ""


def _verdict(message: Message, raw: bytes, house: House) -> Verdict:
    return judge(message, house.authserv_ids, lambda: signers(raw, house.dkim_keys))[0]


def _direction(message: Message, sent: bool, house: House) -> Direction:
    outside = any(not house.is_ours(a.email) for a in (*message.to, *message.cc, *message.bcc) if a.email)
    if any(house.is_ours(a.email) for a in message.from_) or (sent and not message.from_):
        return "outbound" if outside else "internal"
    return "inbound"


def _settled(message: Message, direction: Direction, verified: Verified, house: House) -> str:
    """The reason why a letter belongs to no client's history, as far as the letter alone proves it; else ""."""
    if verified == "failed" and direction != "inbound":
        return "spoof"  # it claims to be ours, and our own server says that it is not
    sender = message.from_[0].email if message.from_ else ""
    verdict = automated(message.signals, message.subject, message.text, sender)
    if direction == "internal":
        return "bounce" if verdict == "bounce" else "internal"  # our own server tells what it could not deliver
    if message.invitations:
        return "calendar_notification"  # the calendar holds the meeting
    if _is_list(message, house):
        return "list"
    return "" if verdict == "notice" else verdict


def _is_list(message: Message, house: House) -> bool:
    """A mailing list of others: it names itself, it is addressed, and none of us is. One header alone is no proof."""
    list_id = message.signals.get("list-id", "").lower()
    if not list_id or within(list_id.strip("<> ").rpartition("<")[2], house.domains):
        return False
    behaves = message.signals.get("precedence", "").lower() in ("list", "bulk") or "list-post" in message.signals
    return behaves and not any(house.is_ours(a.email) for a in (*message.to, *message.cc))


def _mentions(message: Message) -> tuple[str, ...]:
    own = (message.message_id,) if message.message_id else (message.key,)
    return tuple(dict.fromkeys((*own, *message.in_reply_to, *message.references)))


def _attendance(meeting: Meeting, owner: str) -> list[tuple[str, str]]:
    organizer = (("organizer", meeting.organizer),) if meeting.organizer else ()
    people: tuple[tuple[str, Attendee], ...] = (*organizer, *(("attendee", a) for a in meeting.attendees))
    found = {(role, a.email): None for role, a in people if a.email}
    return list(found) or [("organizer", owner)]


def _meeting_entry(meeting: Meeting, house: House, owner: str) -> Entry:
    people = _attendance(meeting, owner)
    ours = meeting.organizer is None or house.is_ours(meeting.organizer.email)
    direction: Direction = "outbound" if ours else "inbound"
    content = content_name(letter_of(meeting, direction))
    modified = meeting.modified.timestamp() if meeting.modified else 0.0
    return Entry(
        key=meeting.key,
        kind="meeting",
        identity=meeting.uid,
        recurrence_id=meeting.recurrence_id,
        date=meeting.start,
        direction=direction,
        verified="sent",  # it stands in our own calendar
        skipped="",
        mentions=(f"uid:{meeting.uid}",),
        participants=tuple(people),
        domains=tuple(domain_of(email) for _, email in people),
        content=content,
        rank=f"{10**9 - min(max(meeting.sequence, 0), 10**9):010d}{max(0, 10**11 - int(modified)):012d}{content[:16]}",
        record=msgspec.json.encode(meeting).decode(),
    )
