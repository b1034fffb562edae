"""Processor time to parse one letter and find its new text, next to Python's own parser and mail-parser-reply."""

import argparse
import email
import email.policy
import os
import time
from collections.abc import Callable, Sequence
from email.message import EmailMessage
from pathlib import Path
from statistics import median
from typing import NamedTuple

from mailparser_reply import EmailReplyParser

from bench.letters import letters
from classifiers.clean import find_cuts, new_text
from connectors.mail.mime import parse

GOLDEN = Path(__file__).parents[1] / "tests" / "golden" / "letters"
LANGUAGES = ["en", "de", "fr", "ru"]  # those that mail-parser-reply knows and our letters are written in


class Reader(NamedTuple):
    """One way to read a letter: its name, and what it does with the bytes."""

    name: str
    read: Callable[[bytes], object]


def main(arguments: list[str]) -> None:
    options = argparse.ArgumentParser(prog="python -m bench read", description=__doc__)
    options.add_argument("--letters", type=int, default=1_000)
    options.add_argument("--runs", type=int, default=5)
    chosen = options.parse_args(arguments)
    golden = [path.read_bytes() for path in sorted(GOLDEN.glob("*.eml"))]
    repeated = golden * max(1, chosen.letters // len(golden) // 4)
    for name, some in (("invented", list(letters(chosen.letters))), ("golden", repeated)):
        _compare(name, some, chosen.runs)


def _compare(name: str, some: Sequence[bytes], runs: int) -> None:
    print(f"{name}: {len(some)} letters, {sum(map(len, some)) / 1e6:.1f} MB; load {os.getloadavg()[0]:.1f}")
    parsing = (Reader("parse", parse), Reader("email.policy.default", _by_policy))
    with_text = (Reader("parse + new text", _ours), Reader("email.policy.default + mail-parser-reply", _theirs))
    for ours, theirs in (parsing, with_text):
        times: dict[str, list[float]] = {ours.name: [], theirs.name: []}
        for _ in range(runs):  # by turns, so that a busy moment is everybody's
            for reader in (ours, theirs):
                times[reader.name].append(_milliseconds(reader, some))
        ratios = [b / a for a, b in zip(times[ours.name], times[theirs.name], strict=True)]
        for reader in (ours, theirs):
            measured = times[reader.name]
            spread = f"spread {min(measured):.3f}-{max(measured):.3f}"
            print(f"  {reader.name}: {median(measured):.3f} ms CPU a letter ({spread})")
        print(f"  {theirs.name} takes {median(ratios):.2f}x ours (spread {min(ratios):.2f}-{max(ratios):.2f})")


def _milliseconds(reader: Reader, some: Sequence[bytes]) -> float:
    began = time.process_time()
    for raw in some:
        reader.read(raw)
    return (time.process_time() - began) / len(some) * 1e3


def _ours(raw: bytes) -> object:
    message = parse(raw)
    cuts = find_cuts(message.text, message.cuts, message.subject)
    return message, new_text(message.text, cuts)


def _by_policy(raw: bytes) -> tuple[EmailMessage, str]:
    """The same facts that `parse` gives: addresses, subject, date, the text; one that cannot be had is left out."""
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    for name in ("From", "To", "Cc", "Subject", "Date", "Message-ID", "References"):
        _tried(lambda field=name: str(message[field]))
    return message, _tried(lambda: _text_of(message))


def _text_of(message: EmailMessage) -> str:
    body = message.get_body(("plain", "html"))
    return str(body.get_content()) if body is not None else ""


def _tried(ask: Callable[[], str]) -> str:
    try:
        return ask()
    except Exception:  # Python's parser raises on odd letters; that it does is not what is measured
        return ""


def _theirs(raw: bytes) -> object:
    return EmailReplyParser(languages=LANGUAGES).read(_by_policy(raw)[1]).latest_reply
