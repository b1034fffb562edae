"""The commands as a user meets them: what they print, in which language, how wide, and with which exit code."""

import json
import re
import stat
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from agent.texts import LANGUAGES
from tests.cli.conftest import COMPANY, Ran, ask, dealscribe

AMBIGUOUS = "1879D1AE-3279-4A27-9ED4-4142E2241A9C@larkmoor-hotels.example"
BOTH_DEALS = "<CAF0qhd0yHmPiWYxtb01XCDXw@mail.gmail.com>"
PRIVATE = "<CAF9xGbkf202Z0o6USgRu4UyA@mail.gmail.com>"
SERIES = "larkmoor-freezers-review@nordvale.example"
PAID = "<D076FAF960AD36B1220A9541@EX02.hartwell-dairy.example>"

Row = dict[str, Any]


# -- sync -------------------------------------------------------------------------------------------------------------


def test_the_first_sync_says_what_it_did_and_what_to_look_at(first_sync: Ran) -> None:
    assert re.match(r"112 new items collected, \d+ changes written to the CRM\.\n", first_sync.out)
    assert "saltmarsh-brewery.example (1)" in first_sync.out
    assert "Letters of Larkmoor Hotels that fit several deals: 1." in first_sync.out


def test_without_a_terminal_progress_is_one_json_line_per_event_beside_the_result(first_sync: Ran) -> None:
    events = [json.loads(line) for line in first_sync.err.splitlines()]
    assert {e["event"] for e in events} == {"progress"}
    last = {e["source"]: (e["done"], e["total"]) for e in events}
    assert last == {"ellen": (59, 59), "timur": (39, 39), "ellen-calendar": (8, 8), "timur-calendar": (6, 6)}


def test_a_second_sync_finds_and_writes_nothing(company: Path) -> None:
    before = ask(company, "export").out
    again = dealscribe(company, "sync", "--json", "--quiet")
    assert (again.code, again.err) == (0, "")
    (told,) = again.rows
    assert (told["collected"], told["written"], told["problems"]) == (0, 0, [])
    assert len(told["advice"]) == 2
    assert ask(company, "export").out == before


