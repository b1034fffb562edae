"""A Maildir of five hundred ordinary letters, among which an attacker's stand."""

import os
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from connectors.mail.maildir import MaildirOptions
from tests.flow.company import ANNA, START, VERA, CompanyWorld, letter, replace
from tests.hostile.letters import HOSTILE

GOOD = 500
_SAY = (
    "We looked at the offer for the freezer room, and the price per shelf is too high for us.",
    "Could you bring the delivery forward by two weeks? Our old room is leaking.",
    "Мы посмотрели предложение, спасибо. Пришлите, пожалуйста, чертёж двери.",
    "The board approved the budget on Friday, so please send us the contract.",
)


def ordinary(count: int) -> list[bytes]:
    return [
        letter(
            VERA,
            ANNA,
            f"Freezer room {number}",
            f"{_SAY[number % len(_SAY)]}\nOur order number is {number}.\n\nBest regards\nVera Pole",
            name=f"good {number}",
            at=START + timedelta(minutes=10 * number),
        )
        for number in range(count)
    ]


def hostile() -> list[bytes]:
    return [made(number) for number, made in enumerate(HOSTILE.values())]


def among(good: Sequence[bytes], bad: Sequence[bytes]) -> list[bytes]:
    """The bad ones spread evenly among the good ones."""
    every = max(1, len(good) // (len(bad) + 1))
    mixed: list[bytes] = []
    left = list(bad)
    for number, raw in enumerate(good):
        mixed.append(raw)
        if number % every == every - 1 and left:
            mixed.append(left.pop(0))
    return mixed + left


def fill(maildir: Path, letters: Sequence[bytes]) -> None:
    for part in ("cur", "new", "tmp"):
        (maildir / part).mkdir(parents=True)
    for number, raw in enumerate(letters):
        at = int(START.timestamp()) + 600 * number
        path = maildir / "cur" / f"{at}.M{number}P1.made:2,S"
        path.write_bytes(raw)
        os.utime(path, (at, at))


def read_from(world: CompanyWorld, maildir: Path) -> None:
    """Anna's mailbox is this Maildir from now on."""
    (anna,) = (m for m in world.config.mailboxes if m.name == "anna")
    anna = replace(anna, kind="maildir", options=MaildirOptions(path=maildir))
    world.config = replace(world.config, mailboxes=(anna,))
