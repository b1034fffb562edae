"""`sync` and `reconcile`: run the flow once, and prove that nothing was lost."""

import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from sqlalchemy import func, select

from agent import reconcile as proving
from agent import reports
from agent.advice import advice
from agent.cli.common import (
    NO,
    PERSON,
    RETRY,
    RUNNING,
    ConfigPath,
    Json,
    Running,
    complain,
    err,
    flow_of,
    lease,
    one_line,
    opened,
    plain,
    someone_watches,
    tell,
)
from agent.config import Config, SourceConfig, parse_since
from agent.daemon.asking import ask_daemon
from agent.deliver import CrmUnreachable
from agent.errors import Rejected
from agent.flow import Flow, Progress, named, never_written, utc_now
from agent.model import StageMove
from agent.store import Store, outbox, sources
from agent.store.copies import throwaway_copy
from agent.store.tables import outbox as outbox_table
from agent.sync import Done
from agent.sync import sync as sync_once
from agent.texts import say

PROOF_AGE = timedelta(hours=24)
PATIENCE = 120.0  # seconds that `sync` waits for a CRM that asks it to come back later

Watch = Callable[[], AbstractContextManager[Callable[[Progress], None]]]
Sources = Annotated[list[str] | None, typer.Option("--source", help="Only this source; may be repeated.")]


def sync(
    source: Sources = None,
    since: Annotated[str | None, typer.Option(help="Go back this far now, e.g. 90d or 2026-01-01.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be written; change nothing.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Without progress.")] = False,
    as_json: Json = False,
    config: ConfigPath = None,
) -> None:
    """Read all sources now and write what follows into the CRM."""
    began = _moment(since)
    watch = silence if quiet else watching
    with opened(config) as (loaded, store):
        wanted = _named(loaded, source or [])
        if dry_run:
            ended: Ended | None = _dry_run(loaded, store, wanted, watch)
        else:
            _go_back(store, wanted, began)
            ended = None
        while ended is None:
            try:
                with lease(store):
                    ended = _sync(loaded, store, wanted, watch)
            except Running:
                ended = _asked(store, [s.name for s in wanted] if source else None, watch)
    _tell(ended, as_json)
    if ended.code:
        raise typer.Exit(ended.code)


class Ended(NamedTuple):
    """How a sync ended."""

    code: int
    problems: list[str]
    collected: int | None = None  # unknown when a daemon did it
    written: int | None = None
    advice: Sequence[str] = ()
    changes: Sequence[dict[str, Any]] | None = None  # of a dry run: what would be written
    proposed: Sequence[dict[str, Any]] | None = None  # ... and what a person would be asked


def _tell(ended: Ended, as_json: bool) -> None:
    if as_json:
        told = {name: value for name, value in ended._asdict().items() if name != "code" and value is not None}
        print(json.dumps(told, ensure_ascii=False))
        return
    complain(*ended.problems)
    if ended.changes is not None:
        tell(say("sync.would_write", count=len(ended.changes)))
        for change in ended.changes:
            tell(_in_words(change), indent=2)
        tell(say("sync.would_propose", count=len(ended.proposed or ())))
        for change in ended.proposed or ():
            tell(_in_words(change), indent=2)
    elif ended.collected is not None:
        tell(say("sync.collected", count=ended.collected, written=ended.written))
    if ended.advice:
        tell(say("advice.title"))
    for point in ended.advice:
        tell(f"- {point}")


def _in_words(change: Mapping[str, Any]) -> str:
    """When, what, on which deals, and the words that it is about."""
    body = change["body"]
    deals = ", ".join(body.get("deal_ids") or filter(None, [body.get("deal_id")]))
    what = say(f"change.{change['kind']}", deal=deals, stage=body.get("stage", ""))
    where = f" [{deals}]" if change["kind"] == "log_activity" and deals else ""
    about = next((str(body[name]) for name in ("subject", "quote", "why", "name") if body.get(name)), "")
    return f"{str(body.get('at', ''))[:10]} {what}{where}: {one_line(about)}".strip()


def _moment(since: str | None) -> datetime | None:
    if since is None:
        return None
    try:
        began = parse_since(since)
    except ValueError:
        raise typer.BadParameter(say("sync.since"), param_hint="--since") from None
    return utc_now() - began if isinstance(began, timedelta) else began


def _asked(store: Store, names: list[str] | None, watch: Watch) -> Ended | None:
    """Beside a running dealscribe: have it done there; None when that one ended before it was done."""
    complain(say("sync.asked"))
    with watch() as show:
        served = ask_daemon(store, names, show)
    if not served.done:
        complain(say("sync.daemon_ended"))
        return None
    return Ended(RETRY if served.errors else 0, list(served.errors))


def _named(config: Config, names: list[str]) -> list[SourceConfig]:
    try:
        wanted = named(config.sources, names)
    except KeyError as error:
        known = ", ".join(s.name for s in config.sources)
        raise Rejected(say("sync.unknown_source", name=error.args[0], known=known)) from None
    if not wanted:
        complain(say("sync.nothing"))
    return wanted


def _go_back(store: Store, wanted: list[SourceConfig], start: datetime | None) -> None:
    """Begin earlier than before: the whole list is asked for again, and what stands already is recognized."""
    if start is None:
        return
    with store.transaction() as tx:
        for source in wanted:
            state = sources.begin(tx, source.name, start)
            if start < state.since:
                sources.save(tx, source.name, since=start, cursor=None)


