"""Is everything fresh? A source is green only if its last poll and its last proof are."""

from collections import Counter
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import Connection, func, select

from agent.advice import unverified
from agent.config import Config, SourceConfig
from agent.store import handoffs, ledger, outbox, sources
from agent.store.tables import activity, link
from agent.store.tables import ledger as ledger_table
from agent.texts import say, span

POLL_AGE = timedelta(minutes=15)  # or three polls, whichever is longer
MOST = 5  # unread items and refused changes that are named, and of each what waits for it
TRIES = 5  # of a webhook, after which somebody should look
PROOF_AGE = timedelta(hours=26)  # it is made daily


class SourceStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One source, as `status` tells it."""

    name: str
    kind: str
    phase: str
    done: int
    total: int | None
    last_success: datetime | None
    last_proof: datetime | None
    last_error: str | None
    next_try: datetime | None
    problems: tuple[str, ...]  # why it is not green


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that `status` tells."""

    green: bool
    problems: tuple[str, ...]
    notes: tuple[str, ...]
    sources: tuple[SourceStatus, ...]
    outcomes: dict[str, int]
    outbox: dict[str, int]  # written, waiting, rejected


def look(tx: Connection, config: Config, now: datetime) -> Status:
    states = sources.states(tx)
    rows = tuple(_source(s, states.get(s.name), now) for s in config.sources)
    counts = outbox.counts(tx)
    problems = [p for row in rows for p in row.problems]
    if lost := ledger.quarantined(tx):
        problems.append(say("status.quarantined", count=len(lost)))
        problems += [say("status.unread", source=r.source, item=r.ref, reason=r.reason) for r in lost[:MOST]]
    if refused := counts.get("rejected", 0):
        problems.append(say("status.rejected", count=refused))
        problems += [_refused(one) for one in outbox.refused(tx, MOST)]
    problems += _creations(tx, config, now)
    problems += [say("status.untold", key=key, error=error) for key, error in handoffs.untold(tx, TRIES)[:MOST]]
    return Status(
        green=not problems,
        problems=tuple(problems),
        notes=tuple(_notes(tx, config)),
        sources=rows,
        outcomes=_outcomes(tx),
        outbox={
            "written": counts.get("written", 0),
            "waiting": counts.get("pending", 0) + counts.get("sending", 0),
            "rejected": refused,
        },
    )


def _creations(tx: Connection, config: Config, now: datetime) -> list[str]:
    """So many new records that the cap holds them back: perhaps something has gone wrong."""
    cap, waiting = config.crm.records_per_hour, outbox.creations_waiting(tx)
    if not waiting or outbox.created_since(tx, now - outbox.AN_HOUR) < cap:
        return []
    return [say("status.too_many_records", count=waiting, cap=cap)]


def _refused(one: outbox.Refused) -> str:
    if not one.waiting:
        return say("status.refused", key=one.key, error=one.error)
    keys = ", ".join(one.waiting[:MOST]) + (" ..." if len(one.waiting) > MOST else "")
    return say("status.refused_waiting", key=one.key, error=one.error, count=len(one.waiting), keys=keys)


def _source(config: SourceConfig, state: object, now: datetime) -> SourceStatus:
    values = {name: getattr(state, name, None) for name in ("last_success", "last_proof", "last_error", "next_try")}
    return SourceStatus(
        name=config.name,
        kind=config.kind,
        phase=getattr(state, "phase", "new"),
        done=getattr(state, "done", 0),
        total=getattr(state, "total", None),
        problems=tuple(_problems(config, state, now)),
        **values,
    )


def _problems(config: SourceConfig, state: object, now: datetime) -> list[str]:
    success, proof = getattr(state, "last_success", None), getattr(state, "last_proof", None)
    if (error := getattr(state, "last_error", None)) is not None:
        return [say("status.failed", source=config.name, error=error)]
    if success is None:
        return [say("status.never_polled", source=config.name)]
    problems = []
    if now - success > max(POLL_AGE, 3 * config.poll):
        problems.append(say("status.stale_poll", source=config.name, ago=span(now - success)))
    if proof is None:
        problems.append(say("status.no_proof", source=config.name))
    elif now - proof > PROOF_AGE:
        problems.append(say("status.stale_proof", source=config.name, ago=span(now - proof)))
    if getattr(state, "suspicion", None):
        problems.append(say("status.vanished_at_once", source=config.name))
    return problems


def _handed_off(tx: Connection) -> list[str]:
    """How many deals are handed off now, by each rule."""
    rules = Counter(one.rule for one in handoffs.every(tx) if one.ended is None)
    return [say("status.handed_off", rule=rule, count=count) for rule, count in sorted(rules.items())]


def _notes(tx: Connection, config: Config) -> list[str]:
    counts = unverified(tx)
    return _handed_off(tx) + [
        say("status.unverifiable", source=m.name)
        for m in config.mailboxes
        if counts[m.name] and counts[m.name]["unknown"] == sum(counts[m.name].values())
    ]


def _outcomes(tx: Connection) -> dict[str, int]:
    """How many letters and meetings ended how; one that two clients share counts once."""
    found: Counter[str] = Counter()
    found["skipped"] += tx.scalar(select(func.count()).where(activity.c.skipped != "")) or 0
    best: dict[int, str] = {}
    for row in tx.execute(select(link.c.activity_id, link.c.outcome)):
        if best.get(row.activity_id) != "logged":
            best[row.activity_id] = row.outcome
    found.update(best.values())
    everything = tx.scalar(select(func.count()).select_from(activity)) or 0
    found["waiting"] += everything - sum(found.values())
    for outcome in ("excluded", "quarantined"):
        found[outcome] += tx.scalar(select(func.count()).where(ledger_table.c.outcome == outcome)) or 0
    return {outcome: count for outcome, count in found.items() if count}
