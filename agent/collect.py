"""Collect one source into the ledger: fetch, prepare in a worker, store with the cursor in one transaction."""

import hashlib
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection

from agent import suspicion
from agent.config import SourceConfig
from agent.errors import CursorExpired, NeedsHuman, Retry
from agent.exclusions import apply_new_rules
from agent.flow import CALENDAR_AHEAD, Flow, Progress, open_source
from agent.intake import House, Prepared
from agent.pipeline import ahead, in_order
from agent.store import forget, ledger, memberships, pending, sources
from agent.workers import Poison
from classifiers import version
from connectors.base import Batch, Item, Source

FIRST_PAUSE = timedelta(seconds=30)  # before a source that failed is tried again
LONGEST_PAUSE = timedelta(minutes=30)
STORED_TOGETHER = 400  # items at least, when there are as many
PARSERS = {"mailbox": "agent.intake:prepare_letters", "calendar": "agent.intake:prepare_events"}


def collect(flow: Flow, config: SourceConfig) -> int:
    """Everything new of one source; returns the number of new or changed items.

    A broken connection or a refused password is noted at the source, and nothing of it is lost: the cursor stands
    where the last stored batch left it. Raises only what a defect of ours would raise.
    """
    with flow.store.transaction() as tx:
        apply_new_rules(flow, tx)
        state = sources.begin(tx, config.name, config.start(flow.now()))
        sources.save(tx, config.name, last_poll=flow.now())
    source = open_source(flow.config, config, state.since, flow.now())
    return collect_from(flow, config, source)


def collect_from(flow: Flow, config: SourceConfig, source: Source) -> int:
    count = 0
    try:
        count += take_up(flow, config, source, _wanted_again(flow, config))
        fetched = ahead(_joined(_batches(flow, config, source)))
        prepared = in_order(lambda one: _ready(flow, config, *one), fetched, flow.parsers.size)
        with closing(ahead(prepared)) as batches:
            for ready in batches:
                count += _store_batch(flow, config, ready)
                if flow.stopping():
                    return count
    except Retry as error:
        note_failure(flow, config, str(error), error.after)
    except NeedsHuman as error:
        note_failure(flow, config, str(error), LONGEST_PAUSE.total_seconds(), phase="needs a person")
    else:
        _note_success(flow, config)
    finally:
        source.close()
    return count


def _batches(flow: Flow, config: SourceConfig, source: Source) -> Iterator[tuple[Batch, bool]]:
    """The source's batches, and whether they are its first import; an expired cursor begins a re-list."""
    with flow.store.reading() as tx:
        state = sources.state(tx, config.name)
    first = state.phase != "following" and state.last_success is None
    if first:  # there will be much to parse, and the server has yet to be reached
        flow.parsers.start(PARSERS[config.what])
    try:
        for batch in source.fetch(state.cursor):
            yield batch, first
        return
    except CursorExpired:
        with flow.store.transaction() as tx:
            # what stands already is recognized; the daily proof is due at once
            sources.save(tx, config.name, cursor=None, phase="re-listing", last_proof=None)
    for batch in source.fetch(None):
        yield batch, False


def _joined(batches: Iterator[tuple[Batch, bool]]) -> Iterator[tuple[Batch, bool]]:
    """Small batches as one: a mailbox of many small folders costs no more transactions than one of a few large ones."""
    held: list[Batch] = []
    first = False
    try:
        for batch, first in batches:
            held.append(batch)
            if sum(len(b.items) for b in held) >= STORED_TOGETHER:
                yield _as_one(held), first
                held = []
    except (Retry, NeedsHuman):
        if held:  # what came before the line broke is kept: the next try begins behind it
            yield _as_one(held), first
        raise
    if held:
        yield _as_one(held), first


def _as_one(batches: Sequence[Batch]) -> Batch:
    last = batches[-1]
    return Batch(
        items=tuple(item for batch in batches for item in batch.items),
        cursor=last.cursor,
        done=last.done,
        total=last.total,
        vanished=tuple(ref for batch in batches for ref in batch.vanished),
    )


class _Ready(NamedTuple):
    """A batch whose new items are prepared, and only have to be stored."""

    batch: Batch
    backfill: bool
    prepared: list[Prepared]
    poisoned: list[tuple[Item, str]]


def _ready(flow: Flow, config: SourceConfig, batch: Batch, backfill: bool) -> _Ready:
    return _Ready(batch, backfill, *_prepare(flow, config, _unknown(flow, config, batch.items)))


def _store_batch(flow: Flow, config: SourceConfig, ready: _Ready) -> int:
    started = time.monotonic()
    batch, backfill, prepared, poisoned = ready
    if batch.vanished:
        with flow.store.transaction() as tx:
            doubt = _doubted(tx, config, batch)
        if doubt:  # raised when the suspicion is stored: an error inside the transaction would take it back
            raise Retry(doubt)
    with flow.store.transaction() as tx:
        _store(flow, tx, config, prepared, poisoned, fresh=not backfill)
        pending.mark_dirty(tx, _clients_of_vanished(tx, config, batch, flow.now()))
        rate = len(batch.items) / max(time.monotonic() - started, 1e-6)
        sources.save(
            tx,
            config.name,
            cursor=batch.cursor,
            phase="importing" if backfill else "following",
            done=batch.done,
            total=batch.total,
            rate=rate,
        )
    flow.tell(Progress("collect", config.name, batch.done, batch.total, rate))
    return len(prepared) + len(poisoned)


