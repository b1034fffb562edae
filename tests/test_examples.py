"""The sample company is whole: every letter can be read, nothing in it is real, and its three tellings agree."""

import json
import re
from datetime import datetime
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from icalendar import Calendar

from agent.model import MILESTONES, OBJECTION_TYPES
from connectors.text.html import to_text

COMPANY = Path(__file__).parents[1] / "examples" / "company"
REPS = ("ellen", "timur")
FREE_MAIL = ("gmail.com", "mail.ru")
OURS = "mx.nordvale.example;"

DOMAIN = re.compile(r"(?:@|https?://|www\.|helo=|header\.d=|mailfrom=)([A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+)")
ADDRESS = re.compile(r"\[(\d+\.\d+\.\d+\.\d+)\]")
NOBODYS = ("192.0.2.", "198.51.100.", "203.0.113.", "10.", "192.168.")  # kept for documentation, or private


def _json(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((COMPANY / name).read_text(encoding="utf-8"))
    return found


CRM = _json("crm.json")
EXPECTED = _json("expected.json")


@cache
def letters() -> dict[str, EmailMessage]:
    """Path below the company's folder -> the letter."""
    files = sorted(p for p in COMPANY.glob("mail/*/Maildir/**/*") if p.is_file() and not p.name.startswith("."))
    parser = BytesParser(policy=policy.default)
    return {str(p.relative_to(COMPANY)): parser.parsebytes(p.read_bytes()) for p in files}


def words(letter: EmailMessage) -> str:
    """What a reader sees, with blanks and line ends made one."""
    part = letter.get_body(("plain", "html"))
    text: str = part.get_content() if part else ""
    if part is not None and part.get_content_subtype() == "html":
        text = to_text(text)[0]
    return " ".join(text.split())


def the_copies(message_id: str) -> list[EmailMessage]:
    return [letters()[path] for path in EXPECTED["messages"][message_id]["files"]]


def test_there_are_at_least_sixty_letters_in_two_languages() -> None:
    texts = [words(the_copies(message_id)[0]) for message_id in EXPECTED["messages"]]
    russian = [text for text in texts if re.match(r"[^A-Za-z]*[А-Яа-яЁё]", text)]
    assert len(texts) >= 60
    assert len(russian) >= 25
    assert len(texts) - len(russian) >= 25


def test_every_letter_can_be_read_to_its_end() -> None:
    for path, letter in letters().items():
        assert [d for part in letter.walk() for d in part.defects] == [], path
        assert words(letter), path
        assert "�" not in words(letter) + str(letter["Subject"]), path


def test_every_letter_is_told_of_once_and_nothing_else_is() -> None:
    told = [path for message in EXPECTED["messages"].values() for path in message["files"]]
    assert sorted(told) == sorted(letters())
    for message_id in EXPECTED["messages"]:
        assert {copy["Message-ID"] for copy in the_copies(message_id)} == {message_id}


def test_every_letter_is_from_the_spring_of_2026() -> None:
    for path, letter in letters().items():
        assert datetime(2026, 3, 2) <= letter["Date"].datetime.replace(tzinfo=None) < datetime(2026, 6, 13), path  # noqa: DTZ001 - the writer's own clock


def test_some_letters_stand_in_both_mailboxes_and_are_the_same_letter() -> None:
    shared = [m for m in EXPECTED["messages"].values() if m["sources"] == list(REPS)]
    assert len([m for m in shared if m["outcome"] == "logged"]) >= 3
    for message in shared:
        first, second = (words(letters()[path]) for path in message["files"])
        assert first == second


def test_nothing_in_the_letters_and_calendars_leads_to_anybody_real() -> None:
    texts = {path: "\n".join([*map(str, m.values()), words(m)]) for path, m in letters().items()}
    texts |= {p.name: p.read_text(encoding="utf-8") for p in COMPANY.glob("calendars/*.ics")}
    texts |= {p.name: p.read_text(encoding="utf-8") for p in COMPANY.glob("*.*")}
    for path, text in texts.items():
        for domain in DOMAIN.findall(text):
            assert domain.lower().endswith((".example", *FREE_MAIL)), f"{path}: {domain}"
        for address in ADDRESS.findall(text):
            assert address.startswith(NOBODYS), f"{path}: {address}"


def test_a_free_mail_user_is_one_that_the_provider_would_not_allow() -> None:
    everyone = {a.addr_spec for m in letters().values() for a in m["From"].addresses}
    for address in everyone:
        user, _, domain = address.partition("@")
        if domain in FREE_MAIL:
            assert "not" in user, address
            assert "_" in user if domain == "gmail.com" else len(user) > 31, address


def test_our_own_server_has_judged_every_letter_that_came_in_and_none_that_we_sent() -> None:
    for path, letter in letters().items():
        verdicts = letter.get_all("Authentication-Results", [])
        if "/.Sent/" in path:
            assert not verdicts, path
            assert not letter.get_all("Received", []), path
        else:
            assert str(verdicts[0]).startswith(OURS), path


def test_the_forged_letter_brings_a_verdict_of_its_own_below_ours() -> None:
    (forged,) = (i for i, m in EXPECTED["messages"].items() if m["reason"] == "spoof")
    ours, theirs = map(str, the_copies(forged)[0].get_all("Authentication-Results", []))
    assert "dmarc=fail" in ours
    assert "dmarc=pass" in theirs


def test_the_letters_come_in_the_encodings_that_real_mail_has() -> None:
    parts = [part for letter in letters().values() for part in letter.walk() if not part.is_multipart()]
    assert {p.get_content_charset() for p in parts} >= {"utf-8", "koi8-r", "windows-1251", "windows-1252"}
    assert {str(p["Content-Transfer-Encoding"]) for p in parts} >= {"quoted-printable", "base64", "8bit", "7bit"}
    names = [p.get_filename() for p in parts if p.get_content_type() == "application/pdf"]
    assert "INV-2026-0112.pdf" in names
    assert "Договор_41-26_Южный_сад.pdf" in names


@pytest.mark.parametrize("message_id", [i for i, m in EXPECTED["messages"].items() if m["objections"]])
def test_what_the_client_holds_against_us_stands_in_his_letter(message_id: str) -> None:
    text = words(the_copies(message_id)[0])
    for objection in EXPECTED["messages"][message_id]["objections"]:
        quotes = [objection["reason"], objection["condition"]]
        assert all(quote in text for quote in quotes if quote)
        assert any(quotes) == objection["genuine"]


def test_the_truth_uses_the_words_of_the_product() -> None:
    deals = {d["id"] for d in CRM["deals"]}
    for message in EXPECTED["messages"].values():
        assert message["outcome"] in ("logged", "skipped", "waiting")
        assert (message["reason"] is None) == (message["outcome"] == "logged")
        assert {*message["milestones"], *message["milestones_tolerated"]} <= set(MILESTONES)
        assert {*message["deal_ids"], *message["ambiguous"]} <= deals
        for objection in message["objections"]:
            assert {objection["type"], *objection["also_ok"]} <= set(OBJECTION_TYPES)
            assert objection["deal_id"] in message["deal_ids"]


def test_the_crm_file_refers_only_to_what_it_holds() -> None:
    assert set(CRM) == {"as_of", "own_domains", "reps", "pipelines", "companies", "contacts", "deals"}
    companies, contacts = {c["id"] for c in CRM["companies"]}, {c["id"] for c in CRM["contacts"]}
    stages = {p["name"]: p["stages"] for p in CRM["pipelines"]}
    assert (len(CRM["contacts"]), len(CRM["deals"]), len(stages)) == (12, 10, 2)
    assert {c["company_id"] for c in CRM["contacts"]} == companies
    for deal in CRM["deals"]:
        assert deal["company_id"] in companies
        assert set(deal["contact_ids"]) <= contacts
        assert deal["owner"] in {r["id"] for r in CRM["reps"]}
        assert deal["stage"] in stages[deal["pipeline"]]
        assert datetime.fromisoformat(deal["created_at"]).tzinfo


def test_every_deal_starts_where_the_crm_has_it_and_its_way_is_proven_step_by_step() -> None:
    proofs = {*EXPECTED["messages"], *EXPECTED["meetings"]}
    for deal in CRM["deals"]:
        way = EXPECTED["deals"][deal["id"]]
        assert way["stages"][-1]["stage"] == way["final_stage"]
        assert {step.get("message_id") or step["uid"] for step in way["stages"]} <= proofs
        moments = [datetime.fromisoformat(step["date"]) for step in way["stages"]]
        assert moments == sorted(moments)
        assert datetime.fromisoformat(deal["created_at"]) < moments[0]


def test_every_calendar_entry_is_told_of() -> None:
    found: dict[str, set[str]] = {}
    for rep in REPS:
        calendar = Calendar.from_ical((COMPANY / "calendars" / f"{rep}.ics").read_bytes())
        for event in calendar.walk("VEVENT"):
            assert not event.errors
            found.setdefault(str(event["UID"]), set()).add(rep)
    assert found == {uid: set(meeting["sources"]) for uid, meeting in EXPECTED["meetings"].items()}


def _rows(heading: str) -> list[list[str]]:
    story = (COMPANY / "STORY.md").read_text(encoding="utf-8")
    section = story.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| ")][2:]
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows]


