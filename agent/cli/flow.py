"""`sync` and `reconcile`: run the flow once, and prove that nothing was lost."""

import json
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from sqlalchemy import select

from agent import reconcile as proving
from agent.advice import advice
from agent.asking import ask_daemon
from agent.cli.common import (
    NO,
    RETRY,
    RUNNING,
    ConfigPath,
    Json,
    Running,
    complain,
    flow_of,
    lease,
    opened,
    someone_watches,
    tell,
)
from agent.config import Config, SourceConfig, parse_since
from agent.deliver import CrmUnreachable
from agent.errors import Rejected
from agent.flow import Flow, Progress, named, never_written, utc_now
from agent.store import Store, outbox, sources
from agent.store.copies import throwaway_copy
from agent.store.tables import outbox as outbox_table
from agent.sync import sync as sync_once
from agent.texts import say

PROOF_AGE = timedelta(hours=24)
PATIENCE = 120.0  # seconds that `sync` waits for a CRM that asks it to come back later

Sources = Annotated[list[str] | None, typer.Option("--source", help="Only this source; may be repeated.")]


def sync(
    source: Sources = None,
    since: Annotated[str | None, typer.Option(help="Go back this far now, e.g. 90d or 2026-01-01.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be written; change nothing.")] = False,
    config: ConfigPath = None,
) -> None:
    """Read all sources now and write what follows into the CRM."""
    with opened(config) as (loaded, store):
        wanted = _named(loaded, source or [])
        if dry_run:
            _dry_run(loaded, store, wanted)
            return
        _go_back(store, wanted, since)
        code = None
        while code is None:
            try:
                with lease(store):
                    code = _sync(loaded, store, wanted)
            except Running:
                code = _asked(store, [s.name for s in wanted] if source else None)
    if code:
        raise typer.Exit(code)


def _asked(store: Store, names: list[str] | None) -> int | None:
    """Beside a running dealscribe: have it done there; None when that one ended before it was done."""
    tell(say("sync.asked"))
    with watching() as show:
        served = ask_daemon(store, names, show)
    if not served.done:
        complain(say("sync.daemon_ended"))
        return None
    complain(*served.errors)
    return RETRY if served.errors else 0


def _named(config: Config, names: list[str]) -> list[SourceConfig]:
    try:
        wanted = named(config.sources, names)
    except KeyError as error:
        known = ", ".join(s.name for s in config.sources)
        raise Rejected(say("sync.unknown_source", name=error.args[0], known=known)) from None
    if not wanted:
        tell(say("sync.nothing"))
    return wanted


def _go_back(store: Store, wanted: list[SourceConfig], since: str | None) -> None:
    """Begin earlier than before: the whole list is asked for again, and what stands already is recognized."""
    if since is None:
        return
    began = parse_since(since)
    start = utc_now() - began if isinstance(began, timedelta) else began
    with store.transaction() as tx:
        for source in wanted:
            state = sources.begin(tx, source.name, start)
            if start < state.since:
                sources.save(tx, source.name, since=start, cursor=None)


def _sync(config: Config, store: Store, wanted: list[SourceConfig]) -> int:
    with watching() as show, flow_of(config, store) as flow:
        flow.tell = show
        failure = _until_delivered(flow, wanted)
        for source in wanted:
            if _proof_is_due(flow, source):
                proving.prove(flow, source)
    return _said_at_the_end(config, store, wanted, failure)


def _until_delivered(flow: Flow, wanted: list[SourceConfig]) -> str:
    """Run the flow; come back to a CRM that asks for patience. Returns why it still takes nothing, or ""."""
    began = time.monotonic()
    done = None
    while True:
        try:
            done = sync_once(flow, wanted if done is None else [])
        except CrmUnreachable as error:
            wanted = []
            pause = error.after if error.after is not None else 5.0
            if time.monotonic() + pause - began > PATIENCE:
                return str(error)
            time.sleep(pause)
        else:
            tell(say("sync.collected", count=done.collected, written=done.written))
            return ""


def _proof_is_due(flow: Flow, source: SourceConfig) -> bool:
    with flow.store.reading() as tx:
        state = sources.state(tx, source.name)
    if state is None or state.last_error:
        return False
    return state.last_proof is None or flow.now() - state.last_proof > PROOF_AGE


def _said_at_the_end(config: Config, store: Store, wanted: list[SourceConfig], failure: str) -> int:
    code = 0
    with store.reading() as tx:
        states = sources.states(tx)
        waiting = outbox.counts(tx)
        points = advice(tx, config)
    for source in wanted:
        if (state := states.get(source.name)) is not None and state.last_error:
            complain(say("sync.source_failed", source=source.name, error=state.last_error))
            code = RETRY
    if failure:
        complain(say("sync.crm_away", error=failure, count=waiting.get("pending", 0) + waiting.get("sending", 0)))
        code = RETRY
    if points:
        tell(say("advice.title"))
        for point in points:
            tell(f"- {point}")
    return code


