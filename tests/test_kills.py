"""The real process is killed at any moment, again and again, before a real IMAP server: nothing is lost or doubled."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from tests.servers.dovecot import PASSWORD, Dovecot, dovecot

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def server() -> Iterator[Dovecot]:
    with dovecot() as running:
        yield running


def letter(number: int) -> bytes:
    message = EmailMessage()
    ours, theirs = "Anna Berg <anna@ours.example>", f"Vera Pole <vera@client{number % 7}.example>"
    message["From"], message["To"] = (theirs, ours) if number % 3 else (ours, theirs)
    message["Subject"] = f"Cold room {number}"
    message["Date"] = format_datetime(START + timedelta(minutes=number))
    message["Message-ID"] = f"<{number}.made@client{number % 7}.example>"
    message.set_content(f"The shelves of room {number} are too expensive for us, send another offer.\n")
    return message.as_bytes()


def company(folder: Path) -> Path:
    rows: dict[str, Any] = {
        "own_domains": ["ours.example"],
        "reps": [{"id": "anna", "name": "Anna Berg", "email": "anna@ours.example", "tz": "UTC"}],
        "pipelines": [{"name": "New business", "stages": ["lead", "proposal"]}],
        "companies": [{"id": f"c{n}", "name": f"Client {n}", "domains": [f"client{n}.example"]} for n in range(7)],
        "contacts": [],
        "deals": [
            {
                "id": f"d{n}",
                "name": "Cold room",
                "company_id": f"c{n}",
                "owner": "anna",
                "pipeline": "New business",
                "stage": "lead",
                "created_at": "2026-03-01T00:00:00+00:00",
            }
            for n in range(7)
        ],
    }
    path = folder / "crm.json"
    path.write_text(json.dumps(rows), encoding="utf-8")
    return path


def configured(folder: Path, server: Dovecot, user: str) -> dict[str, str]:
    config = folder / "config.toml"
    config.write_text(
        f"""
[organization]
domains = ["ours.example"]
[store]
url = "sqlite:///store.db"
[[mailbox]]
name = "anna"
owner = "anna@ours.example"
kind = "imap"
host = "127.0.0.1"
port = {server.tls_port}
ca_file = "{server.ca_file}"
user = "{user}"
password = {{ env = "ANNA_PASSWORD" }}
since = "2026-01-01"
[[pipeline]]
name = "New business"
mode = "auto"
[[pipeline.stage]]
name = "lead"
[[pipeline.stage]]
name = "proposal"
reached_by = ["proposal_sent"]
""",
        encoding="utf-8",
    )
    kept = {k: v for k, v in os.environ.items() if k not in ("STATE_DIRECTORY", "DEALSCRIBE_CONFIG")}
    return kept | {"DEALSCRIBE_CONFIG": str(config), "ANNA_PASSWORD": PASSWORD, "STATE_DIRECTORY": str(folder)}


def dealscribe(env: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "agent.cli", *arguments]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=280)


def killed_again_and_again(env: dict[str, str], kills: int, longest: float) -> None:
    dice = random.Random(7)
    for _ in range(kills):
        process = subprocess.Popen(
            [sys.executable, "-m", "agent.cli", "sync"],
            env=env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        time.sleep(dice.uniform(0.6, longest))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def assert_each_once(env: dict[str, str], count: int) -> None:
    last = dealscribe(env, "sync")
    assert last.returncode == 0, last.stderr
    again = dealscribe(env, "sync")
    assert "0 new items collected, 0 changes written" in again.stdout
    rows = [json.loads(line) for line in dealscribe(env, "export").stdout.splitlines()]
    letters = [r for r in rows if r["kind"] == "message"]
    assert len({r["message_id"] for r in letters}) == len(letters) == count
    assert {r["outcome"] for r in letters} == {"logged"}
    proof = dealscribe(env, "reconcile", "--json")
    assert proof.returncode == 0, proof.stdout
    found = json.loads(proof.stdout)
    assert (found["sources"][0]["on_server"], found["sources"][0]["known"]) == (count, count)
    assert found["crm"] == {"logged": count, "waiting": 0, "rejected": 0, "missing": []}


@pytest.mark.parametrize(
    ("letters", "kills", "longest"),
    [(300, 10, 4.0), pytest.param(2_000, 100, 6.0, marks=[pytest.mark.long, pytest.mark.timeout(1_800)])],
)
def test_after_many_kills_every_letter_is_logged_once(
    server: Dovecot, tmp_path: Path, letters: int, kills: int, longest: float
) -> None:
    user = f"anna{letters}"
    server.deliver_many(user, [letter(n) for n in range(letters)], at=START)
    env = configured(tmp_path, server, user)
    assert dealscribe(env, "import", str(company(tmp_path))).returncode == 0
    before = server.snapshot(user)
    killed_again_and_again(env, kills, longest)
    assert_each_once(env, letters)
    assert server.snapshot(user) == before