def _listed(cell: str) -> list[str]:
    return [] if cell == "-" else cell.split(", ")


def test_the_story_tells_the_same_of_every_letter_as_the_truth_for_machines() -> None:
    told = {}
    for _, letter, outcome, deal, proven, objections in _rows("Every letter"):
        told[letter.rpartition("<br>`")[2].strip("`")] = (outcome, deal, _listed(proven), objections)
    assert list(told) == list(EXPECTED["messages"])
    for message_id, message in EXPECTED["messages"].items():
        outcome, deal, milestones, objections = told[message_id]
        if message["ambiguous"]:
            assert (outcome, deal) == ("logged, ambiguous", " or ".join(message["ambiguous"]) + "?")
        elif message["outcome"] == "logged":
            assert (outcome, _listed(deal)) == ("logged", message["deal_ids"])
        else:
            assert outcome == f"{message['outcome']}: {message['reason']}"
        assert milestones == message["milestones"]
        for objection in message["objections"]:
            kind = "genuine" if objection["genuine"] else "stalling"
            assert f"{objection['type']} ({kind})" in objections
            assert all(f"“{q}”" in objections for q in (objection["reason"], objection["condition"]) if q)
        assert (objections == "-") == (not message["objections"])


def test_the_story_tells_the_same_of_every_meeting_and_deal_as_the_truth_for_machines() -> None:
    meetings = {row[1].rpartition("<br>`")[2].strip("`"): row for row in _rows("Every calendar entry")}
    assert list(meetings) == list(EXPECTED["meetings"])
    for uid, (_, _, calendars, outcome, deal) in meetings.items():
        meeting = EXPECTED["meetings"][uid]
        assert calendars.split(", ") == meeting["sources"]
        assert outcome == ": ".join(filter(None, [meeting["outcome"], meeting["reason"]]))
        assert _listed(deal) == meeting["deal_ids"]
    for deal_id, _, way, stands in _rows("The ten deals"):
        truth = EXPECTED["deals"][deal_id]
        assert re.findall(r"(\w+) \(\d\d \w{3}\)", way) == [step["stage"] for step in truth["stages"]]
        assert stands == truth["final_stage"]
