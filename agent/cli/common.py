"""What the commands share: opening what config.toml names, exit codes, and safe printing."""

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from agent import config as configuration
from agent.config import Config
from agent.errors import DealscribeError
from agent.flow import Flow, open_crm
from agent.store import Store, sources
from agent.texts import say
from agent.workers import ProcessPool
from connectors.base import Crm

NO, PERSON, RETRY, RUNNING = 1, 3, 4, 5
REFUSED = NO
HEARTBEAT = 10.0  # seconds

ConfigPath = Annotated[Path | None, typer.Option("--config", help="config.toml; else it is looked for.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document instead of text.")]

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


class Running(DealscribeError):
    """Another dealscribe holds the lease."""


def plain(text: object) -> str:
    """Text of strangers, safe for a terminal: no control characters, no markup."""
    return escape("".join(c if c.isprintable() or c == "\n" else "�" for c in str(text)))


def tell(text: object) -> None:
    out.print(plain(text))


def complain(*texts: object) -> None:
    for text in texts:
        err.print(plain(text))


def load(path: Path | None) -> Config:
    return configuration.load(path)


def open_store(config: Config) -> Store:
    return Store(config.store.url)


@contextlib.contextmanager
def opened(path: Path | None) -> Iterator[tuple[Config, Store]]:
    """The configuration and its store, for commands that need no lease."""
    config = load(path)
    store = open_store(config)
    try:
        yield config, store
    finally:
        store.close()


@contextlib.contextmanager
def flow_of(config: Config, store: Store, crm: Crm | None = None) -> Iterator[Flow]:
    """A flow over this store; its workers end with it."""
    parsers = ProcessPool(max(1, (os.cpu_count() or 2) - 1))
    readers = ProcessPool(1)
    try:
        yield Flow(config, store, crm or open_crm(config, store), parsers, readers)
    finally:
        parsers.close()
        readers.close()


@contextlib.contextmanager
def lease(store: Store) -> Iterator[None]:
    """Be the only one who runs the flow. Running when somebody else does."""
    with store.transaction() as tx:
        token = sources.take_lease(tx, datetime.now(UTC))
        holder = sources.lease_holder(tx)
    if token is None:
        raise Running(say("error.running", holder=f"{holder.host}, pid {holder.pid}"))
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(HEARTBEAT):
            with store.transaction() as tx:
                sources.beat(tx, token, datetime.now(UTC))

    heart = threading.Thread(target=beat, name="heartbeat", daemon=True)
    heart.start()
    try:
        yield
    finally:
        ended.set()
        heart.join()
        with store.transaction() as tx:
            sources.give_back(tx, token)


def someone_watches() -> bool:
    return sys.stdout.isatty()
