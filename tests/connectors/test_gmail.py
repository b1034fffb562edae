"""Gmail against the emulator: the contract of a source, and what Google says when it does not want to."""

import json
import traceback
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pydantic import ValidationError

from agent.errors import CursorExpired, NeedsHuman, Retry
from connectors import load
from connectors.base import Batch, Item, Scope
from connectors.mail.gmail import GmailMailbox, GmailOptions
from tests.connectors import mailbox_suite
from tests.servers.gmail import USER, Front, GmailServer, front, gmail_server

SINCE = datetime(2025, 1, 1, tzinfo=UTC)
SCOPE = Scope(since=SINCE)


@pytest.fixture(scope="module")
def emulator() -> Iterator[GmailServer]:
    with gmail_server() as running:
        yield running


@pytest.fixture
def gmail(emulator: GmailServer) -> GmailServer:
    emulator.empty()
    return emulator


@pytest.fixture
def google(gmail: GmailServer) -> Iterator[Front]:
    with front(gmail) as standing:
        yield standing


class Opened:
    """Opens mailboxes of the one user, and closes them all."""

    def __init__(self, folder: Path, server: GmailServer) -> None:
        self.file = folder / "grant.json"
        self.server = server
        self.boxes: list[GmailMailbox] = []
        self.store(server.credentials)

    def store(self, grant: str) -> None:
        self.file.write_text(grant)
        self.file.chmod(0o600)

    def __call__(
        self, scope: Scope = SCOPE, labels: tuple[str, ...] = (), endpoint: str = "", user: str = USER
    ) -> GmailMailbox:
        where = endpoint or self.server.url
        options = {"user": user, "credentials": {"file": str(self.file)}, "labels": labels, "endpoint": where}
        self.boxes.append(GmailMailbox("anna", "u-anna", GmailOptions.model_validate(options), scope))
        return self.boxes[-1]


@pytest.fixture
def opened(gmail: GmailServer, tmp_path: Path) -> Iterator[Opened]:
    opening = Opened(tmp_path, gmail)
    yield opening
    for box in opening.boxes:
        box.close()


def letter(number: int, text: str = "Hello") -> bytes:
    return (
        f"From: Ivan <ivan@client.example>\r\nTo: {USER}\r\nSubject: Offer {number}\r\n"
        f"Date: {day(number):%a, %d %b %Y %H:%M:%S} +0000\r\nMessage-ID: <{number}@client.example>\r\n\r\n{text}\r\n"
    ).encode()


def day(number: int) -> datetime:
    return SINCE + timedelta(days=number)


def deliver(gmail: GmailServer, number: int, *labels: str) -> str:
    return gmail.deliver(letter(number), labels or ("INBOX",), at=day(number))


class AsMailbox:
    """The emulator as the common suite knows a mailbox: a label for a folder."""

    system: ClassVar = {"SENT": "SENT", "Junk": "SPAM", "Корзина": "TRASH", "Trash/Old": "TRASH", "Entwürfe": "DRAFT"}

    def __init__(self, server: GmailServer, opened: Opened) -> None:
        self.server = server
        self.opened = opened
        self.count = 0

    def deliver(
        self, raws: Sequence[bytes], folder: str = "INBOX", at: datetime | None = None, labels: Sequence[str] = ()
    ) -> None:
        for raw in raws:
            self.count += 1
            taken = at or mailbox_suite.NOW + timedelta(milliseconds=self.count)
            self.server.deliver(raw, (self.system.get(folder, folder), *labels), at=taken)

    def remove(self, item: Item) -> None:
        self.server.delete(item.ref)

    def remove_folder(self, folder: str) -> None:
        for message, labels in self.server.everything().items():
            if self.server.label(folder) in labels:
                self.server.delete(message)

    def open(self, scope: Scope, **options: Any) -> GmailMailbox:
        return self.opened(scope, **options)

    def snapshot(self) -> object:
        return self.server.everything()


