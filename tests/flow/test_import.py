"""Import: what people typed into a CRM, and typed differently the next time."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from agent.errors import Rejected
from agent.importing import parse
from tests.flow.company import ANNA, CRM, START, VERA, CompanyWorld, letter

OFFER = "Please find attached our offer for the freezer room."


def changed(as_of: str = "2026-04-01T00:00:00+00:00", **deal: Any) -> dict[str, Any]:
    """The CRM a month later, with the first deal edited."""
    rows = deepcopy(CRM)
    rows["as_of"] = as_of
    rows["deals"][0] |= deal
    return rows


def told_by_people(world: CompanyWorld, deal_id: str = "freezer") -> list[tuple[str, str, str]]:
    rows = [row for row in world.rows("stage") if row["deal_id"] == deal_id and row["by"] != "agent"]
    return sorted((row["date"][:10], row["stage"], row["by"]) for row in rows)


def test_importing_again_changes_nothing(world: CompanyWorld) -> None:
    before = world.dump()
    done = world.import_crm()
    assert (done.new, done.changed, done.same) == (0, 0, 9)
    assert world.dump() == before
    assert world.sync() == 0


def test_a_stage_that_changed_there_is_a_persons_move(world: CompanyWorld) -> None:
    done = world.import_crm(changed(stage="negotiation"))
    assert (done.new, done.changed, done.same) == (0, 1, 8)
    assert told_by_people(world) == [("2026-03-01", "lead", "import"), ("2026-04-01", "negotiation", "human")]
    assert world.deal()["stage"] == "negotiation"


def test_a_stage_that_did_not_change_there_is_silence(world: CompanyWorld) -> None:
    world.send("anna", letter(ANNA, VERA, "Freezer room", OFFER, name="offer", attachment="Offer_4471.pdf"))
    world.sync()
    assert world.deal()["stage"] == "proposal"
    world.import_crm(changed(name="Freezer room and door"))
    world.sync()
    assert world.deal()["stage"] == "proposal"
    assert world.deal()["name"] == "Freezer room and door"
    assert told_by_people(world) == [("2026-03-01", "lead", "import")]


def test_a_deal_that_was_closed_there_is_closed_here(world: CompanyWorld) -> None:
    world.import_crm(changed(status="won", closed_at="2026-03-20T12:00:00+00:00"))
    assert told_by_people(world)[-1] == ("2026-03-20", "won", "human")
    assert world.deal()["status"] == "won"


def test_the_history_of_a_deal_is_taken_over_once(world: CompanyWorld) -> None:
    history = [{"stage": "contact", "date": "2026-02-25T10:00:00+00:00", "by": "human"}]
    world.import_crm(changed(history=history))
    history.append({"stage": "proposal", "date": "2026-03-30T10:00:00+00:00", "by": "human"})
    world.import_crm(changed(history=history, stage="proposal"))
    assert [(stage, by) for _, stage, by in told_by_people(world)][-1] == ("proposal", "human")
    assert sum(stage == "contact" for _, stage, _ in told_by_people(world)) == 1


def test_unknown_keys_are_told_and_the_rest_is_imported(world: CompanyWorld) -> None:
    rows = changed(colour="blue") | {"weather": "fine"}
    assert world.import_crm(rows).warnings == (
        "unknown key 'weather' is ignored",
        "deals: unknown key 'colour' is ignored",
    )


def test_bad_rows_are_told_all_at_once_and_nothing_is_written(world: CompanyWorld) -> None:
    before = world.dump()
    rows = changed(stage="negotiation")
    rows["deals"][1]["amount"] = "much"
    rows["companies"][0]["domains"] = "harbour.example"
    del rows["contacts"][1]["name"]
    rows["as_of"] = "yesterday"
    with pytest.raises(Rejected) as refused:
        world.import_crm(rows)
    told = str(refused.value)
    assert told.startswith("nothing was imported:")
    assert all(place in told for place in ("row ovens", "row harbour", "row oleg", "as_of"))
    assert world.dump() == before


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "line 1"),
        ("[]", "an object"),
        ('{"deals": {}}', "a list of rows"),
        ('{"deals": [7]}', "row 0"),
        ('{"own_domains": "ours.example"}', "a list of domains"),
    ],
)
def test_what_is_no_import_is_told_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "crm.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(Rejected, match=said):
        parse([path])


@pytest.mark.parametrize(("comma", "inner"), [(",", ";"), (";", "|")])
def test_csv_tables_are_the_same_as_json(world: CompanyWorld, tmp_path: Path, comma: str, inner: str) -> None:
    other = CompanyWorld(tmp_path / "csv")
    other.import_files(*(table_file(tmp_path, table, comma, inner) for table in ("reps", "pipelines", "companies")))
    other.import_files(*(table_file(tmp_path, table, comma, inner) for table in ("contacts", "deals")))
    kinds = ("company", "contact", "deal")
    assert [other.rows(kind) for kind in kinds] == [world.rows(kind) for kind in kinds]
    other.store.close()


def table_file(folder: Path, table: str, comma: str, inner: str) -> Path:
    rows = CRM[table]
    columns = list(rows[0])
    cells = [[inner.join(v) if isinstance(v := row[c], list) else str(v) for c in columns] for row in rows]
    lines = [comma.join(row) for row in (columns, *cells)]
    path = folder / f"{table}.csv"
    path.write_text("\ufeff" + "\r\n".join(lines) + "\r\n", encoding="utf-8", newline="")
    return path


def test_a_csv_file_with_another_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("id,name\n1,Vera\n", encoding="utf-8")
    with pytest.raises(Rejected, match="named after its table"):
        parse([tmp_path / "people.csv"])


def test_a_person_who_is_renamed_in_the_crm_keeps_his_letters(world: CompanyWorld) -> None:
    world.receive("anna", letter(VERA, ANNA, "Freezer room", "When do you deliver?", name="when", at=START))
    world.sync()
    rows = deepcopy(CRM)
    rows["contacts"][0]["name"] = "Vera Pole-Winter"
    world.import_crm(rows)
    assert world.sync() == 0
    assert world.message("when")["contact_ids"] == ["vera"]
