"""What every mailbox connector promises; inherited by the test of each.

A test class derives from `MailboxSuite` and gives the fixture `mailbox`: an empty mailbox, as `Mailbox` says.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from zlib import crc32

import pytest

from agent.errors import CursorExpired
from connectors.base import Batch, Item, Scope

NOW = datetime.now(UTC).replace(microsecond=0)
LONG_AGO = NOW - timedelta(days=3650)


class Mailbox(Protocol):
    """What others do in a mailbox, and a way to open it anew as a source."""

    def deliver(
        self, raws: Sequence[bytes], folder: str = "INBOX", at: datetime | None = None, labels: Sequence[str] = ()
    ) -> None:
        """Letters arrive one after the other; `at` is when the server took them."""

    def remove(self, item: Item) -> None:
        """A letter is gone for good."""

    def remove_folder(self, folder: str) -> None:
        """A folder is gone with all that it held."""

    def open(self, scope: Scope, **options: Any) -> Any:
        """The connector, freshly made; closed by the fixture."""

    def snapshot(self) -> object:
        """All that stands in the mailbox, flags and folders included."""


def letter(subject: str, *, body: str = "Hello", date: datetime = NOW, headers: bytes = b"") -> bytes:
    """A small letter from an invented client."""
    return (
        b"From: Vera Lind <vera@client.example>\r\nTo: Anna <anna@ours.example>\r\n"
        + f"Subject: {subject}\r\nDate: {date:%a, %d %b %Y %H:%M:%S} +0000\r\n".encode()
        + f"Message-ID: <{crc32(subject.encode())}@client.example>\r\n".encode()
        + headers
        + f"\r\n{body}\r\n".encode()
    )


def letters(word: str, count: int) -> list[bytes]:
    return [letter(f"{word} {number}") for number in range(count)]


def scope(**changes: Any) -> Scope:
    return Scope(**{"since": LONG_AGO, **changes})


def run(source: Any, cursor: str | None = None) -> list[Batch]:
    return list(source.fetch(cursor))


def items(batches: Sequence[Batch]) -> list[Item]:
    return [item for batch in batches for item in batch.items]


def refs(batches: Sequence[Batch]) -> list[str]:
    return [item.ref for item in items(batches)]


class MailboxSuite:
    """Inherited by the tests of each kind of mailbox."""

    other_folder = "Clients/Лесная сказка"
    sent_folder = "Sent"

    @pytest.fixture
    def full(self, mailbox: Mailbox) -> Mailbox:
        """Three folders, one of which takes several batches."""
        mailbox.deliver(letters("inbox", 230))
        mailbox.deliver(letters("other", 3), self.other_folder)
        mailbox.deliver(letters("sent", 2), self.sent_folder)
        return mailbox

    def test_every_letter_is_handed_over_once_and_the_older_before_the_newer(self, full: Mailbox) -> None:
        source = full.open(scope())
        batches = run(source)
        for folder, expected in (("INBOX", letters("inbox", 230)), (self.other_folder, letters("other", 3))):
            assert [item.raw for item in items(batches) if item.folder == folder] == expected
        assert len(items(batches)) == 235
        assert len(set(refs(batches))) == 235
        assert max(len(batch.items) for batch in batches) <= 100
        assert batches[-1].done == 235
        source.close()
        source.close()

    def test_a_stopped_import_goes_on_to_the_letter_from_any_batch(self, full: Mailbox) -> None:
        batches = run(full.open(scope()))
        for number, batch in enumerate(batches, 1):
            source = full.open(scope())
            assert refs(run(source, batch.cursor)) == refs(batches[number:])

    def test_an_import_that_dies_inside_a_batch_gets_this_batch_again(self, full: Mailbox) -> None:
        source = full.open(scope())
        stream = source.fetch(None)
        first = next(stream)
        lost = next(stream)
        stream.close()
        assert refs(run(source, first.cursor))[: len(lost.items)] == [item.ref for item in lost.items]

    def test_what_arrives_later_is_seen_later(self, full: Mailbox) -> None:
        source = full.open(scope())
        cursor = run(source)[-1].cursor
        assert items(run(source, cursor)) == []
        full.deliver([letter("late, and copied in from last year")], at=NOW - timedelta(days=365))
        full.deliver([letter("late in another folder")], self.other_folder)
        late = items(run(source, cursor))
        assert sorted(item.raw for item in late) == sorted(
            [letter("late, and copied in from last year"), letter("late in another folder")]
        )

    def test_what_arrives_while_a_batch_is_handed_over_is_seen_once(self, full: Mailbox) -> None:
        source = full.open(scope())
        seen: list[Item] = []
        cursor: str | None = None
        for number, batch in enumerate(source.fetch(None)):
            seen.extend(batch.items)
            cursor = batch.cursor
            if number < 4:
                full.deliver([letter(f"meanwhile {number}")])
                full.deliver([letter(f"meanwhile elsewhere {number}")], self.other_folder)
        arrived = seen + items(run(source, cursor))
        assert len({item.ref for item in arrived}) == len(arrived) == len(list(source.refs()))
        assert len(arrived) > 238

    def test_asking_twice_from_one_cursor_gives_the_same(self, full: Mailbox) -> None:
        source = full.open(scope())
        batches = run(source)
        assert items(run(source)) == items(batches)
        assert refs(run(source, batches[0].cursor)) == refs(batches[1:])
        assert items(run(source, batches[-1].cursor)) == []

    def test_another_call_between_two_batches_does_not_disturb_them(self, full: Mailbox) -> None:
        source = full.open(scope())
        seen: list[Item] = []
        for batch in source.fetch(None):
            seen.extend(batch.items)
            assert [item.ref for item in source.get([seen[0].ref, seen[-1].ref])]
            assert len(list(source.refs())) == 235
            assert source.recent_headers(1)
        assert len({item.ref for item in seen}) == len(seen) == 235

    def test_since_is_exact_to_the_second(self, mailbox: Mailbox) -> None:
        since = NOW - timedelta(days=90)
        mailbox.deliver([letter("a second too old")], at=since - timedelta(seconds=1))
        mailbox.deliver([letter("just in time")], at=since)
        mailbox.deliver([letter("a week too old")], at=since - timedelta(days=7))
        mailbox.deliver([letter("a week later")], at=since + timedelta(days=7))
        source = mailbox.open(scope(since=since))
        expected = [letter("a week later"), letter("just in time")]
        batches = run(source)
        assert sorted(item.raw for item in items(batches)) == expected
        assert {ref.ref for ref in source.refs()} == set(refs(batches))

    def test_asking_for_mail_from_further_back_finds_it(self, mailbox: Mailbox) -> None:
        mailbox.deliver([letter("half a year ago")], at=NOW - timedelta(days=180))
        cursor = run(mailbox.open(scope(since=NOW - timedelta(days=90))))[-1].cursor
        source = mailbox.open(scope(since=NOW - timedelta(days=365)))
        try:
            found = run(source, cursor)
        except CursorExpired:  # before the first batch: the engine lists again
            found = run(source)
        assert [item.raw for item in items(found)] == [letter("half a year ago")]
        assert items(run(mailbox.open(scope(since=NOW - timedelta(days=80))), cursor)) == []

    def test_an_excluded_folder_is_not_read_nor_what_is_below_it(self, full: Mailbox) -> None:
        full.deliver(letters("deep", 1), "Private/Family")
        source = full.open(scope(exclude_folders=("private", self.other_folder.upper())))
        batches = run(source)
        assert {item.folder for item in items(batches)} == {"INBOX", self.sent_folder}
        assert {ref.folder for ref in source.refs()} == {"INBOX", self.sent_folder}
        everything = full.open(scope())
        barred = [ref.ref for ref in everything.refs() if ref.folder == "Private/Family"]
        assert barred
        assert list(source.get(barred)) == []

    def test_of_a_letter_with_an_excluded_label_nothing_is_fetched(self, mailbox: Mailbox) -> None:
        mailbox.deliver([letter("private matter")], labels=["no-crm"])
        mailbox.deliver([letter("business")], labels=["urgent"])
        source = mailbox.open(scope(exclude_labels=("No-CRM",)))
        found = items(run(source))
        private, business = sorted(found, key=lambda item: item.raw)
        assert (private.raw, private.excluded, private.size) == (b"", "label No-CRM", 0)
        assert (business.raw, business.excluded) == (letter("business"), "")
        assert {ref.ref for ref in source.refs()} == {item.ref for item in found}
        assert sorted(item.raw for item in source.get([private.ref, business.ref])) == [b"", letter("business")]

    def test_the_proof_names_exactly_what_was_handed_over(self, full: Mailbox) -> None:
        source = full.open(scope())
        batches = run(source)
        listed = list(source.refs())
        assert sorted(ref.ref for ref in listed) == sorted(refs(batches))
        assert {(ref.ref, ref.folder, ref.uid) for ref in listed} == {
            (item.ref, item.folder, item.uid) for item in items(batches)
        }

    def test_a_letter_can_be_had_again_byte_for_byte(self, full: Mailbox) -> None:
        source = full.open(scope())
        first = {item.ref: item for item in items(run(source))}
        wanted = list(first)[::7]
        again = {item.ref: item for item in source.get(wanted)}
        assert again == {ref: first[ref] for ref in wanted}

    def test_a_letter_that_is_gone_is_left_out_and_stops_nothing(self, full: Mailbox) -> None:
        source = full.open(scope())
        batches = run(source)
        gone = items(batches)[1], items(batches)[150]
        for item in gone:
            full.remove(item)
        assert list(source.get([item.ref for item in gone])) == []
        assert len(list(source.get(refs(batches)))) == 233
        assert len(items(run(source))) == 233
        assert items(run(source, batches[-1].cursor)) == []
        assert not {item.ref for item in gone} & {ref.ref for ref in source.refs()}

    def test_a_reference_of_another_mailbox_is_left_out(self, full: Mailbox) -> None:
        source = full.open(scope())
        assert list(source.get(["", "INBOX", "Nowhere|1|1", "INBOX|1|x", "INBOX|4294967295|4294967295"])) == []

    def test_mail_in_the_sent_folder_is_known_as_ours(self, full: Mailbox) -> None:
        source = full.open(scope())
        assert {(item.folder, item.sent) for item in items(run(source))} == {
            ("INBOX", False),
            (self.other_folder, False),
            (self.sent_folder, True),
        }

    def test_the_admin_names_the_folders_and_those_of_sent_mail(self, full: Mailbox) -> None:
        source = full.open(scope(), folders=["inbox", self.other_folder], sent_folders=[self.other_folder])
        assert {(item.folder, item.sent) for item in items(run(source))} == {
            ("INBOX", False),
            (self.other_folder, True),
        }
        assert any(self.sent_folder in finding.text for finding in source.check())

    def test_junk_trash_and_drafts_are_left_alone(self, mailbox: Mailbox) -> None:
        for folder in ("Junk", "Корзина", "Entwürfe", "Trash/Old"):
            mailbox.deliver(letters("noise", 1), folder)
        mailbox.deliver(letters("real", 1))
        source = mailbox.open(scope())
        assert {item.folder for item in items(run(source))} == {"INBOX"}
        assert any("Корзина" in finding.text and "trash" in finding.text for finding in source.check())

    def test_a_folder_made_later_is_read_and_one_that_vanishes_is_no_error(self, full: Mailbox) -> None:
        source = full.open(scope())
        cursor = run(source)[-1].cursor
        full.deliver(letters("project", 2), "New project")
        batches = run(source, cursor)
        assert [item.folder for item in items(batches)] == ["New project"] * 2
        full.remove_folder("New project")
        assert items(run(source, batches[-1].cursor)) == []
        assert len(list(source.refs())) == 235
        assert list(source.get(refs(batches))) == []

    def test_a_damaged_cursor_is_reported_before_the_first_batch(self, full: Mailbox) -> None:
        source = full.open(scope())
        for cursor in ("", "nonsense", "{}", "[1]", '{"since":"2020-01-01T00:00:00Z","folders":{"INBOX":"%"}}'):
            with pytest.raises(CursorExpired):
                next(source.fetch(cursor))

    def test_nothing_is_changed_in_the_mailbox(self, full: Mailbox) -> None:
        full.deliver([letter("labelled")], labels=["urgent"])
        before = full.snapshot()
        source = full.open(scope())
        batches = run(source)
        list(source.get(refs(batches)[:5]))
        list(source.refs())
        source.recent_headers(5)
        source.check()
        source.close()
        assert full.snapshot() == before

    def test_a_letter_with_hostile_headers_comes_as_it_is(self, mailbox: Mailbox) -> None:
        hostile = [
            letter("8 bit", headers=b"X-Raw: \xff\xfe\xc3\x28\r\n"),
            letter("long", headers=b"X-Long: " + b'"(' * 9000 + b"\r\n"),
            letter("commands", headers=b'X-Id: <a"b) {5}\r\n A1 DELETE "INBOX"\r\n\tx>\r\n'),
            letter("literal {10}", body="* 1 FETCH (UID 1 BODY[] {10}\r\na1 OK done"),
            letter("deep", headers=b"Content-Type: multipart/mixed; boundary=\r\n"),
            b"no header at all",
            b"\r\n\r\n",
        ]
        mailbox.deliver(hostile)
        source = mailbox.open(scope())
        found = items(run(source))
        assert [item.raw for item in found] == hostile
        assert all(item.problem == "" and item.size == len(item.raw) for item in found)

    def test_the_newest_headers_tell_which_server_took_the_mail(self, mailbox: Mailbox) -> None:
        source = mailbox.open(scope())
        assert source.recent_headers(3) == []
        for number in range(4):
            result = f"Authentication-Results: mx{number}.ours.example; dmarc=pass\r\n".encode()
            mailbox.deliver([letter(f"number {number}", headers=result)], at=NOW - timedelta(days=9 - number))
        headers = source.recent_headers(3)
        assert [b"mx3." in headers[0], b"mx2." in headers[1], b"mx1." in headers[2]] == [True] * 3
        assert all(b"Hello" not in header for header in headers)

    def test_the_check_says_what_is_read_and_what_counts_as_sent(self, full: Mailbox) -> None:
        source = full.open(scope(exclude_folders=(self.other_folder,)))
        text = "\n".join(finding.text for finding in source.check())
        assert "INBOX" in text
        assert self.sent_folder in text
        assert f"folder {self.other_folder} is left out: excluded" in text
