"""No bytes break a promise of the readers: what was found once, and a minute of new attempts at each."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.targets import TARGETS, cases, seeds

SECONDS = 60


@pytest.mark.parametrize("name", TARGETS)
def test_what_once_broke_a_reader_is_read(name: str) -> None:
    for path in cases(name):
        TARGETS[name](path.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
def test_every_golden_file_is_read(name: str) -> None:
    found = seeds(name)
    assert len(found) >= 5
    for data in found:
        TARGETS[name](data)


@pytest.mark.long
@pytest.mark.parametrize("name", TARGETS)
def test_a_minute_of_hostile_bytes_breaks_nothing(name: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.fuzz", name, str(SECONDS), str(tmp_path)]
    ran = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=SECONDS + 180)
    assert ran.returncode == 0, ran.stderr[-3_000:]
    assert list(tmp_path.iterdir()) == []
