"""`review`, `undo`, `replay`, `report trust` and `explain` of a deal, as a user meets them."""

import json
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from agent.store import Store, sources
from agent.store.tables import reading
from classifiers import heads
from classifiers.manifest import read_manifest
from tests.classifiers.test_heads import untrained
from tests.classifiers.test_train import few_letters
from tests.cli.conftest import COMPANY, ask, dealscribe

CALL = "m:b415404d6b93bac36d80f1df08e4775df77359c4"  # fits two deals of Larkmoor Hotels
PAID = "stage:d-01:won:1"
Row = dict[str, Any]


@pytest.fixture
def answering(company: Path, tmp_path: Path) -> Path:
    """A company of one's own, as it stands after the first sync: answers change it."""
    folder = tmp_path / "company"
    shutil.copytree(company, folder)
    return folder


def cases(folder: Path) -> list[Row]:
    ran = ask(folder, "review", "--json")
    assert ran.code == 0
    return ran.rows


def exported(folder: Path, key: str) -> Row:
    (row,) = [r for r in ask(folder, "export").rows if r.get("key") == key]
    return row


# -- review -----------------------------------------------------------------------------------------------------------


def test_review_lists_what_waits_for_a_person_with_all_that_he_needs_to_answer(company: Path) -> None:
    found = {c["key"]: c for c in cases(company)}
    call, paid = found[CALL], found[PAID]
    assert (call["kind"], call["client"], call["subject"]) == ("which_deal", "Larkmoor Hotels", "Quick call")
    assert "can you ring me tomorrow" in call["quote"]
    assert [c["deal_id"] for c in call["choices"]] == ["d-04", "d-05"]
    assert call["answers"] == ["d-04", "d-05", "none", "both"]
    assert (paid["kind"], paid["deal_id"], paid["proposal"]) == ("closing", "d-01", "won")
    assert "transferred the 47,142" in paid["quote"]
    (forged,) = [c for c in found.values() if c["kind"] == "spoof"]
    assert forged["quote"] == ""
    assert forged["seen_in"][0].startswith("ellen, INBOX")


def typed(folder: Path, answers: dict[str, str], other: str = "s") -> str:
    """What a person types: for each case its answer, else to skip it."""
    return "".join(answers.get(c["key"], other) + "\n" for c in cases(folder))


def test_a_person_answers_one_case_after_the_other_and_is_not_asked_again(answering: Path) -> None:
    before = {c["key"] for c in cases(answering)}
    ran = dealscribe(answering, "review", told=typed(answering, {CALL: "what?\n2", PAID: "yes\na"}))
    assert ran.code == 0, ran.err
    assert ran.out.count(f"Which deal? ({len(before)} open)  Larkmoor Hotels") == 1
    assert ran.out.count("1-2, n none, b all of them, s skip, q quit?") == 2, "what is no answer is asked again"
    assert re.search(r"1\. d-04 Walk-in freezers for three kitchens: [\d.]+ = contact \+", ran.out)
    assert re.search(r"Is the deal over\? \(\d open\)  Cold room for the curd hall", ran.out)
    assert 'Proposed: d-01 Cold room for the curd hall: won (the pipeline has terminal = "propose")' in ran.out
    assert ran.out.endswith("2 answers kept.\n")
    assert {c["key"] for c in cases(answering)}.isdisjoint({CALL, PAID})
    assert exported(answering, CALL)["deal_ids"] == ["d-05"]
    assert exported(answering, PAID)["state"] == "written"
    (deal,) = [r for r in ask(answering, "export").rows if (r["kind"], r.get("id")) == ("deal", "d-01")]
    assert (deal["stage"], deal["status"]) == ("won", "won")


def test_quitting_and_the_end_of_the_input_keep_what_was_answered(answering: Path) -> None:
    assert dealscribe(answering, "review", told="none\nq\n").out.endswith("1 answers kept.\n")
    assert dealscribe(answering, "review", told="").out.endswith("0 answers kept.\n")
    assert CALL not in {c["key"] for c in cases(answering)}
    assert exported(answering, CALL)["deal_ids"] == []


def test_a_russian_answers_in_russian(answering: Path) -> None:
    told = typed(answering, {CALL: "о", PAID: "нет"}, other="п")
    ran = dealscribe(answering, "review", told=told, env={"DEALSCRIBE_LANGUAGE": "ru"})
    assert re.search(r"Какая сделка\? \(открыто \d+\)", ran.out)
    assert "1-2, н ни одна, о обе (все), п пропустить, в выйти?" in ran.out
    assert ran.out.endswith("Записано ответов: 2.\n")
    assert exported(answering, CALL)["deal_ids"] == ["d-04", "d-05"]


