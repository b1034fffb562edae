"""An IMAP mailbox, strictly read-only: folders are examined, letters peeked at.

list       all folders with their status, in one round trip where the server can
skip       a folder whose status is that of the cursor
search     the UIDs behind the cursor's, in windows, by the day of `since`
look       flags, size and arrival of some hundred letters
take       small letters whole, of large ones the text and the invitations; what carries an excluded label not at all
hand over  with a cursor that never passes a letter which the server still shows
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from ipaddress import ip_address
from itertools import groupby
from typing import Any, ClassVar, Literal

import msgspec
from pydantic import Field, model_validator

from agent.errors import CursorExpired, Rejected, Retry
from agent.model import Attachment
from connectors import base
from connectors.base import Batch, Finding, Item, Ref, Scope
from connectors.mail import imap_parts
from connectors.mail.folders import Choice, Folder, choose, decode_name, told
from connectors.mail.imap_wire import LAST_UID, MANY, Listed, Status, Tls, Wire
from connectors.secrets import Secret

SMALL = 64 << 10  # nine letters of ten, a third of all bytes
BATCH, LOOK = 100, 500  # letters taken, and looked at, in one round trip
BATCH_BYTES = 16 << 20
BROKEN_CAP = 256 << 10  # of a letter whose structure makes no sense
_SHORT_FLAG = 200  # bytes of a flag whose spellings are remembered
_LOOK_ITEMS = "FLAGS INTERNALDATE RFC822.SIZE"
_Answer = dict[bytes, Any]


class ImapOptions(base.Options):
    """The keys of an IMAP mailbox."""

    host: str = Field(min_length=1)
    port: int = Field(default=993, ge=1, le=65535)
    tls: Tls = "implicit"
    ca_file: str = ""
    user: str = Field(min_length=1)
    password: Secret
    folders: list[str] | None = None
    sent_folders: list[str] | None = None

    @model_validator(mode="after")
    def _plain_only_at_home(self) -> "ImapOptions":
        if self.tls == "none" and not _is_loopback(self.host):
            raise ValueError(f'tls = "none" would send the password in the clear to {self.host}: use "starttls"')
        return self


class Mark(msgspec.Struct, frozen=True, array_like=True):
    """How far one folder has been read."""

    uidvalidity: int
    last: int  # UID of the last letter that was handed over or is out of scope
    uidnext: int = 0  # with `messages`: the folder's state when it was read to its end; 0 before that
    messages: int = 0

    def is_at_end_of(self, status: Status) -> bool:
        return self.uidnext > 0 and (self.uidnext, self.messages) == (status.uidnext, status.messages)


class Cursor(msgspec.Struct, frozen=True):
    """What the engine keeps for us, as JSON."""

    since: datetime  # the earliest that was asked for: going further back means listing again
    folders: dict[str, Mark]


class _Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One letter as the server describes it."""

    uid: int
    labels: tuple[str, ...]
    received: datetime | None
    size: int


class _Content(msgspec.Struct, frozen=True, kw_only=True):
    """What of one letter is handed over."""

    raw: bytes = b""
    attachments: tuple[Attachment, ...] = ()
    excluded: str = ""
    problem: str = ""


_REFUSED = _Content(problem="the server shows this letter and does not hand it over")


