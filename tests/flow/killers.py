"""Work that kills its worker: what a hostile letter would do that found a hole in a parser."""

import os
from collections.abc import Sequence

from agent.intake import House, Prepared, prepare_letters
from connectors.base import Item


def fragile(items: Sequence[Item], house: House) -> list[Prepared]:
    """Prepare letters as ever, by a parser with two holes."""
    for item in items:
        if b"X-Kills" in item.raw:
            os._exit(9)
        if b"X-Raises" in item.raw:
            raise RecursionError("too deep")
    return prepare_letters(items, house)