def test_a_dry_run_says_what_would_be_written_and_changes_nothing(company: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    text = (company / "config.toml").read_text(encoding="utf-8")
    config.write_text(re.sub(r'path = "', f'path = "{company}/', text), encoding="utf-8")
    assert dealscribe(tmp_path, "import", company / "crm.json").code == 0
    before = ask(tmp_path, "export").out
    dry = dealscribe(tmp_path, "sync", "--dry-run", "--quiet", "--json")
    assert dry.code == 0, dry.err
    (told,) = dry.rows
    logged = {change["body"]["activity"] for change in told["changes"] if change["kind"] == "log_activity"}
    assert {"deal_id": "d-01", "stage": "won"}.items() <= told["proposed"][0]["body"].items()
    assert len(logged) == sum(r["outcome"] == "logged" for r in _activities(company))
    assert ask(tmp_path, "export").out == before
    assert ask(tmp_path, "status").code == 1, "nothing has been polled"


def test_a_dry_run_after_a_sync_has_nothing_to_write_and_to_propose(company: Path) -> None:
    ran = ask(company, "sync", "--dry-run", "--quiet")
    assert (ran.code, ran.out) == (
        0,
        "Changes that would be written: 0.\nMoves and deals that would be proposed to a person: 0.\n",
    )


def _activities(company: Path) -> list[Row]:
    return [r for r in ask(company, "export").rows if r["kind"] in ("message", "meeting")]


# -- status, reconcile, check -----------------------------------------------------------------------------------------


def test_after_a_sync_everything_is_fresh_and_proved(company: Path) -> None:
    ran = ask(company, "status")
    assert ran.code == 0
    assert "Everything is fresh" in ran.out
    told = ask(company, "status", "--json").rows[0]
    assert told["green"]
    assert {s["name"] for s in told["sources"]} == {"ellen", "timur", "ellen-calendar", "timur-calendar"}
    assert all(s["last_proof"] and s["last_success"] and not s["last_error"] for s in told["sources"])


def test_status_report_and_export_count_the_same(company: Path) -> None:
    exported = Counter(r["outcome"] for r in _activities(company))
    told = ask(company, "status", "--json").rows[0]["outcomes"]
    assert {**exported, "excluded": 2} == told
    (left_out,) = [json.loads(line) for line in ask(company, "report", "skipped", "--json").out.splitlines()]
    sums: Counter[str] = Counter()
    for row in left_out:
        sums[row["outcome"]] += row["letters"] + row["meetings"]
    assert dict(sums) == {outcome: count for outcome, count in told.items() if outcome != "logged"}


def test_the_proof_holds_for_every_source_and_for_the_crm(company: Path) -> None:
    ran = dealscribe(company, "reconcile")
    assert ran.code == 0, ran.err
    assert "ellen: 59 of 59 items on the server have a row; 0 vanished since." in ran.out
    told = json.loads(dealscribe(company, "reconcile", "--json").out)
    assert all(s["holds"] for s in told["sources"])
    assert told["crm"]["missing"] == []


def test_check_connects_to_everything_and_finds_it_usable(company: Path) -> None:
    ran = ask(company, "check")
    assert ran.code == 0
    assert ran.out.endswith("The configuration is usable.\n")
    assert "mailbox ellen (maildir)" in ran.out
    assert "folders of sent mail: Sent" in ran.out


# -- report -----------------------------------------------------------------------------------------------------------


def test_the_funnel_counts_each_manager_and_all_together(company: Path) -> None:
    rows = json.loads(ask(company, "report", "funnel", "--json").out)
    for row in (r for r in rows if r["owner"] is None):
        managers = [r for r in rows if r["owner"] and (r["pipeline"], r["stage"]) == (row["pipeline"], row["stage"])]
        for name in ("entered", "here", "proposed"):
            counts = [r[name] for r in managers]
            assert max(counts) <= row[name] <= sum(counts), row  # a deal that two have in hand counts for both
    assert sum(r["here"] for r in rows if r["owner"] is None) == 10, "every deal stands somewhere"
    text = ask(company, "report", "funnel").out
    assert "Funnel: New business\n" in text
    assert "proposal: The client has our offer." in text
    assert "  Тимур Сабуров" in text


def test_a_lost_or_parked_deal_has_not_moved_on(company: Path) -> None:
    rows = json.loads(ask(company, "report", "funnel", "--json").out)
    assert all(r["moved_on"] is None for r in rows if r["stage"] in ("won", "lost"))
    assert all(r["moved_on"] <= r["entered"] - r["here"] for r in rows if r["moved_on"] is not None)


def test_the_objections_stand_at_their_stage_in_the_clients_words(company: Path, exported: list[Row]) -> None:
    text = " ".join(ask(company, "report", "objections").out.split())
    for row in (r for r in exported if r["kind"] == "objection"):
        assert " ".join(row["quote"].split()) in text
        assert f"at stage {row['stage']} (" in text
    assert "would buy if: дадите отсрочку 60 дней после пуска" in text
    assert "stalling, open: Фармацевтические холодильники, 12 аптек" in text


def test_what_was_logged_is_told_by_client_and_deal(company: Path, exported: list[Row]) -> None:
    rows = json.loads(ask(company, "report", "logged", "--json").out)
    counted = Counter({r["deal_id"]: r["letters"] + r["meetings"] for r in rows if r["deal_id"]})
    linked = Counter(i for r in exported if r["kind"] in ("message", "meeting") for i in r["deal_ids"])
    assert counted == linked
    (between,) = [r for r in rows if r["ambiguous"]]
    assert (between["client"], between["ambiguous"]) == ("Larkmoor Hotels", ["d-04", "d-05"])
    named = re.sub(r" {2,}\S.*", "", ask(company, "report", "logged").out.replace("\n  ", "\n"))  # the first column
    told = " ".join(named.split())
    assert "Walk-in freezers for three kitchens / Service plan, ice machines: nobody can tell" in told


def test_why_something_was_left_out_is_said_in_words(company: Path) -> None:
    text = ask(company, "report", "skipped").out
    assert re.search(r"skipped: list +a mailing list +1", text)
    assert re.search(r"excluded: private +private +2", text)


def test_an_empty_store_has_empty_reports(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[organization]\ndomains = ["ours.example"]\n', encoding="utf-8")
    assert ask(tmp_path, "report", "funnel") == Ran(1, "", "No pipeline is configured.\n")
    assert ask(tmp_path, "report", "logged").out == "Nothing has been logged yet.\n"
    assert ask(tmp_path, "report", "skipped").out == "Nothing was left out.\n"
    assert (
        ask(tmp_path, "report", "stuck").out == "No open deal has been without a letter from its client for 14 days.\n"
    )
    assert ask(tmp_path, "report", "coverage").out == "Nothing has been logged yet.\n"
    assert ask(tmp_path, "sync").err == "No mailbox or calendar is configured.\n"
    assert ask(tmp_path, "export") == Ran(0, "", "")


# -- explain ----------------------------------------------------------------------------------------------------------


def test_explain_shows_both_candidates_of_the_ambiguous_letter(company: Path) -> None:
    text = ask(company, "explain", AMBIGUOUS).out
    assert "c-04 Larkmoor Hotels: logged" in text
    assert re.search(r"\? d-04 Walk-in freezers for three kitchens: [\d.]+ = contact", text)
    assert "Nobody can tell between d-04, d-05." in text


def test_explain_shows_the_chosen_deal_and_what_was_written(company: Path) -> None:
    text = ask(company, "explain", BOTH_DEALS).out
    assert "Seen in ellen, folder INBOX" in text
    assert "Seen in timur, folder INBOX" in text
    assert re.search(r"=> d-04 Walk-in freezers for three kitchens: .*number", text)
    assert "In the CRM: logged (written, log:m:" in text, "a key is shown as it is"


def test_explain_shows_what_waits_for_a_person(company: Path) -> None:
    assert "Proposed, not written: d-01 Cold room for the curd hall to won" in ask(company, "explain", PAID).out


def test_of_a_private_letter_explain_knows_the_reason_and_no_word(company: Path) -> None:
    text = ask(company, "explain", PRIVATE).out
    assert "Nothing of its text is kept." in text
    assert "private" in text
    assert "birthday" not in text


def test_explain_tells_every_meeting_of_a_series(company: Path) -> None:
    assert ask(company, "explain", SERIES).out.count("Meeting e:") == 3
    assert len(json.loads(ask(company, "explain", SERIES, "--json").out)) == 3


def test_explain_of_something_unknown_is_a_no(company: Path) -> None:
    assert ask(company, "explain", "nobody@nowhere.example") == Ran(
        1, "", "Nothing is known of 'nobody@nowhere.example'.\n"
    )


# -- export, import, classify -----------------------------------------------------------------------------------------


def test_an_exported_file_is_readable_by_its_owner_alone(company: Path, tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.touch(mode=0o644)
    assert ask(company, "export", "--output", file).code == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_text(encoding="utf-8") == ask(company, "export").out


def test_importing_the_same_again_changes_nothing(company: Path) -> None:
    assert ask(company, "import", "crm.json").out == "0 new rows, 0 changed, 35 as before.\n"


def test_classify_reads_letters_without_any_configuration(tmp_path: Path) -> None:
    letter = {"id": "1", "direction": "inbound", "subject": "", "body": "Too dear: Smith asks 300 less.", "x": 1}
    ran = dealscribe(tmp_path, "classify", told=json.dumps(letter) + "\n")
    assert ran.code == 0
    assert [o["type"] for o in ran.rows[0]["objections"]] == ["price"]
    hiding = letter | {"body": letter["body"] + " \u202e\x9b2J too dear: it costs 31 more than the last one"}
    told = dealscribe(tmp_path, "classify", told=json.dumps(hiding) + "\n").out
    assert not any(sign in told for sign in "\u202e\x9b")
    odd = dealscribe(tmp_path, "classify", told="nonsense\n")
    assert (odd.code, odd.rows[0]["id"]) == (1, None)


# -- what is wrong is said in a sentence ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "code", "says"),
    [
        ("sync --source nobody", 1, "There is no source 'nobody'; known are: ellen, timur, ellen-calendar"),
        ("sync --since yesterday", 2, "must be a span or a day, e.g. 90d or 2026-01-01"),
        ("import nothing.json", 1, "nothing.json: cannot be read: No such file or directory"),
        ("import broken.json", 1, "broken.json, line 1: "),
        ("import list.json", 1, "list.json: an object with the tables reps, pipelines, companies"),
        ("import wrong.json", 1, "nothing was imported:\ncompanies: a list of rows is expected\ndeals, row 1: "),
        ("export --output nowhere/rows.jsonl", 3, "nowhere/rows.jsonl cannot be written: No such file or directory"),
        ("export --output mail", 3, "mail cannot be written: Is a directory"),
        ("status --config nothing.toml", 3, "nothing.toml cannot be read: No such file or directory"),
        ("status --config broken.toml", 3, "broken.toml:1: is not TOML"),
        ("status --config wrong.toml", 3, "wrong.toml:5: mailbox \"a\", kind: unknown kind; did you mean \"imap\"?"),
        ("status --config no-folder.toml", 3, "the store /proc/nowhere/x.db cannot be opened for writing"),
        ("status --config no-database.toml", 3, "the store cannot be used: file is not a database"),
        ("report nothing", 2, "'nothing' is not one of"),
        ("nothing", 2, "No such command 'nothing'"),
        ("explain", 2, "Missing argument"),
    ],
)  # fmt: skip
def test_wrong_input_ends_with_a_sentence_and_its_exit_code(
    command: str, code: int, says: str, company: Path, wrong_files: None
) -> None:
    ran = ask(company, *command.split())
    assert (ran.code, ran.out) == (code, "")
    assert says in ran.err
    assert "Traceback" not in ran.err


@pytest.fixture(scope="module")
def wrong_files(company: Path) -> None:
    files = {
        "broken.json": '{"deals":',
        "list.json": "[]",
        "wrong.json": '{"deals": [{"id": 1}], "companies": 3}',
        "broken.toml": "x =\n",
        "wrong.toml": '[organization]\ndomains = ["a.example"]\n[[mailbox]]\nname = "a"\nkind = "imapp"\n',
        "no-folder.toml": _with_store(company, "sqlite:////proc/nowhere/x.db"),
        "no-database.toml": _with_store(company, "sqlite:///crm.json"),
    }
    for name, text in files.items():
        (company / name).write_text(text, encoding="utf-8")


def _with_store(company: Path, url: str) -> str:
    return (company / "config.toml").read_text(encoding="utf-8").replace("sqlite:///nordvale.db", url)


def test_without_any_configuration_it_is_said_where_it_was_looked_for(tmp_path: Path) -> None:
    ran = dealscribe(tmp_path, "status", env={"HOME": str(tmp_path), "XDG_CONFIG_HOME": "", "DEALSCRIBE_CONFIG": ""})
    assert ran.code == 3
    assert f"there is no config.toml in any of {tmp_path}/config.toml" in ran.err
    assert "Traceback" not in ran.err


def test_a_mailbox_that_needs_a_person_ends_the_sync_with_3_and_the_others_go_on(tmp_path: Path) -> None:
    text = (COMPANY / "config.toml").read_text(encoding="utf-8").replace("mail/ellen", "mail/nobody")
    (tmp_path / "config.toml").write_text(re.sub(r'path = "', f'path = "{COMPANY}/', text), encoding="utf-8")
    ran = dealscribe(tmp_path, "sync", "--quiet")
    assert ran.code == 3
    assert ran.out.startswith("53 new items collected")
    assert re.match(r"ellen: the Maildir \S+ cannot be opened: No such file or directory\n$", ran.err)
    status = ask(tmp_path, "status")
    assert status.code == 1
    assert "- ellen: the Maildir" in status.out
    assert re.search(r"ellen: tried again in \d+ min", status.out)


# -- languages and widths ---------------------------------------------------------------------------------------------

TABLES = ("status", "report funnel", "report logged", "report skipped", "report coverage")
REPORTS = ("report objections", "report stuck --days 0", "report mine ellen@nordvale.example")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("command", TABLES)
def test_tables_fit_a_terminal_of_eighty_columns_and_no_word_is_cut(command: str, language: str, company: Path) -> None:
    ran = ask(company, *command.split(), language=language)
    assert ran.code == 0
    assert "…" not in ran.out
    lines = [line for line in ran.out.splitlines() if re.search(r"\d$|\d  ", line)]
    assert lines
    assert all(len(line) <= 80 for line in lines if not line.startswith("CRM"))


@pytest.mark.parametrize("command", [*TABLES, *REPORTS, f"explain {AMBIGUOUS}", "check", "sync --quiet"])
def test_russian_speaks_russian(command: str, company: Path) -> None:
    english, russian = (ask(company, *command.split(), language=code).out for code in LANGUAGES)
    assert russian != english
    assert re.search("[а-яё]", russian)


def test_help_lists_every_command_with_a_line(company: Path) -> None:
    ran = ask(company, "--help")
    assert ran.code == 0
    for name in ("sync", "status", "report", "explain", "reconcile", "check", "import", "export", "classify", "run"):
        assert re.search(rf"(?m)^\W*{name} +\w", ran.out), name


def test_the_story_of_an_objection_tells_its_whole_life_in_quoted_words(company: Path, exported: list[Row]) -> None:
    lives = [r for r in exported if r["kind"] == "objection" and len(r["life"]) > 1]
    assert lives
    for row in lives:
        told = " ".join(ask(company, "explain", row["key"]).out.split())
        for turn in row["life"]:
            assert f"“{' '.join(turn['quote'].split())}”" in told
            assert turn["evidence"] in told
