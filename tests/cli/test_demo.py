"""`make demo` tells its story to the end, and its numbers are those of the export."""

import json
import os
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import PROGRAM, ROOT, ask

Row = dict[str, Any]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the demo uses, so that it does not meet another one."""
    folder = tmp_path_factory.mktemp("checkout")
    shutil.copytree(ROOT / "examples", folder / "examples")
    shutil.copy(ROOT / "config.toml", folder)
    return folder


@pytest.fixture(scope="module")
def told(checkout: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "DEALSCRIBE_CONFIG"}
    environment |= {"PATH": f"{PROGRAM.parent}:{os.environ['PATH']}", "DEALSCRIBE_LANGUAGE": "en", "COLUMNS": "80"}
    ran = subprocess.run(
        ["bash", "examples/demo.sh"], cwd=checkout, env=environment, capture_output=True, text=True, timeout=240
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stderr == ""
    return ran.stdout


@pytest.fixture(scope="module")
def exported(told: str, checkout: Path) -> list[Row]:
    return ask(checkout, "export", "--config", checkout / "config.toml").rows


def part(told: str, command: str) -> str:
    """What was printed after one of its commands, up to the next step."""
    return told.partition(f"$ dealscribe {command}\n")[2].partition("\n== ")[0].partition("\n$ dealscribe")[0]


def test_each_step_of_the_demo_says_what_it_is_about(told: str) -> None:
    steps = re.findall(r"(?m)^== (\d)\. (\S.*)\n(\S.*)\n", told)
    assert [number for number, *_ in steps] == list("123456789")
    for command in re.findall(r"(?m)^\$ dealscribe .*", told):
        assert part(told, command.removeprefix("$ dealscribe ")).strip(), command


def test_the_demo_ends_green_with_everything_proved(told: str) -> None:
    assert "Everything is fresh" in told
    assert "0 of them not there; 0 changes wait, 0 refused." in part(told, "reconcile")


def test_the_demos_second_sync_writes_nothing(told: str) -> None:
    counts = re.findall(r"(\d+) new items collected, (\d+) changes written", told)
    assert len(counts) == 2
    assert counts[1] == ("0", "0")
    assert counts[0][0] == "112"


def test_the_demos_numbers_are_those_of_the_export(told: str, exported: list[Row]) -> None:
    activities = [r for r in exported if r["kind"] in ("message", "meeting")]
    outcomes = Counter(r["outcome"] for r in activities)
    summary = part(told, "status").partition("Letters and meetings: ")[2].partition(".")[0]
    assert {name: int(n) for name, n in re.findall(r"(\w+) (\d+)", summary)} == {**outcomes, "excluded": 2}
    logged = re.search(r"CRM: (\d+) activities logged", part(told, "reconcile"))
    assert logged is not None
    assert int(logged[1]) == outcomes["logged"]
    for row in re.finditer(r"(?m)^skipped: (\w+) .*?(\d+)?( +(\d+))? *$", part(told, "report skipped")):
        expected = sum((r["outcome"], r["reason"]) == ("skipped", row[1]) for r in activities)
        assert int(row[2] or 0) + int(row[4] or 0) == expected, row[0]


def test_the_demos_deals_stand_where_the_export_has_them(told: str, exported: list[Row]) -> None:
    deals = [r for r in exported if r["kind"] == "deal"]
    funnel = part(told, "report funnel")
    for pipeline in {d["pipeline"] for d in deals}:
        rows = funnel.partition(f"Funnel: {pipeline}\n")[2].partition("Funnel: ")[0].splitlines()
        for stage, count in Counter(d["stage"] for d in deals if d["pipeline"] == pipeline).items():
            line = next(line for line in rows if line.startswith(f"{stage}:"))
            numbers = re.search(r" (\d+) +(?:\d+ +\d+%)? +(\d+)(?: |$)", line)
            assert numbers is not None, line
            assert int(numbers[2]) == count, line


def test_the_demo_quotes_every_objection_of_the_export(told: str, exported: list[Row]) -> None:
    text = " ".join(part(told, "report objections").split())
    objections = [r for r in exported if r["kind"] == "objection"]
    assert objections
    for row in objections:
        assert f"“{' '.join(row['quote'].split())}”" in text


def test_the_demo_leaves_the_sample_company_as_it_was(told: str, checkout: Path) -> None:
    def files(root: Path) -> dict[str, bytes]:
        place = root / "examples"
        return {str(p.relative_to(place)): p.read_bytes() for p in sorted(place.rglob("*")) if p.is_file()}

    assert files(checkout) == files(ROOT)
    assert json.loads(files(checkout)["company/crm.json"])
