"""A Maildir++ on this machine, strictly read-only: nothing is moved from `new` to `cur`, nothing is cleaned up.

A letter is known by the unique part of its file's name, which stays when it moves from `new` to `cur` and when its
flags change. The cursor holds a short hash of every letter that was handed over and is in scope, because nothing else
is safe: clocks are set back, mail is copied in with old times, and any name can sort before the last one.
"""

import base64
import os
import re
import stat
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO, ClassVar, Literal, NamedTuple

import msgspec

from agent.errors import CursorExpired, NeedsHuman
from agent.model import Attachment
from connectors import base
from connectors.base import Batch, Finding, Item, Ref, Scope
from connectors.mail import large
from connectors.mail.folders import Choice, Folder, choose, decode_name, told

BATCH, BIG_BATCH = 100, 500
BATCH_BYTES = 16 << 20
WHOLE_CAP = 8 << 20  # of a larger letter the files stay where they are
BEGINNING = 256 << 10  # for what stands in its header

_HASH = 6  # bytes: of 200,000 letters one would be taken for another once in a billion arrivals
_TAGS = re.compile(rb"(?:,[A-Z][A-Z0-9]{0,9}=[^,:]*)+\Z")  # ",S=123,W=130" of Dovecot, ",U=7" of mbsync
_TIME = re.compile(rb"(\d{9,10})[._]")
_RESTING = 2_000_000_000  # ns: a folder changed so recently may change again within one tick of its clock
_EPOCH = datetime(1995, 1, 1, tzinfo=UTC)


class MaildirOptions(base.Options):
    """The keys of a Maildir."""

    path: Path
    folders: list[str] | None = None
    sent_folders: list[str] | None = None


class Cursor(msgspec.Struct, frozen=True):
    """What the engine keeps for us, as JSON."""

    folders: dict[str, str]  # hashes of the letters that were handed over, in base64


class _File(msgspec.Struct, frozen=True, kw_only=True):
    """One letter as it lies in its folder."""

    unique: bytes
    path: bytes
    flags: bytes  # the letters behind ":2,"


class _Known(msgspec.Struct, frozen=True, kw_only=True):
    """The same, looked at."""

    file: _File
    at: float  # its file's time: not later than when the letter came here
    size: int
    problem: str = ""


class _Letter(NamedTuple):
    """The bytes of a letter, and the labels of the files that were left out of it."""

    raw: bytes
    left_out: tuple[Attachment, ...] = ()


