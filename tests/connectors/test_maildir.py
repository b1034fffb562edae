"""A Maildir on disk, written as delivery agents and other mail programs write it."""

import os
import subprocess
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from imapclient.imap_utf7 import encode

from agent.errors import NeedsHuman
from connectors.base import Item, Scope
from connectors.mail import maildir
from connectors.mail.maildir import MaildirMailbox, MaildirOptions
from connectors.mail.mime import parse
from tests.connectors.mailbox_suite import NOW, MailboxSuite, items, letter, letters, run, scope


class OnDisk:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.count = 0
        self._make(root)

    def deliver(
        self, raws: Sequence[bytes], folder: str = "INBOX", at: datetime | None = None, labels: Sequence[str] = ()
    ) -> None:
        place = self.folder(folder)
        self._make(place)
        for raw in raws:
            self.write(place, raw, at or NOW, labels)

    def write(self, place: Path, raw: bytes, at: datetime, labels: Sequence[str] = ()) -> Path:
        self.count += 1
        name = f"{int(at.timestamp())}.M{self.count:06}P1.host,S={len(raw)}"
        if labels:
            (place / "dovecot-keywords").write_text("0 other\n1 urgent\n2 no-crm\n")
            flags = "".join({"urgent": "b", "no-crm": "c"}[label] for label in labels)
            path = place / "cur" / f"{name}:2,S{flags}"
        else:
            path = place / "new" / name
        path.write_bytes(raw)
        os.utime(path, (at.timestamp(), at.timestamp()))
        return path

    def remove(self, item: Item) -> None:
        for path in self.folder(item.folder).glob(f"*/{item.uid}*"):
            path.unlink()

    def remove_folder(self, folder: str) -> None:
        subprocess.run(["rm", "-r", str(self.folder(folder))], check=True)

    def folder(self, name: str) -> Path:
        if name == "INBOX":
            return self.root
        return self.root / ("." + ".".join(encode(step).decode() for step in name.split("/")))

    def open(self, scope: Scope, **options: Any) -> MaildirMailbox:
        return MaildirMailbox("anna", "anna@ours.example", MaildirOptions(path=self.root, **options), scope)

    def snapshot(self) -> object:
        return {
            str(path): (path.stat().st_mtime_ns, path.stat().st_ctime_ns, path.is_file() and path.read_bytes())
            for path in sorted(self.root.rglob("*"))
        }

    def _make(self, place: Path) -> None:
        for part in ("new", "cur", "tmp"):
            (place / part).mkdir(parents=True, exist_ok=True)


class TestMaildirMailbox(MailboxSuite):
    @pytest.fixture
    def mailbox(self, tmp_path: Path) -> OnDisk:
        return OnDisk(tmp_path / "Maildir")


@pytest.fixture
def disk(tmp_path: Path) -> OnDisk:
    return OnDisk(tmp_path / "Maildir")


def test_a_letter_that_is_read_flagged_or_synchronized_is_the_same_letter(disk: OnDisk) -> None:
    new = disk.write(disk.root, letter("offer"), NOW)
    source = disk.open(scope())
    first = run(source)
    for name in ("{}:2,", "{}:2,RS", "{},U=17:2,FRS"):
        (current,) = [*disk.root.glob("new/*"), *disk.root.glob("cur/*")]
        current.rename(disk.root / "cur" / name.format(new.name))
        assert run(source, first[-1].cursor) == []
        assert [ref.ref for ref in source.refs()] == [items(first)[0].ref]
        assert [item.raw for item in source.get([items(first)[0].ref])] == [letter("offer")]


@pytest.mark.parametrize("name", ["0000.M0P0.a", "zzzz", "1", "weird name\n{", "тест", "-", "x,1", "x,2"])
def test_a_file_is_seen_whatever_its_name_sorts_like(disk: OnDisk, name: str) -> None:
    disk.deliver(letters("before", 3))
    source = disk.open(scope())
    cursor = run(source)[-1].cursor
    (disk.root / "cur" / "x,3").write_bytes(letter("a neighbour"))
    (disk.root / "cur" / name).write_bytes(letter("named oddly"))
    found = items(run(source, cursor))
    assert sorted(item.raw for item in found) == [letter("a neighbour"), letter("named oddly")]
    assert [item.raw for item in source.get([item.ref for item in found])]


def test_a_clock_set_back_hides_no_letter(disk: OnDisk) -> None:
    disk.deliver(letters("today", 3), at=NOW)
    source = disk.open(scope())
    cursor = run(source)[-1].cursor
    disk.deliver([letter("after the clock went back")], at=NOW - timedelta(days=3))
    late = run(source, cursor)
    assert [item.raw for item in items(late)] == [letter("after the clock went back")]
    disk.deliver([letter("in the same second")], at=NOW - timedelta(days=3))
    assert [item.raw for item in items(run(source, late[-1].cursor))] == [letter("in the same second")]


