"""What stands in the outbox already, as the decisions on what is still to be written see it."""

from typing import Any

import msgspec


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """A change that stands in the outbox already."""

    key: str
    kind: str
    subject: str
    body: dict[str, Any]
