"""`classify`: what the classifiers say of letters given as JSON lines."""

import sys
from enum import StrEnum
from typing import Annotated

import typer

from agent.cli.common import NO
from classifiers.classify import classify_lines


class At(StrEnum):
    """Down to which confidence."""

    propose = "propose"
    write = "write"


def classify(
    at: Annotated[At, typer.Option(help="write: only what would be written; propose: proposals too.")] = At.propose,
) -> None:
    """Read letters as JSON lines from standard input; one JSON line each, in the same order."""
    failed = False
    for line in classify_lines(sys.stdin, at.value):
        failed |= line.startswith('{"id":null,"error"')
        sys.stdout.write(line + "\n")
    if failed:
        raise typer.Exit(NO)
