"""A calendar that is a file, a folder of files, or an address that gives one (kind = "ics").

An .ics file has no history, so the cursor remembers a short hash for each UID; what differs is handed over again. A
file is taken whole or not at all: one that is cut off may be half written, so we come back later.
"""

import os
import time
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import ClassVar, Literal, Self
from zlib import compress, decompressobj
from zlib import error as zlib_error

import msgspec
from pydantic import ConfigDict, field_validator, model_validator

from agent.errors import CursorExpired, DealscribeError, NeedsHuman, Retry
from connectors.base import Batch, Finding, Item, Options, Ref, Scope
from connectors.calendars import ical, web

MIN_BATCH = 200
MAX_BATCHES = 20  # each bears the whole cursor, so their number must not grow with the calendar
RACY = 2.0  # seconds: a file this young may change again without its time stamp showing it
MAX_CURSOR = 256 * 1024 * 1024


class IcsOptions(Options):
    """Either a path or a url."""

    model_config = ConfigDict(hide_input_in_errors=True)  # a calendar's private address is as good as a password

    path: Path | None = None  # an .ics file, or a folder of them
    url: str | None = None  # https://...; Google, Outlook and iCloud give a private one for each calendar
    ca_file: Path | None = None  # trust this authority, for a server with its own

    @field_validator("url")
    @classmethod
    def _url(cls, value: str | None) -> str | None:
        return None if value is None else web.checked(value.replace("webcal://", "https://", 1))

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.path is None) == (self.url is None):
            raise ValueError("an ics calendar needs either path or url")
        return self


Taken = tuple[str, Item, str]  # start as written, item, short hash of its content