class ImapMailbox:
    what: ClassVar[Literal["mailbox", "calendar"]] = "mailbox"
    Options: ClassVar[type[base.Options]] = ImapOptions

    def __init__(self, name: str, owner: str, options: ImapOptions, scope: Scope) -> None:
        self.name, self.owner = name, owner
        self._options, self._scope = options, scope
        self._wire: Wire | None = None

    def fetch(self, cursor: str | None) -> Iterator[Batch]:
        with self._session():
            start = _parsed(cursor, self._scope.since)
            choice, states = self._look()
            marks = {name: mark for name, mark in start.folders.items() if name in states}
            for name, mark in marks.items():
                if mark.uidvalidity != states[name].uidvalidity:
                    raise CursorExpired(f"folder {name} was numbered anew by its server")
            todo = [f for f in choice.read if f.name in states and not _is_done(marks.get(f.name), states[f.name])]
            expected = {folder.name: _at_most(marks.get(folder.name), states[folder.name]) for folder in todo}
            done, given = 0, cursor
            for folder in todo:
                for items, mark, left in self._read(folder, states[folder.name], marks.get(folder.name), choice):
                    marks[folder.name], expected[folder.name] = mark, left
                    if items:
                        done += len(items)
                        given = _written(Cursor(since=start.since, folders=marks))
                        yield Batch(items=items, cursor=given, done=done, total=done + sum(expected.values()))
            last = _written(Cursor(since=start.since, folders=marks))
            if last != given:
                yield Batch(items=(), cursor=last, done=done, total=done)
            self._line().unselect()

    def refs(self) -> Iterator[Ref]:
        with self._session():
            choice, states = self._look()
            for folder in choice.read:
                status = self._line().examine(folder.wire) if folder.name in states else None
                if status is None:
                    continue
                for low, high in self._windows(1, status):
                    for uid in self._in_scope(low, high):
                        ref = _ref(folder.name, status.uidvalidity, uid)
                        yield Ref(ref=ref, folder=folder.name, uid=str(uid))
                    self._reopen(folder, status.uidvalidity)
            self._line().unselect()

    def get(self, refs: Sequence[str]) -> Iterator[Item]:
        with self._session():
            choice, _ = self._look(with_status=False)
            folders = {folder.name: folder for folder in choice.read}
            places = sorted(filter(None, map(_place, refs)))
            for (name, uidvalidity), group in groupby(places, key=lambda place: place[:2]):
                uids = sorted({uid for _, _, uid in group})
                for some in _chunks(uids, BATCH):
                    status = self._line().examine(folders[name].wire) if name in folders else None
                    if status is None or status.uidvalidity != uidvalidity:
                        break
                    shown, stuck = self._seen(some)
                    for items, _ in self._taken(folders[name], uidvalidity, shown, stuck, choice):
                        yield from items
            self._line().unselect()

    def recent_headers(self, count: int) -> list[bytes]:
        """The header blocks of the newest letters of INBOX, newest first."""
        with self._session():
            status = self._line().examine(b"INBOX")
            last = status.messages if status else 0
            numbers = range(max(1, last - count + 1), last + 1)
            found = self._line().fetch_numbers(numbers, f"BODY.PEEK[HEADER]<0.{imap_parts.HEADER_CAP}>")
            self._line().unselect()
        headers = [answer.get(b"BODY[HEADER]<0>") for answer in reversed(found)]
        return [header for header in headers if isinstance(header, bytes)]

    def check(self) -> list[Finding]:
        with self._session():
            choice, _ = self._look(with_status=False)
            can = self._line().capabilities
        encrypted = {"implicit": "TLS", "starttls": "STARTTLS", "none": "no encryption (loopback)"}[self._options.tls]
        useful = sorted(can & {"IDLE", "CONDSTORE", "LIST-STATUS", "SPECIAL-USE", "OBJECTID", "X-GM-EXT-1"})
        findings = [
            Finding(level="ok", text=f"{self._options.host}:{self._options.port} answers, {encrypted}"),
            Finding(level="ok", text=f"the server offers {', '.join(useful) or 'plain IMAP4rev1'}"),
            *told(choice),
        ]
        if "X-GM-EXT-1" in can:
            text = "this is Gmail: over IMAP, mail that is archived before it was read here is not seen"
            findings.append(Finding(level="note", text=text, suggest='kind = "gmail"'))
        return findings

    def close(self) -> None:
        wire, self._wire = self._wire, None
        if wire is not None:
            wire.close()

    # -- one connection, kept between polls ---------------------------------------------------------------------

    @contextmanager
    def _session(self) -> Iterator[None]:
        try:
            yield
        except Retry:
            self.close()
            raise
        except Rejected as error:  # it is not a letter that was refused, but a command that every server knows
            self.close()
            raise Retry(str(error)) from error

    def _line(self) -> Wire:
        if self._wire is None:
            options = self._options
            password = options.password.resolve()
            wire = Wire(options.host, options.port, options.tls, options.ca_file)
            try:
                wire.login(options.user, password)
            except BaseException:
                wire.close()
                raise
            self._wire = wire
        return self._wire

    def _look(self, *, with_status: bool = True) -> tuple[Choice, dict[str, Status]]:
        """What is read, and the state of each. A server closes a connection that was idle for long: try once more."""
        was_open = self._wire is not None
        try:
            listed = self._line().folders()
        except (Retry, Rejected):
            if not was_open:
                raise
            self.close()
            listed = self._line().folders()
        choice = choose(
            [one.folder for one in listed],
            wanted=self._options.folders,
            sent=self._options.sent_folders,
            excluded=self._scope.exclude_folders,
        )
        return choice, self._states(choice, listed) if with_status else {}

    def _states(self, choice: Choice, listed: Sequence[Listed]) -> dict[str, Status]:
        """The status of what is read; a folder that vanished just now has none."""
        told = {one.folder.name: one.status for one in listed}
        states: dict[str, Status] = {}
        for folder in choice.read:
            wire = self._line()
            status = told[folder.name] or wire.status(folder.wire)
            if status is None or not status.uidvalidity or wire.selected == folder.wire:
                status = wire.examine(folder.wire)  # STATUS of the open folder may be stale
            if status is not None:
                states[folder.name] = status
        return states

    def _reopen(self, folder: Folder, uidvalidity: int) -> None:
        """Open this folder again if another call opened another one between two batches."""
        wire = self._line()
        if wire.selected == folder.wire:
            return
        status = wire.examine(folder.wire)
        if status is None or status.uidvalidity != uidvalidity:
            raise Retry(f"folder {folder.name} went away or was numbered anew while it was read")

    # -- one folder ---------------------------------------------------------------------------------------------

    def _read(
        self, folder: Folder, state: Status, mark: Mark | None, choice: Choice
    ) -> Iterator[tuple[tuple[Item, ...], Mark, int]]:
        """Items, the mark behind them, and how many are left."""
        status = self._line().examine(folder.wire)
        if status is None:
            return  # it vanished since it was listed
        if status.uidvalidity != state.uidvalidity:
            raise Retry(f"folder {folder.name} was numbered anew while it was read")
        mark = mark or Mark(status.uidvalidity, 0)
        for low, high in self._windows(mark.last + 1, status):
            self._reopen(folder, status.uidvalidity)
            uids = self._line().search(low, high, self._first_day())
            for start in range(0, len(uids), LOOK):
                some = uids[start : start + LOOK]
                self._reopen(folder, status.uidvalidity)
                shown, stuck = self._seen(some)
                for begin in range(0, len(some), BATCH):
                    chunk = some[begin : begin + BATCH]
                    wanted = [shown[uid] for uid in chunk if uid in shown and self._is_in_scope(shown[uid])]
                    lost = [uid for uid in chunk if uid in stuck]
                    self._reopen(folder, status.uidvalidity)
                    left = len(uids) - start - begin
                    taken = self._taken(folder, status.uidvalidity, {s.uid: s for s in wanted}, lost, choice)
                    for items, last in taken:
                        mark = Mark(status.uidvalidity, last)
                        left -= len(items)
                        yield items, mark, max(left, 0)
                        self._reopen(folder, status.uidvalidity)
                    mark = Mark(status.uidvalidity, chunk[-1])
        yield (), Mark(status.uidvalidity, mark.last, status.uidnext, status.messages), 0

    def _windows(self, first: int, status: Status) -> Iterator[tuple[int, int]]:
        """UIDs from `first` to the last one now, in stretches whose list fits into one answer."""
        top = status.uidnext - 1 if status.uidnext else LAST_UID
        if status.messages > MANY and top - first >= MANY:
            for border in self._line().borders(status.messages):
                if first <= border < top:
                    yield first, border
                    first = border + 1
        if first <= top:
            yield first, top

    def _first_day(self) -> date:
        """SEARCH knows days, in the server's own zone: one more, and the clock decides."""
        return self._scope.since.astimezone(UTC).date() - timedelta(days=1)

    def _is_in_scope(self, seen: _Seen) -> bool:
        return seen.received is None or seen.received >= self._scope.since

    def _in_scope(self, low: int, high: int) -> list[int]:
        """The UIDs since `since`; only those of the days around it must be asked for their time."""
        wire = self._line()
        candidates = wire.search(low, high, self._first_day())
        certain = set(wire.search(low, high, self._first_day() + timedelta(days=3))) if candidates else set()
        doubtful = [uid for uid in candidates if uid not in certain]
        for some in _chunks(doubtful, LOOK):
            shown, stuck = self._seen(some)
            certain.update(uid for uid, seen in shown.items() if self._is_in_scope(seen))
            certain.update(stuck)
        return sorted(certain)

    def _seen(self, uids: Sequence[int]) -> tuple[dict[int, _Seen], set[int]]:
        """Letters as they are described, and those of which the server will not speak."""
        gmail = bool(self._scope.exclude_labels) and "X-GM-EXT-1" in self._line().capabilities
        items = f"{_LOOK_ITEMS} X-GM-LABELS" if gmail else _LOOK_ITEMS
        found, stuck = self._ask(uids, items, lambda answer: isinstance(answer.get(b"RFC822.SIZE"), int))
        return {uid: _described(uid, answer) for uid, answer in found.items()}, stuck

    def _ask(
        self, uids: Sequence[int], items: str, is_whole: Callable[[_Answer], bool]
    ) -> tuple[dict[int, _Answer], set[int]]:
        """Answers, and the UIDs that have none though SEARCH shows them, asked again together and then alone."""
        found: dict[int, _Answer] = {}
        missing = list(uids)
        for size in (len(uids), len(uids), 1):
            for some in _chunks(missing, size):
                try:
                    answers = self._line().fetch(some, items)
                except Rejected:
                    continue  # one odd letter spoils the answer for all
                found.update((uid, answer) for uid, answer in answers.items() if is_whole(answer))
            missing = [uid for uid in uids if uid not in found]
            if not missing:
                break
            shown = set(self._line().search(missing[0], missing[-1])) if len(missing) <= MANY else set()
            missing = [uid for uid in missing if uid in shown]
        return found, set(missing)

    # -- the letters themselves ---------------------------------------------------------------------------------

    def _taken(
        self, folder: Folder, uidvalidity: int, shown: Mapping[int, _Seen], stuck: Iterable[int], choice: Choice
    ) -> Iterator[tuple[tuple[Item, ...], int]]:
        """Items in the order of their UIDs, with the last UID of each lot. A lot is bounded in bytes."""
        barred = {uid: label for uid, seen in shown.items() if (label := self._excluded_label(seen))}
        plans = self._planned([uid for uid, seen in shown.items() if seen.size > SMALL and uid not in barred])
        cost = {uid: _cost(seen, plans.get(uid)) for uid, seen in shown.items() if uid not in barred}
        for lot in _lots(sorted({*shown, *stuck}), cost):
            contents = self._contents([shown[uid] for uid in lot if uid in cost], plans)
            contents.update((uid, _Content(excluded=f"label {barred[uid]}")) for uid in lot if uid in barred)
            contents.update((uid, _REFUSED) for uid in lot if uid not in shown)
            yield (
                tuple(
                    Item(
                        ref=_ref(folder.name, uidvalidity, uid),
                        folder=folder.name,
                        uid=str(uid),
                        raw=contents[uid].raw,
                        received=shown[uid].received if uid in shown else None,
                        sent=folder.name in choice.sent,
                        excluded=contents[uid].excluded,
                        size=shown[uid].size if uid in cost else 0,
                        attachments=contents[uid].attachments,
                        problem=contents[uid].problem,
                    )
                    for uid in lot
                    if uid in contents  # else it is gone by now
                ),
                lot[-1],
            )

    def _excluded_label(self, seen: _Seen) -> str:
        barred = {label.casefold(): label for label in self._scope.exclude_labels}
        return next((barred[label.casefold()] for label in seen.labels if label.casefold() in barred), "")

    def _planned(self, uids: Sequence[int]) -> dict[int, imap_parts.Plan]:
        found, _ = self._ask(uids, "BODYSTRUCTURE", lambda answer: b"BODYSTRUCTURE" in answer) if uids else ({}, set())
        plans = {uid: imap_parts.plan(answer[b"BODYSTRUCTURE"]) for uid, answer in found.items()}
        return {uid: made for uid, made in plans.items() if made is not None}

    def _contents(self, seen: Sequence[_Seen], plans: Mapping[int, imap_parts.Plan]) -> dict[int, _Content]:
        """What these letters hold, the gone ones left out."""
        contents = self._whole([one.uid for one in seen if one.size <= SMALL], "BODY.PEEK[]", b"BODY[]")
        broken: list[int] = []
        layouts: dict[str, list[int]] = {}
        for one in seen:
            if one.size > SMALL and one.uid in plans:
                layouts.setdefault(plans[one.uid].items, []).append(one.uid)
            elif one.size > SMALL:
                broken.append(one.uid)
        for items, uids in layouts.items():
            found, _ = self._ask(uids, items, lambda answer: b"BODY[HEADER]<0>" in answer)
            for uid in uids:
                raw = imap_parts.rebuild(plans[uid], found.get(uid, {}))
                if raw is None:
                    broken.append(uid)
                else:
                    contents[uid] = _Content(raw=raw, attachments=plans[uid].attachments)
        return contents | self._whole(sorted(broken), f"BODY.PEEK[]<0.{BROKEN_CAP}>", b"BODY[]<0>")

    def _whole(self, uids: Sequence[int], items: str, key: bytes) -> dict[int, _Content]:
        found, stuck = self._ask(uids, items, lambda answer: isinstance(answer.get(key), bytes))
        return {uid: _Content(raw=answer[key]) for uid, answer in found.items()} | dict.fromkeys(stuck, _REFUSED)


