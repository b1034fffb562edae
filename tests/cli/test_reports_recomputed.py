"""The reports' numbers, recomputed from `export` by a program that shares nothing with them."""

import json
import tomllib
from collections import Counter, defaultdict
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from tests.cli.conftest import COMPANY, ask

Row = dict[str, Any]
CONFIG = tomllib.loads((COMPANY / "config.toml").read_text(encoding="utf-8"))
CRM = json.loads((COMPANY / "crm.json").read_text(encoding="utf-8"))
DAYS = 14
OWNERS = {r["email"]: r["id"] for r in CRM["reps"]}
SOURCES = {s["name"]: OWNERS[s["owner"]] for s in (*CONFIG["mailbox"], *CONFIG["calendar"])}


def told(company: Path, *report: str) -> Any:
    ran = ask(company, "report", *report, "--json")
    assert ran.code == 0, ran.err
    return json.loads(ran.out)


def when(text: str) -> datetime:
    return datetime.fromisoformat(text)


def kind_of(stage: Row) -> str:
    ends = {"payment_confirmed": "won", "lost": "lost", "postponed": "hold"}
    return str(stage.get("kind") or next((ends[m] for m in stage.get("reached_by", ()) if m in ends), "open"))


def work(exported: list[Row]) -> list[tuple[str, datetime, Row]]:
    """(deal, when, letter or meeting)"""
    logged = [r for r in exported if r["kind"] in ("message", "meeting") and r["outcome"] == "logged"]
    return [(i, when(r.get("date") or r["end"]), r) for r in logged for i in r["deal_ids"]]


def silent_days(exported: list[Row]) -> dict[str, int]:
    heard: dict[str, datetime] = {}
    for deal_id, at, row in work(exported):
        if row["kind"] == "message" and row["direction"] == "inbound":
            heard[deal_id] = max(at, heard.get(deal_id, at))
    now = datetime.now(UTC)
    deals = [r for r in exported if r["kind"] == "deal" and r["status"] == "open"]
    return {d["id"]: (now - heard.get(d["id"], when(d["created_at"]))).days for d in deals}


def visits(exported: list[Row], deal: Row) -> list[tuple[str, datetime, datetime | None, set[str]]]:
    """(stage, from, to, in whose hands) of one deal."""
    rows = [r for r in exported if r["kind"] == "stage" and r["deal_id"] == deal["id"] and r["state"] == "written"]
    entered: list[tuple[str, datetime]] = []
    for row in sorted(rows, key=lambda r: when(r["date"])):
        if not entered or entered[-1][0] != row["stage"]:
            entered.append((row["stage"], when(row["date"])))
    ends = [at for _, at in entered[1:]] + [None]
    found: list[tuple[str, datetime, datetime | None, set[str]]] = []
    hands = {deal["owner"]}
    for (stage, since), until in zip(entered, ends, strict=True):
        here: set[str] = set()
        for deal_id, at, row in work(exported):
            if deal_id == deal["id"] and (not found or at > since) and (until is None or at <= until):
                here |= set(row["reps"])
        hands = here or hands
        found.append((stage, since, until, hands))
    return found


def funnel_of(exported: list[Row], pipeline: Row, owner: str | None) -> dict[str, Row]:
    deals = [r for r in exported if r["kind"] == "deal" and r["pipeline"] == pipeline["name"]]
    days, kinds = silent_days(exported), {s["name"]: kind_of(s) for s in pipeline["stage"]}
    order = list(kinds)
    waiting = Counter[str]()
    rows: dict[str, Row] = defaultdict(lambda: {"entered": 0, "moved_on": 0, "here": 0, "stuck": 0, "stays": []})
    for deal in deals:
        way = visits(exported, deal)
        for r in exported:
            if r["kind"] == "stage" and r["deal_id"] == deal["id"] and r["state"] == "proposed" and r["by"] != "human":
                waiting[r["stage"]] += owner is None or owner in way[-1][3]
        for stage in order:
            mine = [n for n, v in enumerate(way) if v[0] == stage and (owner is None or owner in v[3])]
            if not mine:
                continue
            later = order if kinds[stage] == "hold" else order[order.index(stage) + 1 :]
            good = {s for s in later if kinds[s] in ("open", "won")}
            row = rows[stage]
            row["entered"] += 1
            row["moved_on"] += any(v[0] in good for v in way[mine[0] + 1 :])
            row["here"] += way[mine[-1]][2] is None
            row["stuck"] += way[mine[-1]][2] is None and days.get(deal["id"], -1) >= DAYS
            row["stays"] += [(until - way[n][1]).total_seconds() / 86_400 for n in mine if (until := way[n][2])]
    for stage in order:
        if waiting[stage] or stage in rows:
            rows[stage]["proposed"] = waiting[stage]
    return rows


