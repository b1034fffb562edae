"""A mailbox in memory: the product's own fake, with verbs for what happens in a mailbox.

It keeps the contract of every other source. Several sources opened on the same `Box` see the same mail.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import ClassVar, Literal

import msgspec
from pydantic import Field

from agent.errors import CursorExpired, NeedsHuman, Retry
from connectors import base
from connectors.base import Batch, Finding, Item, Ref, Scope
from connectors.mail.folders import Choice, Folder, choose

BATCH = 100


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """One letter in a box."""

    uid: int
    raw: bytes
    received: datetime
    labels: tuple[str, ...] = ()
    sent: bool | None = None  # None: as its folder says


class Box:
    """What the server would keep: folders of letters, and what is wrong with it just now."""

    def __init__(self) -> None:
        self.folders: dict[str, dict[int, Letter]] = {"INBOX": {}}
        self.uidvalidity: dict[str, int] = {}
        self.next_uid: dict[str, int] = {}
        self.broken_calls = 0
        self.refuses_password = False


class MemoryOptions(base.Options):
    """The keys of a mailbox in memory."""

    folders: list[str] | None = None
    sent_folders: list[str] | None = None
    batch: int = Field(default=BATCH, ge=1)
    box: Box = Field(default_factory=Box)


class MemoryMailbox:
    what: ClassVar[Literal["mailbox", "calendar"]] = "mailbox"
    Options: ClassVar[type[base.Options]] = MemoryOptions

    def __init__(self, name: str, owner: str, options: MemoryOptions, scope: Scope) -> None:
        self.name, self.owner = name, owner
        self.box = options.box
        self._options, self._scope = options, scope

    # -- what happens in a mailbox --------------------------------------------------------------------------------

    def deliver(
        self,
        raw: bytes,
        folder: str = "INBOX",
        received: datetime | None = None,
        sent: bool | None = None,
        labels: Sequence[str] = (),
    ) -> str:
        """A letter arrives; the folder is made if need be. Gives its ref."""
        uid = self.box.next_uid.get(folder, 1)
        self.box.next_uid[folder] = uid + 1
        letter = Letter(uid=uid, raw=raw, received=received or datetime.now(UTC), labels=tuple(labels), sent=sent)
        self.box.folders.setdefault(folder, {})[uid] = letter
        return self._ref(folder, uid)

    def expunge(self, ref: str) -> None:
        """A letter is gone for good."""
        folder, _, uid = ref.split("|")
        del self.box.folders[folder][int(uid)]

    def remove_folder(self, folder: str) -> None:
        """A folder is gone with all that it held; one of the same name is another one."""
        del self.box.folders[folder]
        self.box.uidvalidity[folder] = self._uidvalidity(folder) + 1

    def new_uidvalidity(self, folder: str = "INBOX") -> None:
        """The server numbers a folder anew, as after a restored backup."""
        letters = self.box.folders[folder].values()
        self.box.uidvalidity[folder] = self._uidvalidity(folder) + 1
        self.box.folders[folder] = {n: msgspec.structs.replace(old, uid=n) for n, old in enumerate(letters, 1)}
        self.box.next_uid[folder] = len(letters) + 1

    def break_connection(self, calls: int = 1) -> None:
        """The next calls fail as over a broken line; a batch is a call too."""
        self.box.broken_calls = calls

    def wrong_password(self, refused: bool = True) -> None:
        """The server refuses the password from now on."""
        self.box.refuses_password = refused

    # -- the source -----------------------------------------------------------------------------------------------

    def fetch(self, cursor: str | None) -> Iterator[Batch]:
        self._call()
        start = _parsed(cursor, self._scope.since)
        choice = self._choice()
        names = [folder.name for folder in choice.read]
        marks = {name: mark for name, mark in start.folders.items() if name in names}
        for name, (uidvalidity, _) in marks.items():
            if uidvalidity != self._uidvalidity(name):
                raise CursorExpired(f"folder {name} was numbered anew")
        marks = {name: marks.get(name, (self._uidvalidity(name), 0)) for name in names}
        todo = {
            name: [one for uid, one in self.box.folders[name].items() if uid > marks[name][1] and self._is_in(one)]
            for name in names
        }
        total, done, given = sum(map(len, todo.values())), 0, cursor
        for name, letters in todo.items():
            for begin in range(0, len(letters), self._options.batch):
                if done:
                    self._call()
                lot = letters[begin : begin + self._options.batch]
                items = tuple(self._item(name, one, choice) for one in lot if one.uid in self.box.folders.get(name, ()))
                done += len(lot)
                marks[name] = (marks[name][0], lot[-1].uid)
                given = _written(start.since, marks)
                yield Batch(items=items, cursor=given, done=done, total=total)
        last = _written(start.since, marks)
        if last != given:
            yield Batch(items=(), cursor=last, done=done, total=total)

    def refs(self) -> Iterator[Ref]:
        self._call()
        for folder in self._choice().read:
            for letter in list(self.box.folders[folder.name].values()):
                if self._is_in(letter):
                    ref = self._ref(folder.name, letter.uid)
                    yield Ref(ref=ref, folder=folder.name, uid=str(letter.uid))

    def get(self, refs: Sequence[str]) -> Iterator[Item]:
        self._call()
        choice = self._choice()
        wanted = set(refs)
        for folder in choice.read:
            for letter in list(self.box.folders[folder.name].values()):
                if self._ref(folder.name, letter.uid) in wanted:
                    yield self._item(folder.name, letter, choice)

    def recent_headers(self, count: int) -> list[bytes]:
        """The header blocks of the newest letters of INBOX, newest first."""
        self._call()
        newest = list(self.box.folders["INBOX"].values())[-count:] if count > 0 else []
        return [letter.raw.partition(b"\r\n\r\n")[0].partition(b"\n\n")[0] + b"\r\n" for letter in reversed(newest)]

    def check(self) -> list[Finding]:
        self._call()
        choice = self._choice()
        return [
            Finding(level="ok", text=f"folders that are read: {', '.join(folder.name for folder in choice.read)}"),
            *(Finding(level="note", text=f"folder {n} is left out: {why}") for n, why in choice.left_out.items()),
            *(Finding(level="problem", text=f"there is no folder {name}") for name in choice.missing),
        ]

    def close(self) -> None:
        """Nothing is held open."""

    def _call(self) -> None:
        if self.box.refuses_password:
            raise NeedsHuman("the mailbox refused the login: correct user or password")
        if self.box.broken_calls:
            self.box.broken_calls -= 1
            raise Retry("the connection to the mailbox broke")

    def _choice(self) -> Choice:
        return choose(
            [Folder(name=name) for name in self.box.folders],
            wanted=self._options.folders,
            sent=self._options.sent_folders,
            excluded=self._scope.exclude_folders,
        )

    def _is_in(self, letter: Letter) -> bool:
        return letter.received >= self._scope.since

    def _item(self, folder: str, letter: Letter, choice: Choice) -> Item:
        barred = {label.casefold(): label for label in self._scope.exclude_labels}
        label = next((barred[one.casefold()] for one in letter.labels if one.casefold() in barred), None)
        return Item(
            ref=self._ref(folder, letter.uid),
            folder=folder,
            uid=str(letter.uid),
            raw=letter.raw if label is None else b"",
            received=letter.received,
            sent=folder in choice.sent if letter.sent is None else letter.sent,
            excluded="" if label is None else f"label {label}",
            size=len(letter.raw) if label is None else 0,
        )

    def _uidvalidity(self, folder: str) -> int:
        return self.box.uidvalidity.get(folder, 1)

    def _ref(self, folder: str, uid: int) -> str:
        return f"{folder}|{self._uidvalidity(folder)}|{uid}"


class Cursor(msgspec.Struct, frozen=True):
    """What the engine keeps for us, as JSON."""

    since: datetime
    folders: dict[str, tuple[int, int]]  # UIDVALIDITY and the UID of the last letter that was handed over


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


def _written(since: datetime, marks: dict[str, tuple[int, int]]) -> str:
    return msgspec.json.encode(Cursor(since=since, folders=marks)).decode()
