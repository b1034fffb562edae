"""What the commands print of strangers' words is words: no terminal obeys it, and nothing in it hides."""

import copy
import json
import unicodedata
from pathlib import Path

import pytest

from tests.cli.conftest import Ran, ask
from tests.flow.company import ANNA, CONFIG, CRM, STAGES, event
from tests.hostile import mailbox
from tests.hostile.letters import HOSTILE, letter

SIGNS = "\x1b[31m\x1b]0;owned\x07\x9b2J\x08\x7f\u202e\u2066\u200b[/red][link=file:///etc]"
PRICE = f"""Dear Anna,

thank you for the offer. Your price is too high for us, a competitor offers the same for less {SIGNS}.

Regards
Vera
""".encode()
OBEYED = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200b\u2028\u2029")


def is_safe(ran: Ran) -> bool:
    text = (ran.out + ran.err).replace("\n", "")
    return not any(char in OBEYED or unicodedata.category(char) in ("Cc", "Cs") for char in text)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A company whose every name, subject, title, quotation and file name is hostile."""
    home = tmp_path_factory.mktemp("hostile")
    names = ("escapes", "backwards", "markup", "formula", "file name", "carriage return", "zero in every")
    strange = [made for name, made in HOSTILE.items() if any(word in name for word in names)]
    strange += [letter(PRICE, "text/plain; charset=utf-8", ("Subject", f"Offer {SIGNS}".encode()))]
    mailbox.fill(home / "mail", [made(number) for number, made in enumerate(strange)])
    (home / "mail" / "cur" / "1772500000.M9\x1b[31m\u202eP1.made").symlink_to("/etc/hostname")
    (home / "calendar").mkdir()
    meeting = event("m\x9b1", f"Visit {SIGNS}\\nEverything is fresh", mailbox.START)
    (home / "calendar" / "m.ics").write_text(meeting, encoding="utf-8", newline="")
    sources = (
        f'[[mailbox]]\nname = "anna"\nowner = "{ANNA}"\nkind = "maildir"\npath = "mail"\nsince = "2026-01-01"\n'
        f'[[calendar]]\nname = "visits"\nowner = "{ANNA}"\nkind = "ics"\npath = "calendar"\nsince = "2026-01-01"\n'
    )
    stages = "\n".join(f'[[pipeline.stage]]\nname = "{n}"\nreached_by = {json.dumps(by)}' for n, by in STAGES)
    (home / "config.toml").write_text(CONFIG.format(folder=home, sources=sources, stages=stages), encoding="utf-8")
    crm = copy.deepcopy(CRM)
    crm["deals"][0]["name"] = crm["companies"][0]["name"] = crm["contacts"][0]["name"] = f"Room {SIGNS}"
    (home / "crm.json").write_text(json.dumps(crm), encoding="utf-8")
    return home


@pytest.fixture(scope="module")
def synced(folder: Path) -> list[Ran]:
    """What is said while the hostile company is taken in."""
    commands = (["import", "crm.json"], ["sync", "--dry-run"], ["sync", "--dry-run", "--json"], ["sync"], ["reconcile"])
    return [ask(folder, *command) for command in commands]


def test_taking_in_hostile_letters_prints_nothing_that_a_terminal_obeys(synced: list[Ran]) -> None:
    assert [ran.code for ran in synced[:4]] == [0, 0, 0, 0], synced
    assert all(is_safe(ran) for ran in synced)
    assert "owned" in synced[1].out  # the words themselves are shown


REPORTS = ("objections", "logged", "skipped", "funnel", "stuck --days 0", "coverage", "mine OWNER")


@pytest.mark.parametrize("name", REPORTS)
@pytest.mark.parametrize("form", [[], ["--json"]], ids=["text", "json"])
def test_a_report_prints_nothing_that_a_terminal_obeys(
    folder: Path, synced: list[Ran], name: str, form: list[str]
) -> None:
    ran = ask(folder, "report", *name.replace("OWNER", ANNA).split(), *form)
    assert ran.code == 0
    assert is_safe(ran)
    if name == "objections":
        assert "too high for us" in ran.out


@pytest.mark.parametrize("form", [[], ["--json"]], ids=["text", "json"])
def test_the_status_names_what_was_not_read_and_prints_nothing_that_a_terminal_obeys(
    folder: Path, synced: list[Ran], form: list[str]
) -> None:
    ran = ask(folder, "status", *form)
    assert "it is a link that leads out of the mailbox" in ran.out
    assert is_safe(ran)


def test_every_letter_and_meeting_is_explained_without_anything_that_a_terminal_obeys(
    folder: Path, synced: list[Ran]
) -> None:
    rows = [row for row in ask(folder, "export").rows if row["kind"] in ("message", "meeting")]
    assert len(rows) > 12
    for row in rows:
        for form in ([], ["--json"]):
            assert is_safe(ask(folder, "explain", row["key"], *form))
    (visit,) = (row for row in rows if row["kind"] == "meeting")
    assert not any(
        line.strip() == "Everything is fresh" for line in ask(folder, "explain", visit["key"]).out.split("\n")
    )


def test_an_export_holds_nothing_that_a_terminal_obeys_and_says_the_same_in_a_file(
    folder: Path, synced: list[Ran]
) -> None:
    ran = ask(folder, "export")
    assert is_safe(ran)
    assert ask(folder, "export", "--output", "all.jsonl").code == 0
    assert (folder / "all.jsonl").read_text(encoding="utf-8") == ran.out
    names = {row["name"] for row in ran.rows if row["kind"] == "deal"}
    assert any("owned" in name for name in names)


def test_an_unknown_key_is_repeated_without_what_a_terminal_obeys(folder: Path) -> None:
    ran = ask(folder, "explain", f"key{SIGNS}")
    assert ran.code == 1
    assert is_safe(ran)