def test_a_poll_with_nothing_new_lists_no_folder(disk: OnDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    disk.deliver(letters("old", 5), at=NOW - timedelta(days=2))
    for part in ("new", "cur"):
        os.utime(disk.root / part, (time.time() - 60, time.time() - 60))
    source = disk.open(scope())
    cursor = run(source)[-1].cursor
    assert run(source, cursor) == []
    listings: list[object] = []
    real: Callable[..., Any] = MaildirMailbox._files
    monkeypatch.setattr(MaildirMailbox, "_files", lambda self, folder: listings.append(folder) or real(self, folder))
    assert run(source, cursor) == []
    assert listings == []
    disk.deliver([letter("fresh")])
    assert [item.raw for item in items(run(source, cursor))] == [letter("fresh")]


def test_one_odd_file_is_reported_and_stops_no_other(disk: OnDisk, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"not mail")
    cur = disk.root / "cur"
    (cur / "2.out:2,").symlink_to(tmp_path / "secret")
    os.mkfifo(cur / "3.fifo:2,")
    (cur / "4.lost:2,").symlink_to(cur / "nowhere")
    (cur / "folder").mkdir()
    (cur / ".hidden").write_bytes(b"x")
    real = disk.write(disk.root, letter("real"), NOW)
    (cur / "5.inside:2,").symlink_to(real)
    source = disk.open(scope())
    found = {item.uid: item for item in items(run(source))}
    assert found["2.out"].problem == "it is a link that leads out of the mailbox"
    assert found["3.fifo"].problem == "it is no file"
    assert found["5.inside"].raw == letter("real")
    assert found["2.out"].raw == found["3.fifo"].raw == b""
    assert "folder" not in found
    assert "4.lost" not in found
    assert len(found) == 4
    assert {ref.uid for ref in source.refs()} == set(found)


def test_a_file_that_cannot_be_read_is_reported_and_the_next_is_read(
    disk: OnDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk.deliver([letter("one"), letter("two")])
    real = os.open

    def refuse(path: bytes, *rest: int) -> int:
        if b"M000001" in path:
            raise PermissionError(13, "Permission denied")
        return real(path, *rest)

    monkeypatch.setattr(os, "open", refuse)  # root may read everything, so the rights alone cannot refuse it
    first, second = items(run(disk.open(scope())))
    assert (first.raw, first.problem) == (b"", "its file cannot be read: Permission denied")
    assert (second.raw, second.problem) == (letter("two"), "")


def test_a_letter_that_moves_while_it_is_read_is_found_again(disk: OnDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    path = disk.write(disk.root, letter("moving"), NOW)
    gone = disk.write(disk.root, letter("going"), NOW)
    real = maildir._read_letter

    def move_first(known: Any) -> Any:
        if path.exists():
            path.rename(disk.root / "cur" / f"{path.name}:2,S")
            gone.unlink()
        return real(known)

    monkeypatch.setattr(maildir, "_read_letter", move_first)
    batches = run(disk.open(scope()))
    assert [item.raw for item in items(batches)] == [letter("moving")]


def test_of_a_huge_letter_the_text_is_read_and_the_file_is_named(disk: OnDisk) -> None:
    head = b"Content-Type: multipart/mixed; boundary=b\n" + letter("huge").partition(b"\n\n")[0]
    part = b"\n--b\nContent-Type: application/pdf; name=plan.pdf\nContent-Transfer-Encoding: base64\n\n"
    raw = (
        head + b"\n\n--b\n\nHere it is.\n" + part + b"QUJD\n" * (maildir.WHOLE_CAP // 4) + b"--b\n\nSee above.\n--b--\n"
    )
    disk.write(disk.root, raw, NOW)
    (item,) = items(run(disk.open(scope())))
    assert item.size == len(raw) > 1_000 * len(item.raw)
    read = parse(item.raw, item.received, item.size, item.attachments)
    assert read == parse(raw, item.received)
    assert read.text == "Here it is.\n\nSee above."
    assert [each.name for each in read.attachments] == ["plan.pdf"]


def test_a_maildir_that_is_not_mounted_is_not_an_empty_one(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nowhere"):
        source = MaildirMailbox("anna", "anna@ours.example", MaildirOptions(path=path), scope())
        for call in (source.check, lambda s=source: run(s), lambda s=source: list(s.refs())):
            with pytest.raises(NeedsHuman):
                call()


def test_folders_may_be_written_with_dots_as_on_disk(disk: OnDisk) -> None:
    disk.deliver(letters("nested", 1), "Clients/North")
    disk.deliver(letters("out", 1), "Sent")
    disk.deliver(letters("in", 1))
    (disk.root / ".&&&").mkdir()
    (disk.root / ".&&&" / "cur").mkdir()
    (disk.root / ".&&&" / "cur" / "1.x:2,S").write_bytes(letter("in a folder with a broken name"))
    for spelling in ("Clients.North", "clients/north", ".Clients.North"):
        assert [item.folder for item in items(run(disk.open(scope(), folders=[spelling])))] == ["Clients/North"]
    assert {item.folder for item in items(run(disk.open(scope())))} == {
        "INBOX",
        "Sent",
        "Clients/North",
        r"\x26\x26\x26",
    }


def test_mail_copied_in_today_keeps_the_time_at_which_it_came(disk: OnDisk) -> None:
    came = datetime(2025, 3, 4, 10, 30, tzinfo=UTC)
    stamp = b"Received: from mx.client.example\r\n by mx.ours.example; Tue, 4 Mar 2025 10:30:00 +0000\r\n"
    disk.write(disk.root, stamp + letter("received", date=came - timedelta(days=40)), NOW)
    disk.write(disk.root, letter("only a date", date=came), NOW)
    disk.write(disk.root, letter("from the future", date=NOW + timedelta(days=900)), NOW)
    disk.write(disk.root, b"Date: nonsense\r\n\r\nx", NOW)
    assert [item.received for item in items(run(disk.open(scope())))] == [came, came, NOW, NOW]


def test_the_cursor_of_twenty_thousand_letters_stays_below_a_quarter_of_a_megabyte(disk: OnDisk) -> None:
    for number in range(2000):
        (disk.root / "new" / f"{int(NOW.timestamp())}.M{number}P1.host").write_bytes(b"x")
    batches = run(disk.open(scope()))
    assert len(items(batches)) == 2000
    assert len(batches[-1].cursor) * 10 < 250_000
