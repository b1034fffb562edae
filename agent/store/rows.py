"""What the rooms of the store share: long lists in parts, and records as they are kept."""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from agent.model import Meeting, Message

CHUNK = 500  # values in one IN (...)


def chunks(values: Iterable[Any]) -> Iterator[list[Any]]:
    rest = list(values)
    for start in range(0, len(rest), CHUNK):
        yield rest[start : start + CHUNK]


def record_of(kind: str, record: str) -> Message | Meeting:
    if kind == "message":
        return msgspec.json.decode(record, type=Message)
    return msgspec.json.decode(record, type=Meeting)
