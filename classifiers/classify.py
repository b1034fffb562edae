"""The reader as a filter: JSON lines in, one line out for each, in the same order."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Literal

import msgspec

from agent.errors import Rejected
from agent.model import Letter, Reading
from classifiers import PROPOSE, WRITE, read

BATCH = 64  # letters read at once
At = Literal["propose", "write"]


class Asked(msgspec.Struct, frozen=True):
    """One line that comes in."""

    id: str | int
    direction: Literal["inbound", "outbound"]
    body: str
    subject: str = ""
    attachments: tuple[str, ...] = ()
    stage: str | None = None
    earlier: tuple[str, ...] = ()

    def letter(self) -> Letter:
        return Letter(
            direction=self.direction,
            subject=self.subject,
            body=self.body,
            attachments=self.attachments,
            stage=self.stage,
            earlier=self.earlier,
        )


def classify_lines(lines: Iterable[str], at: At = "propose") -> Iterator[str]:
    """What would be written or proposed (`at="propose"`), or only what would be written (`at="write"`).

    A line that cannot be read gives `{"id": null, "error": "line 3: ..."}` in its place; empty lines give nothing.
    """
    floor = WRITE if at == "write" else PROPOSE
    numbered = ((number, line) for number, line in enumerate(lines, start=1) if line.strip())
    while batch := [_asked(number, line) for number, line in islice(numbered, BATCH)]:
        readings = iter(read([asked.letter() for asked in batch if isinstance(asked, Asked)]))
        for asked in batch:
            answer = (
                _answer(asked, next(readings), floor) if isinstance(asked, Asked) else {"id": None, "error": str(asked)}
            )
            yield msgspec.json.encode(answer).decode()


def _asked(number: int, line: str) -> Asked | Rejected:
    try:
        return msgspec.json.decode(line, type=Asked)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        return Rejected(f"line {number}: {error}")


def _answer(asked: Asked, reading: Reading, floor: float) -> dict[str, Any]:
    return {
        "id": asked.id,
        "milestones": [
            {"name": one.name, "confidence": one.confidence, "quote": one.evidence.quote}
            for one in reading.milestones
            if one.confidence >= floor
        ],
        "objections": [
            {
                "type": one.type,
                "genuine": one.genuine,
                "reason": one.reason.quote if one.reason else None,
                "condition": one.condition.quote if one.condition else None,
                "confidence": one.confidence,
            }
            for one in reading.objections
            if one.confidence >= floor
        ],
        "automated": bool(reading.automated),
        "business": reading.business,
        "language": reading.language,
    }