class TestGmailMailbox(mailbox_suite.MailboxSuite):
    sent_folder = "SENT"

    @pytest.fixture
    def mailbox(self, gmail: GmailServer, opened: Opened) -> AsMailbox:
        return AsMailbox(gmail, opened)

    def test_the_admin_names_the_folders_and_those_of_sent_mail(self, full: AsMailbox) -> None:
        """Gmail itself knows what was sent, so only the labels can be named."""
        source = full.open(mailbox_suite.scope(), labels=("inbox", self.other_folder))
        folders = {(item.folder, item.sent) for item in items(list(source.fetch(None)))}
        assert folders == {("INBOX", False), (self.other_folder, False)}

    def test_junk_trash_and_drafts_are_left_alone(self, mailbox: AsMailbox) -> None:
        """Gmail has one of each, under whatever name the user's language gives it."""
        for folder in ("Junk", "Корзина", "Entwürfe"):
            mailbox.deliver(mailbox_suite.letters("noise", 1), folder)
        mailbox.deliver(mailbox_suite.letters("real", 1))
        source = mailbox.open(mailbox_suite.scope())
        assert [item.folder for item in items(list(source.fetch(None)))] == ["INBOX"]
        assert [ref.folder for ref in source.refs()] == ["INBOX"]
        assert any("trash" in finding.text for finding in source.check())


def items(batches: list[Batch]) -> list[Item]:
    return [item for batch in batches for item in batch.items]


def ids(batches: list[Batch]) -> list[str]:
    return [item.ref for item in items(batches)]


# -- the contract -------------------------------------------------------------------------------------------------


def test_every_letter_is_handed_over_oldest_first_and_to_the_byte(gmail: GmailServer, opened: Opened) -> None:
    third, first, second = deliver(gmail, 3), deliver(gmail, 1), deliver(gmail, 2)
    batches = list(opened().fetch(None))
    assert ids(batches) == [first, second, third]
    assert [item.raw for item in items(batches)] == [letter(1), letter(2), letter(3)]
    assert [item.received for item in items(batches)] == [day(1), day(2), day(3)]
    assert (batches[0].done, batches[0].total) == (3, 3)


