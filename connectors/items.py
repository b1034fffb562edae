"""The item, the one record of a source that worker processes are given: they need none of what configures a source."""

from datetime import datetime

import msgspec

from agent.model import Attachment


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One letter or one calendar object, as bytes."""

    ref: str
    folder: str
    uid: str
    raw: bytes
    received: datetime | None = None  # when the server took it: INTERNALDATE, internalDate, mtime
    sent: bool = False  # it lies in a folder of sent mail: trusted as ours
    excluded: str = ""  # the rule that keeps it out ("label no-crm"); then `raw` is empty
    size: int = 0  # bytes of the whole, also when only parts were fetched
    attachments: tuple[Attachment, ...] = ()  # of parts that were left on the server
    problem: str = ""  # why its content could not be read; then `raw` is empty and the item is quarantined
