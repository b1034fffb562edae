"""A mass change is believed at the second look: most of a source gone at once may be the fault of its server."""

import hashlib
from collections.abc import Collection
from typing import Literal

from sqlalchemy import Connection

from agent.store import sources

FEW = 10  # so many may vanish at once without a question

Look = Literal["poll", "proof"]


def is_believed(tx: Connection, source: str, look: Look, vanished: Collection[str], stood: int) -> bool:
    """May these be taken as gone? `stood`: how many items stood there before.

    What is not believed is remembered, and believed when the next look of the same kind shows the same.
    """
    if len(vanished) < FEW or 2 * len(vanished) < stood:
        return True
    shown = f"{look} {hashlib.sha256(chr(10).join(sorted(vanished)).encode()).hexdigest()[:16]}"
    if sources.state(tx, source).suspicion == shown:
        return True
    sources.save(tx, source, suspicion=shown)
    return False


def settle(tx: Connection, source: str, look: Look) -> None:
    """A look of this kind ended well: what it suspected before has been confirmed, or was never so."""
    suspicion = sources.state(tx, source).suspicion
    if suspicion and suspicion.startswith(look):
        sources.save(tx, source, suspicion=None)


def doubt(count: int, stood: int) -> str:
    return f"{count} of {stood} items vanished at once; the next look decides"
