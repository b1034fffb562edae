"""One import and one sync of the sample company, by the commands that a user types; the tests look at what is there."""

import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import pytest

from agent.cli import common, main

ROOT = Path(__file__).parents[2]
COMPANY = ROOT / "examples" / "company"
PROGRAM = Path(sys.executable).parent / "dealscribe"


class Ran(NamedTuple):
    """What a command said, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Standard output as JSON lines; anything else on it fails."""
        return [json.loads(line) for line in self.out.splitlines()]


def dealscribe(folder: Path, *arguments: str | Path, env: Mapping[str, str] | None = None, told: str = "") -> Ran:
    """The installed program, in a process of its own."""
    ran = subprocess.run(
        [PROGRAM, *arguments],
        capture_output=True,
        text=True,
        input=told,
        cwd=folder,
        env={**os.environ, "DEALSCRIBE_LANGUAGE": "en", "COLUMNS": "80", **(env or {})},
    )
    return Ran(ran.returncode, ran.stdout, ran.stderr)


def ask(folder: Path, *arguments: str | Path, language: str = "en") -> Ran:
    """The same program in this process: for the many small questions."""
    common.out.width = 80
    out, err = io.StringIO(), io.StringIO()
    before = Path.cwd()
    os.chdir(folder)
    try:
        with (
            mock.patch.dict(os.environ, {"DEALSCRIBE_LANGUAGE": language}),
            mock.patch.object(sys, "argv", ["dealscribe", *map(str, arguments)]),
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            code = _exit_code(main)
    finally:
        os.chdir(before)
    return Ran(code, out.getvalue(), err.getvalue())


def _exit_code(run: Callable[[], None]) -> int:
    try:
        run()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 0
    return 0


@pytest.fixture(scope="session")
def company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sample company, imported and synced once."""
    folder = tmp_path_factory.mktemp("nordvale") / "company"
    shutil.copytree(COMPANY, folder)
    assert dealscribe(folder, "import", "crm.json").code == 0
    synced = dealscribe(folder, "sync")
    assert synced.code == 0, synced.err
    (folder / "first-sync.json").write_text(json.dumps(synced))
    return folder


@pytest.fixture(scope="session")
def first_sync(company: Path) -> Ran:
    return Ran(*json.loads((company / "first-sync.json").read_text()))


@pytest.fixture(scope="session")
def exported(company: Path) -> list[dict[str, Any]]:
    return ask(company, "export").rows