class MaildirMailbox:
    what: ClassVar[Literal["mailbox", "calendar"]] = "mailbox"
    Options: ClassVar[type[base.Options]] = MaildirOptions

    def __init__(self, name: str, owner: str, options: MaildirOptions, scope: Scope) -> None:
        self.name, self.owner = name, owner
        self._options, self._scope = options, scope
        self._root = os.fsencode(options.path)
        self._resting: dict[str, tuple[int, int]] = {}  # folder -> change times of a listing that gave nothing new
        self._given: str | None = None  # the cursor for which that holds

    def fetch(self, cursor: str | None) -> Iterator[Batch]:
        start = _parsed(cursor)
        choice = self._choice()
        resting = self._resting if cursor is not None and cursor == self._given else {}
        seen: dict[str, bytearray] = {}
        todo: list[tuple[Folder, list[_Known]]] = []
        changed: dict[str, tuple[int, int]] = {}
        for folder in choice.read:
            before = bytearray(base64.b64decode(start.folders.get(folder.name, "")))
            changed[folder.name] = _changes(self._place(folder))
            if resting.get(folder.name) == changed[folder.name] != (0, 0):
                seen[folder.name] = before
                continue
            seen[folder.name], fresh = self._news(folder, before)
            todo.append((folder, fresh))
        total, done, given = sum(len(fresh) for _, fresh in todo), 0, cursor
        for folder, fresh in todo:
            labels = self._labels(folder)
            for lot in _lots(fresh):
                items = tuple(filter(None, (self._item(folder, known, labels, choice) for known in lot)))
                for item in items:
                    seen[folder.name] += _hash(item.uid)
                done += len(lot)
                given = _written(seen)
                yield Batch(items=items, cursor=given, done=done, total=total)
        last = _written(seen)
        if last != given:
            yield Batch(items=(), cursor=last, done=done, total=total)
        if not total:
            self._resting, self._given = {k: v for k, v in changed.items() if _is_old(v)}, last

    def refs(self) -> Iterator[Ref]:
        for folder in self._choice().read:
            for known in self._known(folder, self._files(folder).values()):
                unique = _text(known.file.unique)
                yield Ref(ref=_ref(folder.name, unique), folder=folder.name, uid=unique)

    def get(self, refs: Sequence[str]) -> Iterator[Item]:
        choice = self._choice()
        folders = {folder.name: folder for folder in choice.read}
        wanted: dict[str, set[str]] = {}
        for ref in refs:
            name, unique = _place(ref)
            wanted.setdefault(name, set()).add(unique)
        for name, uniques in wanted.items():
            if name not in folders:
                continue
            files = self._files(folders[name])
            labels = self._labels(folders[name])
            for unique, file in files.items():
                known = _look(file, self._root) if unique in uniques else None
                item = self._item(folders[name], known, labels, choice) if known else None
                if item is not None:
                    yield item

    def recent_headers(self, count: int) -> list[bytes]:
        """The header blocks of the newest letters of INBOX, newest first."""
        inbox = Folder(name="INBOX")
        known = sorted(self._known(inbox, self._files(inbox).values()), key=_order)[-count:] if count > 0 else []
        read = [_read(one.file.path, BEGINNING) for one in reversed(known) if not one.problem]
        return [_header(raw) for raw in read if isinstance(raw, bytes)]

    def check(self) -> list[Finding]:
        choice = self._choice()
        return [Finding(level="ok", text=f"{self._options.path} is a Maildir"), *told(choice)]

    def close(self) -> None:
        """Nothing is held open."""

    # -- folders ------------------------------------------------------------------------------------------------

    def _choice(self) -> Choice:
        """The folders that are read. A Maildir that is not there is not an empty one."""
        try:
            names = [e.name for e in os.scandir(self._root) if e.is_dir(follow_symlinks=False)]
        except OSError as error:
            raise NeedsHuman(f"the Maildir {self._options.path} cannot be opened: {error.strerror}") from None
        if b"cur" not in names and b"new" not in names:
            raise NeedsHuman(f"{self._options.path} is no Maildir: it has no folder cur; correct path, or mount it")
        below = [Folder(name=_folder_name(n), wire=n) for n in names if n.startswith(b".") and n.strip(b".")]
        return choose(
            [Folder(name="INBOX"), *sorted((f for f in below if self._holds_mail(f)), key=lambda f: f.wire)],
            wanted=_dotted(self._options.folders),
            sent=_dotted(self._options.sent_folders),
            excluded=_dotted(self._scope.exclude_folders) or (),
        )

    def _holds_mail(self, folder: Folder) -> bool:
        return any(os.path.isdir(os.path.join(self._place(folder), part)) for part in (b"cur", b"new"))

    def _place(self, folder: Folder) -> bytes:
        return os.path.join(self._root, folder.wire) if folder.wire else self._root

    def _labels(self, folder: Folder) -> dict[int, str]:
        """The keywords behind the flags a to z, as Dovecot keeps them."""
        raw = _read(os.path.join(self._place(folder), b"dovecot-keywords"), 64 << 10)
        labels: dict[int, str] = {}
        for line in raw.splitlines() if isinstance(raw, bytes) else ():
            number, _, keyword = line.partition(b" ")
            if number.isdigit() and int(number) < 26:
                labels[ord("a") + int(number)] = decode_name(keyword)
        return labels

    # -- letters ------------------------------------------------------------------------------------------------

    def _files(self, folder: Folder) -> dict[str, _File]:
        """All letters of a folder; `new` first, so that one which moves meanwhile is seen at least once."""
        found: dict[str, _File] = {}
        for part in (b"new", b"cur"):
            where = os.path.join(self._place(folder), part)
            try:
                entries = os.scandir(where)
            except (FileNotFoundError, NotADirectoryError):
                continue  # the folder was removed just now, or has no such part
            except OSError as error:
                todo = "let this program read it, or exclude the folder"
                raise NeedsHuman(f"{os.fsdecode(where)} cannot be listed ({error.strerror}): {todo}") from None
            with entries:
                for entry in entries:
                    if not entry.name.startswith(b".") and not entry.is_dir():
                        unique, _, info = entry.name.partition(b":")
                        unique = _TAGS.sub(b"", unique) or unique
                        file = _File(unique=unique, path=entry.path, flags=info.removeprefix(b"2,"))
                        found[_text(unique)] = file
        return found

    def _known(self, folder: Folder, files: Iterable[_File]) -> Iterator[_Known]:
        since = self._scope.since.timestamp()
        for file in files:
            named = _time_of_name(file.unique)
            if named is not None and named < since:
                continue  # its file cannot be of more use: spare the look
            known = _look(file, self._root) or self._again(folder, file)
            if known is not None and known.at >= since:
                yield known

    def _again(self, folder: Folder, file: _File) -> _Known | None:
        """The letter moved or changed its flags since it was listed, or is gone."""
        moved = self._files(folder).get(_text(file.unique))
        return _look(moved, self._root) if moved else None

    def _news(self, folder: Folder, before: bytearray) -> tuple[bytearray, list[_Known]]:
        """The hashes that still count, and the letters that none of them stands for, oldest first."""
        hashes = [bytes(before[start : start + _HASH]) for start in range(0, len(before), _HASH)]
        known = set(hashes)
        present: set[bytes] = set()
        fresh: list[_File] = []
        since = self._scope.since.timestamp()
        for unique, file in self._files(folder).items():
            mine = _hash(unique)
            named = _time_of_name(file.unique)
            if mine not in known:
                fresh.append(file)
            elif named is None or named >= since:
                present.add(mine)
        kept = bytearray(b"".join(one for one in hashes if one in present))
        return kept, sorted(self._known(folder, fresh), key=_order)

    def _item(self, folder: Folder, known: _Known, labels: Mapping[int, str], choice: Choice) -> Item | None:
        """One letter; None when it is gone."""
        barred = {label.casefold(): label for label in self._scope.exclude_labels}
        mine = (labels.get(flag, "").casefold() for flag in known.file.flags)
        label = next((barred[one] for one in mine if one in barred), None)
        raw: _Letter | OSError = _Letter(b"")
        if label is None and not known.problem:
            raw = _read_letter(known)
            if isinstance(raw, FileNotFoundError):
                again = self._again(folder, known.file)
                if again is None:
                    return None
                known, raw = again, _read_letter(again)
        problem = known.problem if isinstance(raw, _Letter) else f"its file cannot be read: {raw.strerror}"
        content, attachments = raw if isinstance(raw, _Letter) else _Letter(b"")
        unique = _text(known.file.unique)
        return Item(
            ref=_ref(folder.name, unique),
            folder=folder.name,
            uid=unique,
            raw=content,
            attachments=attachments,
            received=_received(content, known.at),
            sent=folder.name in choice.sent,
            excluded=f"label {label}" if label is not None else "",
            size=known.size if label is None else 0,
            problem=problem if label is None else "",
        )


