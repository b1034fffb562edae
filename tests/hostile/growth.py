"""`python -m tests.hostile.growth MAILDIR`: by how many megabytes it makes this process and its worker grow."""

import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from agent.intake import House
from agent.workers import ProcessPool
from connectors.base import Item, Scope
from connectors.mail.maildir import MaildirMailbox, MaildirOptions

PARSE = "agent.intake:prepare_letters"
SINCE = datetime(2026, 1, 1, tzinfo=UTC)


def most_held(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) >> 10


def worker_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


def main(place: Path) -> None:
    house = House(domains=("ours.example",), addresses=frozenset({"anna@ours.example"}))
    pool = ProcessPool(1)
    pool.run(PARSE, [Item(ref="a", folder="a", uid="1", raw=b"From: a@b.example\n\nwarm-up", received=SINCE)], house)
    processes = (os.getpid(), worker_of(os.getpid()))
    before = [most_held(pid) for pid in processes]
    box = MaildirMailbox("anna", "anna@ours.example", MaildirOptions(path=place), Scope(since=SINCE))
    for batch in box.fetch(None):
        pool.run(PARSE, batch.items, house)
    print(*(most_held(pid) - held for pid, held in zip(processes, before, strict=True)))
    pool.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
