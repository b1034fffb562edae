"""`sync`: run the flow once, for good or as a dry run."""

import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from sqlalchemy import Connection, func, select

from agent import reconcile as proving
from agent.advice import advice
from agent.cli.common import (
    PERSON,
    RETRY,
    ConfigPath,
    Json,
    Running,
    Sources,
    complain,
    flow_of,
    lease,
    named_sources,
    one_line,
    opened,
    safe_json,
    tell,
)
from agent.cli.progress import silence, watching
from agent.config import Config, SourceConfig, parse_since
from agent.daemon.asking import ask_daemon
from agent.deliver import CrmUnreachable
from agent.flow import Flow, Progress, never_written, utc_now
from agent.model import StageMove
from agent.retention import let_go_old_words
from agent.store import Store, histories, outbox, records, sources
from agent.store.copies import throwaway_copy
from agent.store.tables import outbox as outbox_table
from agent.sync import Done
from agent.sync import sync as sync_once
from agent.texts import say

ABOUT = ("subject", "quote", "closed_quote", "name")  # what a change is about, in the words of a letter
PATIENCE = 120.0  # seconds that `sync` waits for a CRM that asks it to come back later

Watch = Callable[[], AbstractContextManager[Callable[[Progress], None]]]


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
        wanted = named_sources(loaded, source or [])
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
        print(safe_json(json.dumps(told, ensure_ascii=False)))
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
    what = say(f"change.{change['kind']}", deal=deals, stage=body.get("stage", ""), name=one_line(body.get("name", "")))
    where = f" [{deals}]" if change["kind"] == "log_activity" and deals else ""
    about = next((str(body[name]) for name in ABOUT if body.get(name)), "")
    return f"{str(body.get('at') or body.get('closed') or '')[:10]} {what}{where}: {one_line(about)}".strip()


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
        let_go_old_words(flow)
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
        return proving.is_due(sources.state(tx, source.name), flow.now())


def _dry_run(config: Config, store: Store, wanted: list[SourceConfig], watch: Watch) -> Ended:
    """The whole flow on a throw-away copy; the real ledger, cursors and CRM stay as they were."""
    with on_a_copy(config, store, watch) as flow:
        with flow.store.reading() as tx:
            before = tx.scalar(select(func.max(outbox_table.c.seq))) or 0
        sync_once(flow, wanted)
        with flow.store.reading() as tx:
            code, problems = _failures(sources.states(tx), wanted)
            query = select(outbox_table).where(outbox_table.c.seq > before).order_by(outbox_table.c.seq)
            changes = [{"key": row.key, "kind": row.kind, "body": row.body} for row in tx.execute(query)]
            proposed = _proposed(tx)
    with store.reading() as tx:
        standing = _proposed(tx)
    new = [change for key, change in proposed.items() if key not in standing]
    return Ended(code, problems, changes=changes, proposed=new)


@contextmanager
def on_a_copy(config: Config, store: Store, watch: Watch) -> Iterator[Flow]:
    """A flow over a throw-away copy of the store, with a CRM that is never written."""
    with tempfile.TemporaryDirectory(prefix="dealscribe-") as folder:
        copy = throwaway_copy(store, Path(folder))
        try:
            with watch() as show, flow_of(config, copy, never_written(config, copy)) as flow:
                flow.tell, flow.outward = show, False
                yield flow
        finally:
            copy.close()


def _proposed(tx: Connection) -> dict[str, dict[str, Any]]:
    """The moves and the deals that a person would be asked about, as the changes that they would become."""
    waiting = (move for said in histories.every(tx) for move in said.moves if move.state == "proposed")
    moves = [_as_change(move) for move in waiting]
    deals = [
        {"key": new.key, "kind": "create_deal", "body": new.body | {"quote": new.quote, "why": new.why}}
        for new in records.proposed(tx)
    ]
    return {change["key"]: change for change in (*moves, *deals)}


def _as_change(move: StageMove) -> dict[str, Any]:
    body = {"deal_id": move.deal_id, "stage": move.stage, "at": move.date.isoformat(), "quote": move.quote}
    return {"key": move.key, "kind": "move_stage", "body": body | {"why": move.why, "evidence": move.evidence}}