@pytest.mark.parametrize("pipeline", CONFIG["pipeline"], ids=lambda p: p["name"])
def test_the_funnel_is_what_the_export_says(company: Path, exported: list[Row], pipeline: Row) -> None:
    rows = [r for r in told(company, "funnel", "--days", str(DAYS)) if r["pipeline"] == pipeline["name"]]
    assert rows
    for owner in (None, *sorted({r["owner"] for r in rows if r["owner"]})):
        right = funnel_of(exported, pipeline, owner)
        told_rows = {r["stage"]: r for r in rows if r["owner"] == owner}
        assert told_rows.keys() == right.keys(), owner
        for stage, row in told_rows.items():
            for name in ("entered", "here", "stuck", "proposed"):
                assert row[name] == right[stage][name], (owner, stage, name)
            if row["moved_on"] is not None:
                assert row["moved_on"] == right[stage]["moved_on"], (owner, stage)
            stays = right[stage]["stays"]
            assert row["median_days"] == (pytest.approx(median(stays), abs=0.06) if stays else None), (owner, stage)


def test_whoever_wrote_for_a_colleague_stands_in_the_funnel_too(company: Path, exported: list[Row]) -> None:
    owners = {d["id"]: d["owner"] for d in exported if d["kind"] == "deal"}
    helped = {(rep, i) for i, _, row in work(exported) for rep in row["reps"] if rep != owners[i]}
    assert helped
    assert {rep for rep, _ in helped} <= {r["owner"] for r in told(company, "funnel")}


def test_what_is_stuck_is_what_the_export_says(company: Path, exported: list[Row]) -> None:
    rows = told(company, "stuck", "--days", str(DAYS))
    assert {r["deal_id"]: r["days"] for r in rows} == {i: n for i, n in silent_days(exported).items() if n >= DAYS}
    for row in rows:
        right = {
            (o["key"], o.get("condition"))
            for o in exported
            if o["kind"] == "objection" and o["deal_id"] == row["deal_id"] and o["state"] in ("open", "answered")
        }
        assert {(o["key"], o["condition"]) for o in row["objections"]} == right


def test_every_source_covers_what_the_export_says(company: Path, exported: list[Row]) -> None:
    found = told(company, "coverage")
    items = [r for r in exported if r["kind"] in ("message", "meeting")]
    assert {(r["owner"], r["source"]) for r in found["sources"]} == {(of, s) for s, of in SOURCES.items()}
    for row in found["sources"]:
        held = [r for r in items if row["source"] in r["sources"]]
        logged = [r for r in held if r["outcome"] == "logged"]
        assert row["logged"] == len(logged)
        assert row["ambiguous"] == sum(bool(r.get("ambiguous")) for r in logged)
        for outcome in ("skipped", "waiting"):
            assert row[outcome] == Counter(r["reason"] for r in held if r["outcome"] == outcome)
        parts = row["logged"] + sum(row["skipped"].values()) + sum(row["waiting"].values())
        assert row["seen"] == parts + row["quarantined"] + row["excluded"]
    busy = {i for i, _, _ in work(exported)}
    silent = {d["id"] for d in exported if d["kind"] == "deal" and d["status"] == "open"} - busy
    assert {d["deal_id"] for d in found["silent_deals"]} == silent


@pytest.mark.parametrize("owner", sorted(OWNERS.values()))
def test_a_rep_sees_everything_that_was_taken_from_him_and_where_it_went(
    company: Path, exported: list[Row], owner: str
) -> None:
    mine = {s for s, of in SOURCES.items() if of == owner}
    found = told(company, "mine", owner)
    assert set(found["sources"]) == mine
    right = {
        r["key"]: (r["outcome"], r["deal_ids"])
        for r in exported
        if r["kind"] in ("message", "meeting") and mine & set(r["sources"])
    }
    assert {t["key"]: (t["outcome"], t["deal_ids"]) for t in found["taken"]} == right
    assert all(t["in_crm"] == (t["outcome"] == "logged") for t in found["taken"])
    assert all(t["subject"] == "" for t in found["taken"] if t["outcome"] == "skipped" and t["reason"] == "private")


def test_a_rep_may_be_named_by_his_address_and_nobody_else_is_a_rep(company: Path) -> None:
    assert told(company, "mine", "Ellen@nordvale.example") == told(company, "mine", OWNERS["ellen@nordvale.example"])
    for nobody in (["mine"], ["mine", "nobody@nordvale.example"]):
        ran = ask(company, "report", *nobody)
        assert ran.code == 2
        assert "ellen" in ran.err
