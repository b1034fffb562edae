"""What one letter or calendar object settles by itself, before anybody is asked whose it is."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from agent.intake import Entry, House, content_name, keyed_hash, letter_of, prepare_event, prepare_letter
from agent.model import Message
from connectors.base import Item
from tests.core.builders import ANNA, BORIS, OUR_DOMAIN

JO = "jo@marlowkilns.example"
HOUSE = House(
    domains=(OUR_DOMAIN,),
    addresses=frozenset({ANNA, BORIS, "anna.freelance@gmail.com"}),
    authserv_ids=(f"mx.{OUR_DOMAIN}",),
    exclude_addresses=frozenset({"doctor@clinic.example"}),
    exclude_domains=("bank.example",),
    hash_key=b"k" * 16,
)
WINDOW = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 12, 31, tzinfo=UTC))
PASSED = f"Authentication-Results: mx.{OUR_DOMAIN}; dmarc=pass header.from=marlowkilns.example"
FAILED = f"Authentication-Results: mx.{OUR_DOMAIN}; spf=fail; dmarc=fail header.from=marlowkilns.example"


def item(raw: str, **more: Any) -> Item:
    return Item(ref="r", folder="INBOX", uid="1", raw=raw.replace("\n", "\r\n").encode(), **more)


def written(from_: str, to: str, *headers: str, text: str = "The drawings, as promised.", subject: str = "Kiln") -> str:
    head = [f"From: {from_}", f"To: {to}", "Date: Mon, 02 Mar 2026 10:00:00 +0000", "Message-ID: <1@mail.example>"]
    return "\n".join([*head, f"Subject: {subject}", "Content-Type: text/plain; charset=utf-8", *headers, "", text, ""])


def settled(raw: str, *, sent: bool = False) -> Entry:
    (entry,) = prepare_letter(item(raw, sent=sent), HOUSE).entries
    return entry


@pytest.mark.parametrize(
    ("from_", "to", "direction"),
    [
        (JO, ANNA, "inbound"),
        (ANNA, JO, "outbound"),
        (ANNA, f"{JO}, {BORIS}", "outbound"),
        (ANNA, BORIS, "internal"),
        (f"robot@crm.{OUR_DOMAIN}", ANNA, "internal"),
        ("anna.freelance@gmail.com", JO, "outbound"),
        (f"mallory@not{OUR_DOMAIN}", ANNA, "inbound"),
    ],
)
def test_the_direction_of_a_letter_is_seen_from_our_house(from_: str, to: str, direction: str) -> None:
    assert settled(written(from_, to)).direction == direction


def test_a_clients_letter_is_nobodys_to_settle_here() -> None:
    entry = settled(written(JO, ANNA, PASSED))
    assert (entry.skipped, entry.verified) == ("", "authenticated")
    assert entry.participants == (("from", JO), ("to", ANNA))
    assert entry.mentions == ("<1@mail.example>",)
    assert entry.record is not None
    assert msgspec.json.decode(entry.record, type=Message).text.strip() == "The drawings, as promised."


def test_a_letter_among_ourselves_is_internal_and_keeps_no_address_and_no_text() -> None:
    entry = settled(written(ANNA, BORIS, text="Jo wants five per cent off."))
    assert (entry.skipped, entry.record, entry.content) == ("internal", None, "")
    assert ANNA not in repr(entry)
    assert "five per cent" not in repr(entry)
    assert entry.participants[0] == ("from", keyed_hash(ANNA, HOUSE.hash_key))


def test_our_own_letter_is_trusted_by_its_folder() -> None:
    assert settled(written(ANNA, JO), sent=True).verified == "sent"
    assert settled(written(ANNA, JO)).verified == "unknown"


def test_a_letter_that_claims_to_be_ours_and_is_not_is_a_spoof() -> None:
    fails = f"Authentication-Results: mx.{OUR_DOMAIN}; spf=fail; dmarc=fail header.from={OUR_DOMAIN}"
    assert settled(written(ANNA, JO, fails)).skipped == "spoof"
    assert settled(written(ANNA, BORIS, fails)).skipped == "spoof"


def test_whether_a_failed_sender_claims_a_client_is_settled_later() -> None:
    entry = settled(written(JO, ANNA, FAILED))
    assert (entry.skipped, entry.verified) == ("", "failed")


def test_a_header_that_another_server_wrote_vouches_for_nobody() -> None:
    assert settled(written(JO, ANNA, PASSED.replace(f"mx.{OUR_DOMAIN}", "mx.evil.example"))).verified == "unknown"


@pytest.mark.parametrize(
    ("reason", "raw"),
    [
        ("auto_reply", written(JO, ANNA, "Auto-Submitted: auto-replied", subject="Automatic reply: Kiln")),
        ("auto_reply", written(JO, ANNA, "X-Autoreply: yes", subject="Re: Печь", text="Я в отпуске до 5 марта.")),
        (
            "bounce",
            written("MAILER-DAEMON@mx.marlowkilns.example", ANNA, subject="Undelivered Mail Returned to Sender"),
        ),
        (
            "list",
            written(
                JO, "potters@lists.example", "List-Id: <potters.lists.example>", "List-Post: <mailto:x@lists.example>"
            ),
        ),
    ],
)
def test_a_machines_letter_is_settled_at_once(reason: str, raw: str) -> None:
    assert settled(raw).skipped == reason


def test_a_list_of_our_own_house_or_a_letter_to_one_of_us_is_no_mailing_list() -> None:
    headers = ("List-Id: <potters.lists.example>", "Precedence: list")
    assert settled(written(JO, ANNA, *headers)).skipped != "list"
    ours = (f"List-Id: <sales.{OUR_DOMAIN}>", "Precedence: list")
    assert settled(written(JO, f"sales@{OUR_DOMAIN}", *ours)).skipped != "list"


def test_a_signing_services_notice_is_kept_as_evidence() -> None:
    raw = written("notify@signing.example", ANNA, subject="Completed: contract Q-1805", text="All parties have signed.")
    assert settled(raw).skipped == ""


def test_an_invitation_is_left_to_the_calendar() -> None:
    raw = "\n".join(
        [
            f"From: {JO}",
            f"To: {ANNA}",
            "Date: Mon, 02 Mar 2026 10:00:00 +0000",
            "Subject: Kiln demo",
            "Content-Type: text/calendar; method=REQUEST; charset=utf-8",
            "",
            *event("UID:demo@marlowkilns.example").splitlines(),
        ]
    )
    assert settled(raw).skipped == "calendar_notification"


@pytest.mark.parametrize("to", ["doctor@clinic.example", f"{BORIS}, x@bank.example", "x@cards.bank.example"])
def test_of_an_excluded_letter_nothing_is_known_but_the_rule(to: str) -> None:
    prepared = prepare_letter(item(written(ANNA, to, text="secret", subject="secret")), HOUSE)
    assert prepared.excluded in ("address", "domain")
    assert prepared.entries == ()
    assert "secret" not in repr(prepared)
    assert to not in repr(prepared)


def test_what_the_source_excludes_is_not_even_read() -> None:
    prepared = prepare_letter(Item(ref="r", folder="Private", uid="1", raw=b"", excluded="label no-crm"), HOUSE)
    assert (prepared.excluded, prepared.entries, prepared.digest) == ("label no-crm", (), "")


def test_a_reply_mentions_what_it_answers() -> None:
    raw = written(JO, ANNA, "In-Reply-To: <0@mail.example>", "References: <a@mail.example> <0@mail.example>")
    assert settled(raw).mentions == ("<1@mail.example>", "<0@mail.example>", "<a@mail.example>")


def test_the_same_words_from_two_mailboxes_are_read_once() -> None:
    one, two = (settled(written(JO, ANNA, f"X-Mailbox: {n}")) for n in (1, 2))
    assert one.content == two.content != ""
    other = settled(written(JO, ANNA, text="Something else."))
    assert other.content != one.content


def test_our_word_and_the_clients_word_are_read_apart() -> None:
    record = msgspec.json.decode(settled(written(JO, ANNA)).record or "", type=Message)
    assert content_name(letter_of(record, "inbound")) != content_name(letter_of(record, "outbound"))


# -- calendars ----------------------------------------------------------------------------------------------------


def event(*lines: str, start: str = "20260302T100000Z", end: str = "20260302T110000Z") -> str:
    body = ["BEGIN:VEVENT", *lines, f"DTSTART:{start}", f"DTEND:{end}", "DTSTAMP:20260301T090000Z", "END:VEVENT"]
    return "\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test//EN", *body, "END:VCALENDAR", ""])


def prepared_event(*lines: str, house: House = HOUSE) -> Any:
    return prepare_event(item(event("UID:demo", *lines)), house, WINDOW, "UTC", ANNA)


def test_a_meeting_is_kept_with_who_takes_part() -> None:
    (entry,) = prepared_event("SUMMARY:Kiln demo", f"ORGANIZER:mailto:{ANNA}", f"ATTENDEE:mailto:{JO}").entries
    assert (entry.kind, entry.identity, entry.direction) == ("meeting", "demo", "outbound")
    assert set(entry.participants) == {("organizer", ANNA), ("attendee", JO)}
    assert entry.mentions == ("uid:demo",)


def test_a_meeting_to_which_the_client_invites_is_inbound() -> None:
    (entry,) = prepared_event("SUMMARY:Kiln demo", f"ORGANIZER:mailto:{JO}", f"ATTENDEE:mailto:{ANNA}").entries
    assert entry.direction == "inbound"


def test_an_entry_without_guests_is_its_owners() -> None:
    (entry,) = prepared_event("SUMMARY:Marlow Kilns on site").entries
    assert entry.participants == (("organizer", ANNA),)


@pytest.mark.parametrize("mark", ["CLASS:PRIVATE", "CLASS:CONFIDENTIAL"])
def test_a_private_event_leaves_nothing(mark: str) -> None:
    prepared = prepared_event("SUMMARY:Dentist", mark)
    assert (prepared.excluded, prepared.entries) == ("private", ())
    assert "Dentist" not in repr(prepared)


def test_private_events_may_be_allowed() -> None:
    open_house = msgspec.structs.replace(HOUSE, private_events=False)
    assert len(prepared_event("SUMMARY:Dentist", "CLASS:PRIVATE", house=open_house).entries) == 1


def test_a_meeting_with_an_excluded_guest_leaves_nothing() -> None:
    prepared = prepared_event("SUMMARY:Check-up", f"ORGANIZER:mailto:{ANNA}", "ATTENDEE:mailto:doctor@clinic.example")
    assert (prepared.excluded, prepared.entries) == ("address", ())
    assert "clinic" not in repr(prepared)


def test_a_later_edition_of_a_meeting_takes_the_place_of_the_earlier_one() -> None:
    (old,) = prepared_event("SUMMARY:Kiln demo", "SEQUENCE:1").entries
    (new,) = prepared_event("SUMMARY:Kiln demo, new time", "SEQUENCE:2").entries
    assert new.rank < old.rank
    assert new.key == old.key