def _look(file: _File, root: bytes) -> _Known | None:
    """Size and time of a letter; None when it is not there (any more)."""
    try:
        found = os.lstat(file.path)
        leads_out = False
        if stat.S_ISLNK(found.st_mode):
            target = os.path.realpath(file.path)
            leads_out = not target.startswith(os.path.join(os.path.realpath(root), b""))
            if not leads_out:
                found, file = os.stat(target), msgspec.structs.replace(file, path=target)
    except FileNotFoundError:
        return None
    except OSError as error:
        return _Known(file=file, at=_time_of_name(file.unique) or time.time(), size=0, problem=f"{error.strerror}")
    problem = "it is a link that leads out of the mailbox" if leads_out else ""
    if not problem and not stat.S_ISREG(found.st_mode):
        problem = "it is no file"
    at = min(found.st_mtime, _time_of_name(file.unique) or found.st_mtime)
    return _Known(file=file, at=at, size=0 if problem else found.st_size, problem=problem)


def _read_letter(known: _Known) -> _Letter | OSError:
    """A letter, of a large one what is read of it; an error is a value of this one letter."""
    try:
        with _opened(known.file.path) as file:
            if known.size <= WHOLE_CAP:
                return _Letter(file.read(known.size))
            return _Letter(*large.shortened(file, known.size))
    except OSError as error:
        return error