def _parsed(cursor: str | None, since: datetime) -> Cursor:
    if cursor is None:
        return Cursor(since=since, folders={})
    try:
        found = msgspec.json.decode(cursor, type=Cursor)
    except msgspec.MsgspecError:
        raise CursorExpired("the cursor is not one of this mailbox") from None
    if since < found.since:
        raise CursorExpired("mail from further back is wanted than was read so far")
    return found


def _written(cursor: Cursor) -> str:
    return msgspec.json.encode(cursor).decode()


def _is_done(mark: Mark | None, status: Status) -> bool:
    return mark is not None and mark.is_at_end_of(status)


def _at_most(mark: Mark | None, status: Status) -> int:
    """How many letters a folder can still give, before it was asked."""
    behind = status.uidnext - 1 - (mark.last if mark else 0) if status.uidnext else status.messages
    return max(0, min(status.messages, behind))


def _described(uid: int, answer: _Answer) -> _Seen:
    received = answer.get(b"INTERNALDATE")
    flags = [flag for key in (b"FLAGS", b"X-GM-LABELS") for flag in _listed(answer.get(key))]
    return _Seen(
        uid=uid,
        labels=tuple(spelling for flag in flags for spelling in _spellings(flag)),
        received=received.astimezone(UTC) if isinstance(received, datetime) else None,
        size=answer[b"RFC822.SIZE"],
    )