def _sync(config: Config, store: Store, wanted: list[SourceConfig], watch: Watch) -> Ended:
    with watch() as show, flow_of(config, store) as flow:
        flow.tell = show
        done, failure = _until_delivered(flow, wanted)
        for source in wanted:
            if _proof_is_due(flow, source):
                proving.prove(flow, source)
    with store.reading() as tx:
        code, problems = _failures(sources.states(tx), wanted)
        waiting = outbox.counts(tx)
        points = advice(tx, config)
    if failure:
        count = waiting.get("pending", 0) + waiting.get("sending", 0)
        problems.append(say("sync.crm_away", error=failure, count=count))
    code = code or (RETRY if failure else 0)
    if done is None:
        return Ended(code, problems, advice=points)
    return Ended(code, problems, done.collected, done.written, points)


def _until_delivered(flow: Flow, wanted: list[SourceConfig]) -> tuple[Done | None, str]:
    """Run the flow; come back to a CRM that asks for patience. What was done, or why it still takes nothing."""
    began = time.monotonic()
    while True:
        try:
            return sync_once(flow, wanted), ""
        except CrmUnreachable as error:
            wanted = []  # they have been collected
            pause = error.after if error.after is not None else 5.0
            if time.monotonic() + pause - began > PATIENCE:
                return None, str(error)
            time.sleep(pause)


def _failures(states: Mapping[str, Any], wanted: list[SourceConfig]) -> tuple[int, list[str]]:
    """The exit code and the sentences of sources that could not be read; a person's matter outweighs patience."""
    failed = {source.name: s for source in wanted if (s := states.get(source.name)) is not None and s.last_error}
    code = PERSON if any(s.phase == "needs a person" for s in failed.values()) else RETRY if failed else 0
    return code, [say("sync.source_failed", source=name, error=s.last_error) for name, s in failed.items()]


def _proof_is_due(flow: Flow, source: SourceConfig) -> bool:
    with flow.store.reading() as tx:
        state = sources.state(tx, source.name)
    if state is None or state.last_error:
        return False
    return state.last_proof is None or flow.now() - state.last_proof > PROOF_AGE


def _dry_run(config: Config, store: Store, wanted: list[SourceConfig], watch: Watch) -> Ended:
    """The whole flow on a throw-away copy; the real ledger, cursors and CRM stay as they were."""
    with tempfile.TemporaryDirectory(prefix="dealscribe-") as folder:
        copy = throwaway_copy(store, Path(folder))
        try:
            with copy.reading() as tx:
                before = tx.scalar(select(func.max(outbox_table.c.seq))) or 0
            with watch() as show, flow_of(config, copy, never_written(config, copy)) as flow:
                flow.tell = show
                sync_once(flow, wanted)
            with copy.reading() as tx:
                code, problems = _failures(sources.states(tx), wanted)
                query = select(outbox_table).where(outbox_table.c.seq > before).order_by(outbox_table.c.seq)
                changes = [{"key": row.key, "kind": row.kind, "body": row.body} for row in tx.execute(query)]
                proposed = {move.key: move for move in reports.load(tx).proposed}
        finally:
            copy.close()
    with store.reading() as tx:
        standing = {move.key for move in reports.load(tx).proposed}
    new = [_as_change(move) for key, move in proposed.items() if key not in standing]
    return Ended(code, problems, changes=changes, proposed=new)


def _as_change(move: StageMove) -> dict[str, Any]:
    body = {"deal_id": move.deal_id, "stage": move.stage, "at": move.date.isoformat(), "quote": move.quote}
    return {"key": move.key, "kind": "move_stage", "body": body | {"why": move.why, "evidence": move.evidence}}


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
def watching() -> Iterator[Callable[[Progress], None]]:
    """On standard error: bars when a person watches, else one JSON line per source and second at most."""
    if not someone_watches():
        yield _Lines()
        return
    rate = TextColumn("{task.fields[rate]}")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), rate, TimeRemainingColumn())
    with Bars(*columns, console=err, transient=True) as bars:
        yield _Bars(bars)


@contextmanager
def silence() -> Iterator[Callable[[Progress], None]]:
    yield lambda _: None


class _Bars:
    """A bar for each source, and a count of the letters that have been read."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, progress: Progress) -> None:
        rate = f"{progress.rate:.0f}/s" if progress.rate else ""
        if progress.step == "collect":
            task = self._task(progress.source, progress.total)
            self._bars.update(task, completed=progress.done, total=progress.total, rate=rate)
        elif progress.step == "read":
            self._bars.advance(self._task(say("sync.reading"), None), progress.done)

    def _task(self, name: str, total: int | None) -> TaskID:
        if name not in self._tasks:
            self._tasks[name] = self._bars.add_task(plain(name), total=total, rate="")
        return self._tasks[name]


class _Lines:
    """One JSON line per source and second at most, and one when it is done."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: dict[str, float] = {}

    def __call__(self, progress: Progress) -> None:
        if progress.step != "collect":
            return
        done = progress.total is not None and progress.done >= progress.total
        with self._lock:
            now = time.monotonic()
            if not done and now - self._last.get(progress.source, 0.0) < 1.0:
                return
            self._last[progress.source] = now
            left = _seconds_left(progress)
            event = {"event": "progress", "source": progress.source, "done": progress.done, "total": progress.total}
            event |= {"rate": round(progress.rate or 0, 1), "seconds_left": left}
            print(json.dumps(event, ensure_ascii=False), file=sys.stderr, flush=True)


def _seconds_left(progress: Progress) -> float | None:
    if not progress.rate or progress.total is None:
        return None
    return round(max(0, progress.total - progress.done) / progress.rate, 1)
