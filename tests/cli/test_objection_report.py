"""`report objections` says what anybody can count from the export."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from tests.cli.conftest import ask

Row = dict[str, Any]
BECAME = ("open", "answered", "met", "dropped", "passed", "proposed")


def counted(lines: list[Row]) -> dict[tuple[str, ...], Counter[str]]:
    """What another program makes of the export: per pipeline, stage and type, for all ("") and for each manager."""
    deals = {row["id"]: row for row in lines if row["kind"] == "deal"}
    found: dict[tuple[str, ...], Counter[str]] = {}
    for row in lines:
        if row["kind"] != "objection" or row["deal_id"] not in deals:
            continue
        deal = deals[row["deal_id"]]
        stands = row["state"] in ("open", "answered")
        marks = ["real" if row["genuine"] else "stalling", row["cause"] if row["state"] == "closed" else row["state"]]
        if row["condition"] and (stands or row["cause"] == "met"):
            marks.append("conditions_open" if stands else "conditions_met")
        for owner in ("", deal["owner"]):
            place = (deal["pipeline"], row["stage"], row["type"], owner)
            found.setdefault(place, Counter()).update(marks)
    return found


def test_its_numbers_are_those_of_the_export(company: Path, exported: list[Row]) -> None:
    report = json.loads(ask(company, "report", "objections", "--json").out)
    names = ("real", "stalling", *BECAME, "conditions_open", "conditions_met")
    told = {
        (c["pipeline"], c["stage"], c["type"], c["owner"] or ""): Counter({n: c[n] for n in names if c[n]})
        for c in report["counts"]
    }
    assert told == counted(exported)
    assert sum(c["real"] + c["stalling"] for c in report["counts"] if c["owner"] is None) == len(report["objections"])


def test_every_turn_of_an_objection_is_in_the_export_with_its_letter(exported: list[Row]) -> None:
    letters = {row["key"] for row in exported if row["kind"] in ("message", "meeting")}
    objections = [row for row in exported if row["kind"] == "objection"]
    for row in objections:
        assert [turn["date"] for turn in row["life"]] == sorted(turn["date"] for turn in row["life"])
        assert row["life"][0]["what"] == "opened"
        assert {turn["evidence"] for turn in row["life"]} <= {*letters, None}
        assert (row["state"] == "closed") == (row["closed"] is not None) == (row["cause"] is not None)
    assert len({row["key"] for row in objections}) == len(objections)


def test_the_table_fits_an_ordinary_terminal(company: Path) -> None:
    for language in ("en", "ru"):
        text = ask(company, "report", "objections", language=language).out
        assert "…" not in text