class State(msgspec.Struct, frozen=True, array_like=True):
    """What the cursor says."""

    stamp: str  # of the file, folder or answer when it was last handed over whole; "" when it must be read again
    seen: dict[str, str]  # ref -> short hash of its content


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One look at the source."""

    items: dict[str, Item]  # by ref, oldest first
    hashes: dict[str, str]
    stamp: str
    kept: tuple[str, ...] = ()  # files that could not be read now: what they held stays as it was
    error: DealscribeError | None = None  # raised after the rest has been handed over


class IcsCalendar:
    """Constructed as every source: name, owner, options, scope."""

    what: ClassVar[Literal["mailbox", "calendar"]] = "calendar"
    Options: ClassVar[type[Options]] = IcsOptions

    def __init__(self, name: str, owner: str, options: IcsOptions, scope: Scope) -> None:
        self.name = name
        self.owner = owner
        self._options = options
        self._scope = scope
        self._web = web.Web(options.ca_file)

    def check(self) -> list[Finding]:
        return [Finding(level="ok", text=f"{len(self._now().items)} events and series")]

    def fetch(self, cursor: str | None) -> Iterator[Batch]:
        old = State("", {}) if cursor is None else _load(cursor)
        seen = self._look(old.stamp)
        if seen is None:
            return
        changed = [ref for ref in seen.items if old.seen.get(ref) != seen.hashes[ref]]
        gone = [ref for ref in old.seen if ref not in seen.items and not ref.startswith(seen.kept)]
        if changed or gone or seen.stamp != old.stamp:
            yield from _batches(old, seen, changed, gone)
        if seen.error:
            raise seen.error

    def refs(self) -> Iterator[Ref]:
        for item in self._now().items.values():
            yield Ref(ref=item.ref, folder=item.folder, uid=item.uid)

    def get(self, refs: Sequence[str]) -> Iterator[Item]:
        items = self._now().items
        yield from (items[ref] for ref in refs if ref in items)

    def close(self) -> None:
        self._web.close()

    def _now(self) -> Seen:
        seen = self._look("")
        if seen is None:
            raise Retry("the calendar's server says that nothing changed, though it was not asked that")
        if seen.error:
            raise seen.error
        return seen

    def _look(self, stamp: str) -> Seen | None:
        """What the source holds now, or None if it is as it was at `stamp`."""
        if self._options.url is not None:
            return self._look_at_url(self._options.url, stamp)
        path = self._options.path or Path()
        try:
            names = sorted(path.glob("*.ics")) if path.is_dir() else [path]
            now = _stamp(names)
            return None if now and now == stamp else self._read(names, path.is_dir(), now)
        except FileNotFoundError:
            if path.exists():
                raise Retry(f"a file in {path} went away while it was read") from None
            raise NeedsHuman(f"{path} is not there: correct `path`, or export the calendar to it") from None
        except PermissionError:
            raise NeedsHuman(f"{path} may not be read: give this user the right to") from None
        except OSError as error:
            raise Retry(f"{path} cannot be read: {error.strerror}") from None

    def _read(self, paths: Sequence[Path], folder: bool, stamp: str) -> Seen:
        taken: list[Taken] = []
        kept: list[str] = []
        error: DealscribeError | None = None
        for path in paths:
            prefix = f"{path.name}|" if folder else ""
            try:
                taken += self._take(_bytes(path), prefix, path.name if folder else "")
            except (Retry, NeedsHuman) as problem:
                kept.append(prefix)
                error = type(problem)(f"{path}: {problem}")
        return _seen(taken, "" if error else stamp, tuple(kept), error)

    def _look_at_url(self, url: str, stamp: str) -> Seen | None:
        etag, _, modified = stamp.partition(" ")
        asked = {"If-None-Match": etag, "If-Modified-Since": modified.replace("_", " ")}
        response = self._web.ask("GET", url, {name: value for name, value in asked.items() if value})
        if response.status_code == 304:
            return None
        if response.status_code != 200:
            raise web.refused(response)
        etag, modified = (response.headers.get(name, "").replace(" ", "_") for name in ("etag", "last-modified"))
        return _seen(self._take(response.content, "", ""), f"{etag} {modified}".rstrip())

    def _take(self, raw: bytes, prefix: str, folder: str) -> list[Taken]:
        """What one file holds; nothing at all of a file that is not whole."""
        file = ical.objects(raw)
        if not raw.strip() or (file.calendar and not file.complete):
            raise Retry("the calendar is cut off; it may be half written")
        if not file.calendar:
            raise NeedsHuman("this is no calendar: it has no BEGIN:VCALENDAR")
        taken = []
        for found in file.objects:
            rule = excluded_by(found.categories, self._scope)
            item = Item(
                ref=prefix + found.uid,
                folder=folder,
                uid=found.uid,
                raw=b"" if rule else found.raw,
                excluded=rule,
                size=len(found.raw),
            )
            taken.append((found.start, item, "excluded" if rule else found.digest[:16]))
        return taken


def _bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        raw = file.read(web.MAX_BYTES + 1)
    if len(raw) > web.MAX_BYTES:
        raise NeedsHuman(f"it is larger than {web.MAX_BYTES >> 20} MB: split it into several calendars")
    return raw


def _seen(taken: Sequence[Taken], stamp: str, kept: tuple[str, ...] = (), error: DealscribeError | None = None) -> Seen:
    in_order = sorted(taken, key=lambda one: (one[0], one[1].ref))
    return Seen(
        items={item.ref: item for _, item, _ in in_order},
        hashes={item.ref: text for _, item, text in in_order},
        stamp=stamp,
        kept=kept,
        error=error,
    )


def excluded_by(categories: Sequence[str], scope: Scope) -> str:
    """The rule that keeps an event with these categories out, or ""."""
    labels = {label.casefold(): label for label in scope.exclude_labels}
    return next((f"label {labels[name.casefold()]}" for name in categories if name.casefold() in labels), "")


def _batches(old: State, seen: Seen, changed: Sequence[str], gone: Sequence[str]) -> Iterator[Batch]:
    """What changed, oldest first. Until the last batch the cursor has no stamp, so that a resumed run looks again."""
    known = {ref: text for ref, text in old.seen.items() if ref not in set(gone)}
    size = max(MIN_BATCH, -(-len(changed) // MAX_BATCHES))
    for begin in range(0, max(1, len(changed)), size):
        part = changed[begin : begin + size]
        known |= {ref: seen.hashes[ref] for ref in part}
        last = begin + size >= len(changed)
        yield Batch(
            items=tuple(seen.items[ref] for ref in part),
            cursor=_dump(State(seen.stamp if last else "", known)),
            done=begin + len(part),
            total=len(changed),
            vanished=tuple(gone) if begin == 0 else (),
        )


def _stamp(paths: Sequence[Path]) -> str:
    """Names, sizes and times; "" while a file is so young that a second change might look like the first."""
    stats = [(path.name, os.stat(path)) for path in paths]
    if any(abs(time.time() - stat.st_mtime) < RACY for _, stat in stats):
        return ""
    listed = "\n".join(f"{name} {stat.st_ino} {stat.st_size} {stat.st_mtime_ns}" for name, stat in stats)
    return sha256(listed.encode("utf-8", "surrogateescape")).hexdigest()[:32]


def _dump(state: State) -> str:
    return "1:" + b64encode(compress(msgspec.json.encode(state), 6)).decode()


def _load(cursor: str) -> State:
    """Of one of our own cursors; anything else has expired."""
    version, _, text = cursor.partition(":")
    try:
        if version != "1":
            raise ValueError("written by another version")
        return msgspec.json.decode(decompressobj().decompress(b64decode(text), MAX_CURSOR), type=State)
    except (ValueError, zlib_error) as error:
        raise CursorExpired(f"the cursor cannot be read: {error}") from None