def take_up(flow: Flow, config: SourceConfig, source: Source, refs: Sequence[str]) -> int:
    """Fetch and store these items: a proof found them missing, a person retries them, or they are wanted after all."""
    count = 0
    for start in range(0, len(refs), 50):
        part = refs[start : start + 50]
        items = list(source.get(part))
        prepared, poisoned = _prepare(flow, config, items)
        with flow.store.transaction() as tx:
            _store(flow, tx, config, prepared, poisoned, fresh=False)
            forget.fetched_again(tx, config.name, part)
        count += len(prepared)
    return count


def _wanted_again(flow: Flow, config: SourceConfig) -> list[str]:
    """Items that were let go and are wanted after all, and series that have to be carried on."""
    with flow.store.reading() as tx:
        again = forget.to_fetch_again(tx, config.name)
        if config.what == "calendar":
            again += ledger.to_expand(tx, config.name, flow.now() + CALENDAR_AHEAD / 2)
        return list(dict.fromkeys(again))


def _unknown(flow: Flow, config: SourceConfig, items: Sequence[Item]) -> list[Item]:
    """Items that are new, or calendar objects with other bytes than before."""
    with flow.store.reading() as tx:
        standing = ledger.known(tx, config.name, [i.ref for i in items])
    return [i for i in items if (row := standing.get(i.ref)) is None or _changed(config, i, row)]


def _changed(config: SourceConfig, item: Item, row: ledger.Known) -> bool:
    if row.outcome == "quarantined":
        return False  # a person retries it
    if row.gone:
        return True  # it is back
    if item.excluded or row.outcome == "excluded":
        return bool(item.excluded) != (row.outcome == "excluded")
    return config.what == "calendar" and hashlib.sha256(item.raw).hexdigest() != row.digest


def _prepare(flow: Flow, config: SourceConfig, items: Sequence[Item]) -> tuple[list[Prepared], list[tuple[Item, str]]]:
    """What the ledger stores, and the items that could not be read, each with its error."""
    readable = [i for i in items if not i.problem]
    poisoned = [(i, i.problem) for i in items if i.problem]
    with flow.store.reading() as tx:
        house = flow.house(tx)
        tz, owner = flow.zone_of(tx, config), flow.email_of(tx, config)
        state = sources.state(tx, config.name)
    args: tuple[Any, ...] = (house,)
    if config.what == "calendar":
        args = (house, (state.since, flow.now() + CALENDAR_AHEAD), tz, owner)
    answers = flow.parsers.run(PARSERS[config.what], readable, *args)
    prepared = [a for a in answers if not isinstance(a, Poison)]
    poisoned += [(i, a.error) for i, a in zip(readable, answers, strict=True) if isinstance(a, Poison)]
    return prepared, poisoned


def _store(
    flow: Flow,
    tx: Connection,
    config: SourceConfig,
    prepared: Sequence[Prepared],
    poisoned: Sequence[tuple[Item, str]],
    *,
    fresh: bool,
) -> None:
    stored = ledger.store(tx, config.name, prepared, flow.now())
    for item, error in poisoned:
        ledger.put_in_quarantine(tx, config.name, item.ref, item.folder, item.uid, item.raw, error, flow.now())
    house: House = flow.house(tx)
    pending.mark_dirty(tx, stored.forgotten)
    moved = memberships.assign(tx, flow.people(tx), house, stored.threads, stored.fresh)
    pending.wait_for_reading(tx, stored.activities | moved, version(flow.config.reader), fresh=fresh)


def _clients_of_vanished(tx: Connection, config: SourceConfig, batch: Batch, now: datetime) -> set[str]:
    if not batch.vanished:
        return set()
    return pending.clients_of_activities(tx, ledger.mark_gone(tx, config.name, batch.vanished, now))


def _doubted(tx: Connection, config: SourceConfig, batch: Batch) -> str:
    """Why a batch with vanished items must wait for a second look; "" when it need not."""
    stood = ledger.count_present(tx, config.name)
    believed = suspicion.is_believed(tx, config.name, "poll", batch.vanished, stood)
    return "" if believed else suspicion.doubt(len(batch.vanished), stood)


def _note_success(flow: Flow, config: SourceConfig) -> None:
    values = {"last_success": flow.now(), "last_error": None, "next_try": None, "phase": "following"}
    with flow.store.transaction() as tx:
        sources.save(tx, config.name, **values)
        suspicion.settle(tx, config.name, "poll")


def note_failure(flow: Flow, config: SourceConfig, error: str, after: float | None, phase: str | None = None) -> None:
    with flow.store.transaction() as tx:
        state = sources.state(tx, config.name)
        before = (state.next_try - state.last_poll) if state.next_try and state.last_error else FIRST_PAUSE / 2
        pause = timedelta(seconds=after) if after is not None else min(2 * before, LONGEST_PAUSE)
        values = {"last_error": error, "next_try": flow.now() + pause} | ({"phase": phase} if phase else {})
        sources.save(tx, config.name, **values)