def test_a_script_answers_all_its_cases_or_none(answering: Path) -> None:
    before = cases(answering)
    wrong = ask(answering, "review", "--answer", f"{CALL}=d-05", "--answer", f"{PAID}=perhaps")
    assert wrong.code == 1
    assert wrong.err == f"'perhaps' is no answer to {PAID}; answers are: accept, decline.\n"
    assert cases(answering) == before
    assert ask(answering, "review", "--answer", CALL).code == 2
    ran = ask(answering, "review", "--answer", f"{CALL}=d-05", "--answer", f"{PAID}=decline")
    assert ran.out == "2 answers kept.\n"
    assert {c["key"] for c in cases(answering)}.isdisjoint({CALL, PAID})
    again = ask(answering, "review", "--answer", f"{PAID}=accept")
    assert (again.code, again.err) == (1, f"Nothing that waits for an answer is called '{PAID}'.\n")


def test_when_nothing_waits_review_says_so(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[organization]\ndomains = ["ours.example"]\n', encoding="utf-8")
    assert ask(tmp_path, "review").out == "Nothing waits for you.\n"
    assert ask(tmp_path, "review", "--json").out == ""
    assert ask(tmp_path, "report", "trust").out == "No move has been made or proposed.\n"


def test_what_a_sender_wrote_cannot_steer_the_terminal_of_whoever_answers(answering: Path) -> None:
    text = (COMPANY / "crm.json").read_text(encoding="utf-8")
    (answering / "crm.json").write_text(text.replace("Larkmoor Hotels", "Lark\\u001b[2J\\u202emoor"), encoding="utf-8")
    assert ask(answering, "import", "crm.json").code == 0
    told = dealscribe(answering, "review", told="q\n").out + ask(answering, "review", "--json").out
    assert "Lark" in told
    assert not re.search("[\x1b\u202e]", told)


def test_beside_a_running_dealscribe_an_answer_is_kept_and_the_running_one_does_the_rest(answering: Path) -> None:
    store = Store(f"sqlite:///{answering / 'nordvale.db'}")
    with store.transaction() as tx:
        token = sources.take_lease(tx, datetime.now(UTC))
    assert token is not None
    ran = dealscribe(answering, "review", "--answer", f"{CALL}=d-04")
    assert (ran.code, ran.out) == (0, "1 answers kept.\n")
    assert ran.err == "A running dealscribe has been told; it writes what follows.\n"
    assert CALL not in {c["key"] for c in cases(answering)}
    assert dealscribe(answering, "replay").code == 5
    with store.transaction() as tx:
        sources.give_back(tx, token)
    store.close()
    assert ask(answering, "sync", "--quiet").code == 0
    assert exported(answering, CALL)["deal_ids"] == ["d-04"]


# -- undo -------------------------------------------------------------------------------------------------------------


def test_undo_takes_back_what_explain_and_export_name_and_redo_brings_it_back(answering: Path) -> None:
    moves = [r for r in ask(answering, "export").rows if r["kind"] == "stage" and r["by"] == "agent"]
    move = next(r for r in moves if r["state"] == "written")
    key = move["key"]
    ran = ask(answering, "undo", key)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == f"{key} is taken back, with what followed from it; it is not made again.\n"
    assert exported(answering, key)["state"] == "undone"
    assert "written to the CRM: a move taken back" in ask(answering, "explain", key).out
    again = ask(answering, "undo", key)
    assert again.code == 1
    assert again.err.startswith(f"{key} has been taken back before; `dealscribe undo --redo {key}`")
    assert ask(answering, "undo", "--redo", key).out == f"{key} stands after all.\n"
    assert exported(answering, key) == move


@pytest.mark.parametrize(
    ("key", "says"),
    [
        (PAID, f"{PAID} is only proposed; answer it with `dealscribe review`.\n"),
        ("nothing", "Nothing is known of 'nothing'.\n"),
        (CALL, f"{CALL} stands on no deal in the CRM: there is nothing to take back.\n"),
    ],
)
def test_what_cannot_be_taken_back_is_said_in_a_sentence(key: str, says: str, company: Path) -> None:
    ran = ask(company, "undo", key)
    assert (ran.code, ran.out, ran.err) == (1, "", says)


# -- replay -----------------------------------------------------------------------------------------------------------


def test_a_dry_replay_tells_what_another_configuration_would_say_and_changes_nothing(answering: Path) -> None:
    config = answering / "config.toml"
    assert ask(answering, "replay", "--dry-run", "--quiet").out == "What would be said otherwise: 0.\n"
    config.write_text(re.sub(r'(?m)^mode = "auto"', 'mode = "propose"', config.read_text("utf-8")), encoding="utf-8")
    before = ask(answering, "export").out
    ran = ask(answering, "replay", "--dry-run", "--quiet")
    assert re.match(r"What would be said otherwise: \d+\.\n  move stage:d-\d\d:", ran.out)
    assert re.search(r"d-\d\d: \w+, 2026-\d\d-\d\d, written -> ", ran.out)
    assert ask(answering, "export").out == before
    (told,) = ask(answering, "replay", "--dry-run", "--quiet", "--json").rows
    assert {d["kind"] for d in told} >= {"move"}
    assert all(d["before"] != d["after"] for d in told)
    assert ask(answering, "replay", "--quiet").out.startswith("What is said otherwise now: ")
    assert ask(answering, "replay", "--quiet").out == "What is said otherwise now: 0.\n"


# -- explain, report trust --------------------------------------------------------------------------------------------


def test_explain_tells_the_whole_story_of_a_deal(company: Path) -> None:
    text = ask(company, "explain", "d-01").out
    assert text.startswith("Deal d-01  Cold room for the curd hall\n  pipeline: New business\n")
    assert f"[{PAID}]" in text
    assert re.search(r"proposed: \w+ -> won  “Ellen, we transferred the 47,142", text)
    assert re.search(r"letter: Re: .*name \+", text)
    dates = re.findall(r"(?m)^  (\d{4}-\d\d-\d\d \d\d:\d\d)", text)
    assert dates == sorted(dates)
    told = json.loads(ask(company, "explain", "d-01", "--json").out)
    linked = [r["key"] for r in ask(company, "export").rows if "d-01" in r.get("deal_ids", ())]
    assert set(linked) <= {e["key"] for e in told["events"]}


def test_explain_knows_a_move_an_objection_a_contact_and_a_company(company: Path) -> None:
    rows = ask(company, "export").rows
    objection = next(r for r in rows if r["kind"] == "objection")
    contact = next(r for r in rows if r["kind"] == "contact" and r["emails"])
    assert "quote: Ellen, we transferred the 47,142" in ask(company, "explain", PAID).out
    assert "only proposed because: the pipeline has terminal" in ask(company, "explain", PAID).out
    assert ask(company, "explain", objection["key"]).out.startswith(f"Objection {objection['key']}")
    for name in (contact["id"], contact["emails"][0]):
        assert ask(company, "explain", name).out.startswith(f"Contact {contact['id']}  {contact['name']}\n")
    assert ask(company, "explain", "c-04").out.startswith("Company c-04  Larkmoor Hotels\n")


def test_report_trust_counts_what_people_made_of_our_moves(answering: Path) -> None:
    written = next(
        r for r in ask(answering, "export").rows if r["kind"] == "stage" and r["state"] == "written" and r["key"]
    )
    ask(answering, "review", "--answer", f"{PAID}=decline")
    ask(answering, "undo", written["key"])
    (rows,) = ask(answering, "report", "trust", "--json").rows
    (won,) = [r for r in rows if (r["pipeline"], r["stage"]) == ("New business", "won")]
    assert (won["accepted"], won["declined"], won["waiting"]) == (0, 1, 0)
    assert sum(r["undone"] for r in rows) == 1
    assert re.search(r"payment -> won +1 +0%", ask(answering, "report", "trust").out)


# -- train --with-corrections ----------------------------------------------------------------------------------------


def test_the_reader_learns_from_an_accepted_and_a_declined_move(answering: Path, tmp_path: Path) -> None:
    nothing = ask(answering, "train", "--with-corrections")
    assert (nothing.code, nothing.err.startswith("There is nothing to learn yet")) == (1, True)
    moves = [c for c in cases(answering) if c["key"].startswith("stage:") and c["key"] != PAID]
    for key, said in ((PAID, "accept"), (moves[0]["key"], "decline")):
        assert ask(answering, "review", "--answer", f"{key}={said}").code == 0
    few = few_letters(tmp_path / "few")
    worse = ask(answering, "train", "--with-corrections", "--corpus", few)
    assert "People have spoken on 2 readings; letters to learn from: 2" in worse.out
    assert worse.code == 1, "so few letters read worse than the product's own model"
    own = answering / "reader-model"
    assert not own.exists()
    before = heads.replace(own, untrained(-9.0)).version
    better = ask(answering, "train", "--with-corrections", "--corpus", few)
    assert better.code == 0, better.err
    known = read_manifest(own)
    assert known is not None
    assert f"taken up: {known.version}" in better.out
    assert known.version != before
    assert ask(answering, "replay", "--dry-run").code == 0
    assert ask(answering, "replay").code == 0
    with Store(f"sqlite:///{answering / 'nordvale.db'}").reading() as tx:
        assert any(version.endswith(f"+{known.version}") for version in tx.scalars(select(reading.c.version)))


def test_a_folder_that_holds_something_else_is_not_replaced_by_a_model(answering: Path) -> None:
    assert ask(answering, "review", "--answer", f"{PAID}=accept").code == 0
    (answering / "reader-model").mkdir()
    (answering / "reader-model" / "notes.txt").write_text("mine")
    ran = ask(answering, "train", "--with-corrections")
    assert (ran.code, "holds something else" in ran.err) == (1, True)
    assert (answering / "reader-model" / "notes.txt").read_text() == "mine"