def test_a_first_import_goes_on_from_every_place_where_it_was_cut(
    gmail: GmailServer, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.mail.gmail.BATCH_ITEMS", 2)
    letters = [deliver(gmail, number) for number in range(1, 8)]
    batches = list(opened().fetch(None))
    assert [len(batch.items) for batch in batches] == [2, 2, 2, 1]
    for stored in range(1, len(batches) + 1):
        assert ids(list(opened().fetch(batches[stored - 1].cursor))) == letters[2 * stored :]


def test_a_first_import_goes_on_when_the_letter_it_stood_at_was_deleted(
    gmail: GmailServer, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.mail.gmail.BATCH_ITEMS", 2)
    letters = [deliver(gmail, number) for number in range(1, 6)]
    stored = next(opened().fetch(None))
    gmail.delete(letters[1])
    assert ids(list(opened().fetch(stored.cursor))) == letters[2:]


def test_what_arrives_later_is_seen_later_and_nothing_is_seen_twice(gmail: GmailServer, opened: Opened) -> None:
    deliver(gmail, 5)
    box = opened()
    first = list(box.fetch(None))
    late = gmail.deliver(letter(2), at=day(2))  # a letter moved in from elsewhere: older than what was seen
    new = deliver(gmail, 6)
    later = list(box.fetch(first[-1].cursor))
    assert ids(later) == [late, new]
    assert ids(list(box.fetch(later[-1].cursor))) == []
    assert list(box.fetch(later[-1].cursor)) == []


def test_what_arrives_while_a_batch_is_handed_over_is_seen_in_the_same_run(
    gmail: GmailServer, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.mail.gmail.BATCH_ITEMS", 2)
    letters = [deliver(gmail, number) for number in range(1, 4)]
    running = opened().fetch(None)
    seen = [next(running)]
    letters.append(deliver(gmail, 4))
    seen += running
    assert ids(seen) == letters
    assert list(opened().fetch(seen[-1].cursor)) == []


def test_many_new_letters_come_in_batches_that_each_can_be_gone_on_from(
    gmail: GmailServer, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.mail.gmail.BATCH_ITEMS", 2)
    monkeypatch.setattr("connectors.mail.gmail.PAGE", 3)
    start = list(opened().fetch(None))[-1].cursor
    letters = [deliver(gmail, number) for number in range(1, 8)]
    batches = list(opened().fetch(start))
    assert ids(batches) == letters
    for stored in range(1, len(batches) + 1):
        seen = ids(batches[:stored])
        assert seen + ids(list(opened().fetch(batches[stored - 1].cursor))) == letters


def test_an_empty_mailbox_gives_a_position_from_which_the_first_letter_is_seen(
    gmail: GmailServer, opened: Opened
) -> None:
    batches = list(opened().fetch(None))
    assert items(batches) == []
    first = deliver(gmail, 1)
    assert ids(list(opened().fetch(batches[-1].cursor))) == [first]


def test_letters_before_the_first_day_stay_outside_whenever_they_arrive(gmail: GmailServer, opened: Opened) -> None:
    deliver(gmail, -3)
    gmail.deliver(letter(0), at=SINCE - timedelta(milliseconds=1))
    exactly = gmail.deliver(letter(0), at=SINCE)
    box = opened()
    batches = list(box.fetch(None))
    assert ids(batches) == [exactly]
    assert [ref.ref for ref in box.refs()] == [exactly]
    deliver(gmail, -2)
    assert ids(list(box.fetch(batches[-1].cursor))) == []


def test_spam_trash_drafts_and_chats_are_left_out(gmail: GmailServer, opened: Opened) -> None:
    kept = deliver(gmail, 1)
    for number, label in enumerate(("SPAM", "TRASH", "DRAFT"), 2):
        deliver(gmail, number, label)
    box = opened()
    start = list(box.fetch(None))
    assert ids(start) == [kept]
    assert [ref.ref for ref in box.refs()] == [kept]
    spam = deliver(gmail, 6, "SPAM")
    draft = deliver(gmail, 7, "DRAFT")
    assert ids(list(box.fetch(start[-1].cursor))) == []
    assert list(box.get([spam, draft])) == []


def test_a_letter_that_is_rescued_from_spam_is_seen_then(gmail: GmailServer, opened: Opened) -> None:
    spam = deliver(gmail, 1, "SPAM")
    start = list(opened().fetch(None))[-1].cursor
    gmail.relabel(spam, add=["INBOX"], remove=["SPAM"])
    assert ids(list(opened().fetch(start))) == [spam]


def test_reading_and_starring_a_letter_is_no_news(gmail: GmailServer, opened: Opened) -> None:
    read = deliver(gmail, 1, "INBOX", "UNREAD")
    start = list(opened().fetch(None))[-1].cursor
    gmail.relabel(read, add=["STARRED"], remove=["UNREAD", "INBOX"])
    batches = list(opened().fetch(start))
    assert [(batch.items, batch.vanished) for batch in batches] == [((), ())]
    assert batches[0].cursor != start


def test_a_sent_letter_is_known_by_its_label(gmail: GmailServer, opened: Opened) -> None:
    deliver(gmail, 1, "INBOX")
    deliver(gmail, 2, "SENT")
    gmail.deliver(letter(3), labels=["Offers", "Zebra"], at=day(3))
    gmail.deliver(letter(4), labels=[], at=day(4))
    box = opened()
    seen = items(list(box.fetch(None)))
    assert [(item.folder, item.sent) for item in seen] == [
        ("INBOX", False),
        ("SENT", True),
        ("Offers", False),
        ("ARCHIVE", False),
    ]
    assert [(ref.ref, ref.folder, ref.uid) for ref in box.refs()] == [(i.ref, i.folder, i.uid) for i in seen]


def test_deleted_and_trashed_letters_are_named_as_vanished(gmail: GmailServer, opened: Opened) -> None:
    letters = [deliver(gmail, number) for number in range(1, 4)]
    start = list(opened().fetch(None))[-1].cursor
    gmail.delete(letters[0])
    gmail.trash(letters[1])
    box = opened()
    batches = list(box.fetch(start))
    assert [batch.vanished for batch in batches] == [(letters[0], letters[1])]
    assert [ref.ref for ref in box.refs()] == [letters[2]]
    assert [item.ref for item in box.get(letters)] == [letters[2]]


def test_letters_are_got_again_by_their_refs(gmail: GmailServer, opened: Opened) -> None:
    letters = [deliver(gmail, number) for number in range(1, 4)]
    again = list(opened().get([letters[2], "never-there", letters[0]]))
    assert [(item.ref, item.raw) for item in again] == [(letters[2], letter(3)), (letters[0], letter(1))]


def test_the_mailbox_is_left_as_it_was(google: Front, gmail: GmailServer, opened: Opened) -> None:
    unread = deliver(gmail, 1, "INBOX", "UNREAD")
    box = opened(endpoint=google.url)
    box.check()
    start = list(box.fetch(None))[-1].cursor
    deliver(gmail, 2, "INBOX", "UNREAD")
    assert len(list(box.fetch(start))) == 1
    assert len(list(box.refs())) == len(list(box.get([unread]))) + 1
    assert gmail.labels_of(unread) == {"INBOX", "UNREAD"}
    assert {asked.split()[0] for asked in google.asked} == {"GET"}


# -- labels -------------------------------------------------------------------------------------------------------


def test_a_letter_under_an_excluded_label_is_never_fetched(google: Front, gmail: GmailServer, opened: Opened) -> None:
    hidden = deliver(gmail, 1, "INBOX", "no-crm")
    family = deliver(gmail, 2, "No-crm/Family")
    open_letter = deliver(gmail, 3)
    scope = Scope(since=SINCE, exclude_labels=("No-CRM",))
    box = opened(scope, endpoint=google.url)
    batches = list(box.fetch(None))
    assert [(i.ref, i.excluded, i.raw != b"", i.size > 0) for i in items(batches)] == [
        (hidden, "label No-CRM", False, False),
        (family, "label No-CRM", False, False),
        (open_letter, "", True, True),
    ]
    late = deliver(gmail, 4, "INBOX", "no-crm")
    assert [(item.ref, item.raw) for item in items(list(box.fetch(batches[-1].cursor)))] == [(late, b"")]
    assert [(item.ref, item.raw) for item in box.get([hidden])] == [(hidden, b"")]
    assert {ref.ref for ref in box.refs()} == {hidden, family, open_letter, late}
    fetched = {asked for asked in google.asked if "format=raw" in asked}
    assert fetched
    assert all(open_letter in asked for asked in fetched)


def test_an_excluded_folder_is_a_label_and_what_is_below_it(google: Front, gmail: GmailServer, opened: Opened) -> None:
    deliver(gmail, 1, "INBOX", "Private/Family")
    moved, beside = deliver(gmail, 2), deliver(gmail, 3, "Privateers")
    box = opened(Scope(since=SINCE, exclude_folders=("private",)), endpoint=google.url)
    first = list(box.fetch(None))
    assert ids(first) == [moved, beside]
    gmail.relabel(moved, add=["Private/Family"])
    then = list(box.fetch(first[-1].cursor))
    assert [(batch.items, batch.vanished) for batch in then] == [((), (moved,))]
    google.asked.clear()
    assert [ref.ref for ref in box.refs()] == [beside]
    assert list(box.get([moved])) == []
    gmail.relabel(moved, remove=["Private/Family"])
    assert ids(list(opened(Scope(since=SINCE, exclude_folders=("private",))).fetch(then[-1].cursor))) == [moved]
    assert not any("format=raw" in asked for asked in google.asked)


def test_a_label_that_the_rep_sets_later_keeps_the_letter_out_from_then_on(gmail: GmailServer, opened: Opened) -> None:
    letters = [deliver(gmail, number) for number in (1, 2)]
    gmail.label("no-crm")
    scope = Scope(since=SINCE, exclude_labels=("no-crm",))
    first = list(opened(scope).fetch(None))
    gmail.relabel(letters[0], add=["no-crm"])
    then = list(opened(scope).fetch(first[-1].cursor))
    assert [(item.ref, item.excluded) for item in items(then)] == [(letters[0], "label no-crm")]
    gmail.relabel(letters[0], remove=["no-crm"])
    again = items(list(opened(scope).fetch(then[-1].cursor)))
    assert [(item.ref, item.excluded, item.raw) for item in again] == [(letters[0], "", letter(1))]


def test_only_the_letters_under_the_chosen_labels_are_taken(gmail: GmailServer, opened: Opened) -> None:
    deliver(gmail, 1)
    sales, partners = deliver(gmail, 2, "INBOX", "Sales"), deliver(gmail, 3, "Partners")
    box = opened(labels=("sales", "Partners"))
    start = list(box.fetch(None))
    assert ids(start) == [sales, partners]
    assert [ref.ref for ref in box.refs()] == [sales, partners]
    late = deliver(gmail, 4)
    gmail.relabel(late, add=["Sales"])
    gmail.relabel(sales, remove=["Sales"])
    later = list(box.fetch(start[-1].cursor))
    assert ids(later) == [late]
    assert [batch.vanished for batch in later] == [(sales,)]


def test_a_chosen_label_that_is_not_there_is_told_and_not_taken_for_an_empty_mailbox(opened: Opened) -> None:
    with pytest.raises(NeedsHuman, match="no label 'Sails'"):
        list(opened(labels=("Sails",)).fetch(None))


# -- what Google says ---------------------------------------------------------------------------------------------


def test_check_says_what_it_sees(google: Front, gmail: GmailServer, opened: Opened) -> None:
    scope = Scope(since=SINCE, exclude_labels=("no-crm",))
    found = opened(scope).check()
    assert [finding.level for finding in found] == ["ok", "note", "note"]
    assert "read-only" in found[0].text
    assert "no label 'no-crm' is there yet" in found[2].text
    google.answer("/profile", 200, {"emailAddress": "boris@vendor.example", "historyId": "1"})
    found = opened(endpoint=google.url).check()
    assert (found[1].level, found[1].suggest) == ("problem", 'user = "boris@vendor.example"')


def test_another_users_mailbox_is_not_read_in_this_ones_name(google: Front, opened: Opened) -> None:
    google.answer("/profile", 200, {"emailAddress": "boris@vendor.example", "historyId": "1"})
    with pytest.raises(NeedsHuman, match=r"boris@vendor\.example"):
        list(opened(endpoint=google.url).fetch(None))
    assert not any("/messages" in asked for asked in google.asked)


def test_the_newest_headers_show_under_which_name_gmail_verifies_senders(gmail: GmailServer, opened: Opened) -> None:
    verified = b"Authentication-Results: mx.google.com; dmarc=pass\r\n"
    for number in (1, 2, 3):
        gmail.deliver(verified + letter(number), at=day(number))
    deliver(gmail, 4, "INBOX", "no-crm")
    headers = opened(Scope(since=SINCE, exclude_labels=("no-crm",))).recent_headers(3)
    assert [header.splitlines()[0] for header in headers] == [verified.strip()] * 2
    assert b"Hello" not in b"".join(headers)


def test_where_profiles_exist_the_position_is_the_profiles(google: Front, gmail: GmailServer, opened: Opened) -> None:
    deliver(gmail, 1)
    google.answer("/profile", 200, {"emailAddress": USER, "historyId": "179000000000000000000000"})
    batches = list(opened(endpoint=google.url).fetch(None))
    assert json.loads(batches[0].cursor)["history"] == "179000000000000000000000"


def test_a_position_that_gmail_forgot_asks_for_a_new_list_before_anything_is_handed_over(
    google: Front, gmail: GmailServer, opened: Opened
) -> None:
    deliver(gmail, 1)
    cursor = list(opened().fetch(None))[-1].cursor
    google.refuse("/history", 404, "notFound")
    google.answer("/profile", 200, {"emailAddress": USER, "historyId": "1"})
    with pytest.raises(CursorExpired):
        next(opened(endpoint=google.url).fetch(cursor))
    assert len(items(list(opened(endpoint=google.url).fetch(None)))) == 1


@pytest.mark.parametrize("cursor", ["[]", "not ours", '{"history": "x"}', '{"history": 12}', "42"])
def test_a_position_that_is_not_gmails_asks_for_a_new_list(opened: Opened, cursor: str) -> None:
    with pytest.raises(CursorExpired):
        next(opened().fetch(cursor))


def test_a_withdrawn_grant_needs_a_human_and_shows_no_secret(gmail: GmailServer, opened: Opened) -> None:
    opened.store(json.dumps(json.loads(gmail.credentials) | {"refresh_token": "withdrawn-token"}))
    with pytest.raises(NeedsHuman, match="new refresh token") as caught:
        list(opened().fetch(None))
    assert "withdrawn-token" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("grant", ["not json", "[]", "{}", '{"client_id": "only-this-one"}'])
def test_credentials_that_cannot_be_used_need_a_human_and_are_not_repeated(opened: Opened, grant: str) -> None:
    opened.store(grant)
    with pytest.raises(NeedsHuman, match="client_id, client_secret and refresh_token") as caught:
        opened().check()
    assert "only-this-one" not in str(caught.value)


def test_a_grant_is_never_sent_over_an_open_line(gmail: GmailServer, opened: Opened) -> None:
    opened.store(json.dumps(json.loads(gmail.credentials) | {"token_uri": "http://token.example/"}))
    with pytest.raises(NeedsHuman, match="https://"):
        opened().check()
    with pytest.raises(ValidationError, match="https://"):
        opened(endpoint="http://mail.example/")


@pytest.mark.parametrize(
    ("status", "reason", "retry_after", "waits"),
    [
        (429, "rateLimitExceeded", "17", 17),
        (403, "rateLimitExceeded", "", None),
        (403, "userRateLimitExceeded", "3", 3),
        (403, "dailyLimitExceeded", "", 3600),
        (500, "backendError", "", None),
        (503, "backendError", "Wed, 01 Jan 2025 00:00:00 GMT", None),
    ],
)
def test_a_busy_google_is_asked_again_later(
    google: Front, opened: Opened, status: int, reason: str, retry_after: str, waits: float | None
) -> None:
    google.refuse("/messages", status, reason, **({"Retry_After": retry_after} if retry_after else {}))
    with pytest.raises(Retry) as caught:
        list(opened(endpoint=google.url).fetch(None))
    assert caught.value.after == waits


@pytest.mark.parametrize(
    ("status", "reason"),
    [(401, "authError"), (403, "insufficientPermissions"), (403, "accessNotConfigured"), (400, "")],
)
def test_a_google_that_says_no_needs_a_human(google: Front, opened: Opened, status: int, reason: str) -> None:
    google.refuse("/messages", status, reason)
    with pytest.raises(NeedsHuman, match=USER):
        list(opened(endpoint=google.url).fetch(None))


def test_a_google_that_points_elsewhere_does_not_get_the_token_sent_there(
    google: Front, gmail: GmailServer, opened: Opened
) -> None:
    with front(gmail) as elsewhere:
        google.answer("/messages", 302, Location=f"{elsewhere.url}/gmail/v1/users/me/messages")
        with pytest.raises(NeedsHuman, match="302"):
            list(opened(endpoint=google.url).fetch(None))
        assert elsewhere.asked == []


def test_a_broken_answer_or_a_broken_line_is_tried_again(google: Front, gmail: GmailServer, opened: Opened) -> None:
    google.answer("/messages", 200, b'{"messages": [')
    with pytest.raises(Retry):
        list(opened(endpoint=google.url).fetch(None))
    opened.store(json.dumps(json.loads(gmail.credentials) | {"token_uri": "http://127.0.0.1:1/"}))
    with pytest.raises(Retry):
        opened().check()
    with pytest.raises(Retry):
        opened(endpoint="http://127.0.0.1:1/").check()


def test_a_rate_limit_in_the_middle_keeps_what_was_handed_over(
    google: Front, gmail: GmailServer, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.mail.gmail.BATCH_ITEMS", 2)
    letters = [deliver(gmail, number) for number in range(1, 6)]
    google.refuse(f"/{letters[3]}", 403, "rateLimitExceeded")
    running = opened(endpoint=google.url).fetch(None)
    stored = next(running)
    with pytest.raises(Retry):
        next(running)
    google.answers.clear()
    assert ids([stored, *opened(endpoint=google.url).fetch(stored.cursor)]) == letters


def test_a_letter_without_readable_content_is_named_and_does_not_stop_the_rest(
    google: Front, gmail: GmailServer, opened: Opened
) -> None:
    odd, good = deliver(gmail, 1), deliver(gmail, 2)
    google.answer(f"/{odd}", 200, {"id": odd, "labelIds": ["INBOX"], "internalDate": str(2 * 10**12), "raw": "A"})
    seen = items(list(opened(endpoint=google.url).fetch(None)))
    assert [(item.ref, item.raw, item.problem != "") for item in seen] == [(odd, b"", True), (good, letter(2), False)]


def test_the_connector_is_found_by_its_kind() -> None:
    assert load("mailbox", "gmail") is GmailMailbox
