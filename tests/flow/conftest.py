"""What the tests of the flow share."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.flow.company import CompanyWorld, fill

Founder = Callable[..., CompanyWorld]


@pytest.fixture
def found(tmp_path: Path) -> Iterator[Founder]:
    """Founds companies; each has a folder of its own."""
    made: list[CompanyWorld] = []

    def founded(**parts: Any) -> CompanyWorld:
        world = CompanyWorld(tmp_path / f"company{len(made)}", **parts)
        made.append(world)
        if world.hosted is None:
            world.import_crm()
        else:
            fill(world.hosted)
        return world

    yield founded
    for world in made:
        world.store.close()


@pytest.fixture
def world(found: Founder) -> CompanyWorld:
    """A company with two clients, two reps and their mailboxes."""
    return found()