def _spellings(flag: bytes) -> tuple[str, ...]:
    return _usual_spellings(flag) if len(flag) <= _SHORT_FLAG else _all_spellings(flag)


def _all_spellings(flag: bytes) -> tuple[str, ...]:
    """As mailbox names are written, and as it stands."""
    return tuple({decode_name(flag), flag.decode("utf-8", "replace")})


_usual_spellings = lru_cache(maxsize=512)(_all_spellings)


def _listed(value: Any) -> list[bytes]:
    found = value if isinstance(value, tuple) else ()
    return [flag if isinstance(flag, bytes) else str(flag).encode() for flag in found]


def _cost(seen: _Seen, planned: imap_parts.Plan | None) -> int:
    if seen.size <= SMALL:
        return seen.size
    return planned.cost + (16 << 10) if planned else BROKEN_CAP


def _lots(uids: Sequence[int], cost: Mapping[int, int]) -> Iterator[list[int]]:
    lot: list[int] = []
    held = 0
    for uid in uids:
        if lot and held + cost.get(uid, 0) > BATCH_BYTES:
            yield lot
            lot, held = [], 0
        lot.append(uid)
        held += cost.get(uid, 0)
    if lot:
        yield lot


def _chunks(numbers: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    for start in range(0, len(numbers), max(size, 1)):
        yield numbers[start : start + size]


def _ref(folder: str, uidvalidity: int, uid: int) -> str:
    return f"{folder}|{uidvalidity}|{uid}"


def _place(ref: str) -> tuple[str, int, int] | None:
    folder, _, numbers = ref.rpartition("|")
    folder, _, uidvalidity = folder.rpartition("|")
    return (folder, int(uidvalidity), int(numbers)) if uidvalidity.isdigit() and numbers.isdigit() else None


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
