"""Work that never ends for some items; imports nothing, so that the workers of its test start at once."""

import time
from collections.abc import Sequence


def slow(items: Sequence[str]) -> list[str]:
    """One of these never ends."""
    for item in items:
        if item == "hangs":
            time.sleep(60)
    return ["done" for _ in items]


def busy(items: Sequence[str]) -> list[str]:
    """One of these is worked on for good."""
    while "works" in items:
        pass
    return ["done" for _ in items]