def _read(path: bytes, most: int) -> bytes | OSError:
    """The beginning of a file."""
    try:
        with _opened(path) as file:
            return file.read(most)
    except OSError as error:
        return error


def _opened(path: bytes) -> BinaryIO:
    return open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW), "rb")


def _received(raw: bytes, at: float) -> datetime:
    """When the server took it. A file's time is that of the copying where mail was copied in: the letter knows better.

    The topmost Received is written by our own server; a letter without one tells its time only by its Date.
    """
    by_file = datetime.fromtimestamp(at, UTC)
    lines = _unfolded(_header(raw[: 64 << 10]))
    said = next((line.rpartition(b";")[2] for line in lines if line[:9].lower() == b"received:"), b"")
    said = said or next((line[5:] for line in lines if line[:5].lower() == b"date:"), b"")
    try:
        by_letter = parsedate_to_datetime(said[:100].decode("ascii", "replace").strip())
        if by_letter.tzinfo is None:
            by_letter = by_letter.replace(tzinfo=UTC)
        by_letter = by_letter.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return by_file
    return by_letter if _EPOCH < by_letter < by_file else by_file


def _header(raw: bytes) -> bytes:
    ends = [end for end in (raw.find(b"\r\n\r\n"), raw.find(b"\n\n")) if end >= 0]
    return raw[: min(ends) + 1] if ends else raw


def _unfolded(header: bytes) -> list[bytes]:
    lines: list[bytes] = []
    for line in header.splitlines():
        if line[:1] in (b" ", b"\t") and lines:
            if len(lines[-1]) < 4000:
                lines[-1] += b" " + line.strip()
        else:
            lines.append(line)
    return lines


def _lots(known: Sequence[_Known]) -> Iterator[list[_Known]]:
    """Batches, bounded in bytes; larger ones of very many, because each bears a cursor of them all."""
    most = BATCH if len(known) < 20_000 else BIG_BATCH
    lot: list[_Known] = []
    held = 0
    for one in known:
        cost = min(one.size, WHOLE_CAP)
        if lot and (len(lot) == most or held + cost > BATCH_BYTES):
            yield lot
            lot, held = [], 0
        lot.append(one)
        held += cost
    if lot:
        yield lot


def _order(known: _Known) -> tuple[float, bytes]:
    return known.at, known.file.unique


def _time_of_name(unique: bytes) -> float | None:
    found = _TIME.match(unique)
    return float(found[1]) if found else None


def _changes(place: bytes) -> tuple[int, int]:
    """When files came to or left `new` and `cur`; zeros when that cannot be said."""
    try:
        new, cur = (os.stat(os.path.join(place, part)).st_mtime_ns for part in (b"new", b"cur"))
    except OSError:
        return 0, 0
    return new, cur


def _is_old(changed: tuple[int, int]) -> bool:
    return max(changed) < time.time_ns() - _RESTING


def _hash(unique: str) -> bytes:
    return blake2b(unique.encode(), digest_size=_HASH).digest()


def _parsed(cursor: str | None) -> Cursor:
    if cursor is None:
        return Cursor(folders={})
    try:
        found = msgspec.json.decode(cursor, type=Cursor)
        for hashes in found.folders.values():
            base64.b64decode(hashes, validate=True)
    except (msgspec.MsgspecError, ValueError):
        raise CursorExpired("the cursor is not one of this mailbox") from None
    return found


def _written(seen: Mapping[str, bytearray]) -> str:
    folders = {name: base64.b64encode(hashes).decode() for name, hashes in seen.items()}
    return msgspec.json.encode(Cursor(folders=folders)).decode()


def _folder_name(wire: bytes) -> str:
    return "/".join(decode_name(part) for part in wire[1:].split(b"."))


def _dotted(names: Sequence[str] | None) -> list[str] | None:
    """Names as an admin writes them, with dots or slashes."""
    return None if names is None else [name.removeprefix(".").replace(".", "/") for name in names]


def _text(unique: bytes) -> str:
    return unique.decode("utf-8", "backslashreplace")


def _ref(folder: str, unique: str) -> str:
    return f"{folder.replace('%', '%25').replace('|', '%7C')}|{unique}"


def _place(ref: str) -> tuple[str, str]:
    folder, _, unique = ref.partition("|")
    return folder.replace("%7C", "|").replace("%25", "%"), unique
