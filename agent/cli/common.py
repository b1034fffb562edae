"""What the commands share: opening what config.toml names, exit codes, and safe printing."""

import contextlib
import json
import os
import re
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from agent import config as configuration
from agent.config import Config, SourceConfig
from agent.errors import DealscribeError, Rejected
from agent.flow import Flow, named, open_crm
from agent.store import Store, sources
from agent.texts import say
from agent.workers import READING, ProcessPool
from connectors.base import Crm

NO, PERSON, RETRY, RUNNING = 1, 3, 4, 5
REFUSED = NO
HEARTBEAT = 10.0  # seconds

ConfigPath = Annotated[Path | None, typer.Option("--config", help="config.toml; else it is looked for.")]
Sources = Annotated[list[str] | None, typer.Option("--source", help="Only this source; may be repeated.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document instead of text.")]

out = Console(highlight=False, soft_wrap=True, emoji=False)  # a key like "log:m:..." is no emoji
err = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)


class Running(DealscribeError):
    """Another dealscribe holds the lease."""


# DEL, C1, what nobody sees or what turns the direction of a text, halves of characters; the rest JSON escapes itself
_UNSAFE = re.compile(
    "[\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f\ud800-\udfff]"
)


def safe_json(document: str) -> str:
    """The same JSON, in which a terminal finds nothing to obey and a reader nothing that hides."""
    return _UNSAFE.sub(lambda found: json.dumps(found[0])[1:-1], document)


def plain(text: object) -> str:
    """Text of strangers, safe for a terminal: no control characters, no markup."""
    return escape("".join(c if c.isprintable() or c == "\n" else "�" for c in str(text)))


def tell(text: object, indent: int = 0) -> None:
    """One sentence; in a terminal a long one is wrapped under its own beginning, in a pipe it stays one line."""
    if out.is_terminal and indent:
        out.print(Padding(plain(text), (0, 0, 0, indent)), soft_wrap=False)
    else:
        out.print(" " * indent + plain(text))


def tell_table(heads: Sequence[str], rows: Iterable[Sequence[object]], texts: int = 1) -> None:
    """Aligned columns: the first `texts` hold words and give way in a narrow terminal, the others hold numbers."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for place, head in enumerate(heads):
        if place < texts:
            table.add_column(head, overflow="fold")
        else:
            table.add_column(head, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*map(_cell, row))
    out.print(table, soft_wrap=False)


def _cell(value: object) -> RenderableType:
    """An indented cell stays indented where it goes on in the next line."""
    text = str(value)
    words = text.lstrip(" ")
    return Padding(plain(words), (0, 0, 0, len(text) - len(words)))


def one_line(text: str) -> str:
    return " ".join(text.split())


def local(at: datetime) -> str:
    """A moment by the clock of whoever reads it."""
    return at.astimezone().strftime("%Y-%m-%d %H:%M")


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
    parsers = ProcessPool(os.cpu_count() or 1)
    readers = ProcessPool(1, work=READING)
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
    return sys.stderr.isatty()


def named_sources(config: Config, names: list[str]) -> list[SourceConfig]:
    """The sources of these names, all when none is named. Rejected says which there are."""
    try:
        wanted = named(config.sources, names)
    except KeyError as error:
        known = ", ".join(s.name for s in config.sources)
        raise Rejected(say("sync.unknown_source", name=error.args[0], known=known)) from None
    if not wanted:
        complain(say("sync.nothing"))
    return wanted