def _dry_run(config: Config, store: Store, wanted: list[SourceConfig]) -> None:
    """The whole flow on a throw-away copy; the real ledger, cursors and CRM stay as they were."""
    with tempfile.TemporaryDirectory(prefix="dealscribe-") as folder:
        copy = throwaway_copy(store, Path(folder))
        try:
            with copy.reading() as tx:
                before = tx.scalar(select(outbox_table.c.seq).order_by(outbox_table.c.seq.desc()).limit(1)) or 0
            with watching() as show, flow_of(config, copy, never_written(config, copy)) as flow:
                flow.tell = show
                sync_once(flow, wanted)
            with copy.reading() as tx:
                rows = list(
                    tx.execute(select(outbox_table).where(outbox_table.c.seq > before).order_by(outbox_table.c.seq))
                )
        finally:
            copy.close()
    tell(say("sync.would_write", count=len(rows)))
    for row in rows:
        print(json.dumps({"key": row.key, "kind": row.kind, **row.body}, ensure_ascii=False))


def reconcile(
    source: Sources = None,
    repair: Annotated[bool, typer.Option("--repair", help="Take up what is missing.")] = False,
    as_json: Json = False,
    config: ConfigPath = None,
) -> None:
    """Prove by identity that every item on the servers has a row, and every logged one is in the CRM."""
    with opened(config) as (loaded, store):
        try:
            with lease(store), flow_of(loaded, store) as flow:
                proofs = [proving.prove(flow, s, repair=repair) for s in _named(loaded, source or [])]
                if repair:
                    sync_once(flow, [])
                of_crm = proving.prove_crm(flow)
        except Running as error:
            complain(error)
            raise typer.Exit(RUNNING) from None
    if as_json:
        document = {"sources": [_as_dict(p) for p in proofs], "crm": of_crm.__dict__}
        print(json.dumps(document, ensure_ascii=False, default=list))
    else:
        for proof in proofs:
            tell(_proof_line(proof))
        numbers = of_crm.__dict__ | {"missing": len(of_crm.missing)}
        tell(say("reconcile.crm", **numbers))
    if not (all(p.holds for p in proofs) and of_crm.holds):
        raise typer.Exit(NO)


def _as_dict(proof: proving.Proof) -> dict[str, Any]:
    return proof.__dict__ | {"missing": [[r.folder, r.uid] for r in proof.missing], "holds": proof.holds}


def _proof_line(proof: proving.Proof) -> str:
    if proof.error:
        return say("reconcile.failed", source=proof.source, error=proof.error)
    if proof.taken_up:
        return say("reconcile.repaired", source=proof.source, count=proof.taken_up)
    numbers = {"source": proof.source, "on_server": proof.on_server, "known": proof.known, "vanished": proof.vanished}
    name = "reconcile.missing" if proof.missing else "reconcile.holds"
    return say(name, count=len(proof.missing), **numbers)


# -- progress -----------------------------------------------------------------------------------------------------


@contextmanager
def watching() -> Iterator[Any]:
    """Bars when a person watches, else one JSON line per source and second at most."""
    if someone_watches():
        rate = TextColumn("{task.fields[rate]}")
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), rate, TimeRemainingColumn())
        with Bars(*columns, transient=True) as bars:
            yield _Bars(bars)
    else:
        yield _Lines()


class _Bars:
    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, progress: Progress) -> None:
        if progress.step != "collect":
            return
        if progress.source not in self._tasks:
            self._tasks[progress.source] = self._bars.add_task(progress.source, total=progress.total, rate="")
        rate = f"{progress.rate:.0f}/s" if progress.rate else ""
        task = self._tasks[progress.source]
        self._bars.update(task, completed=progress.done, total=progress.total, rate=rate)


class _Lines:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: dict[tuple[str, str], float] = {}

    def __call__(self, progress: Progress) -> None:
        if progress.step != "collect":
            return
        done = progress.total is not None and progress.done >= progress.total
        with self._lock:
            now = time.monotonic()
            if not done and now - self._last.get((progress.step, progress.source), 0.0) < 1.0:
                return
            self._last[(progress.step, progress.source)] = now
            left = _seconds_left(progress)
            event = {"event": "progress", "source": progress.source, "done": progress.done, "total": progress.total}
            print(json.dumps(event | {"rate": round(progress.rate or 0, 1), "seconds_left": left}), flush=True)


def _seconds_left(progress: Progress) -> float | None:
    if not progress.rate or progress.total is None:
        return None
    return round(max(0, progress.total - progress.done) / progress.rate, 1)
