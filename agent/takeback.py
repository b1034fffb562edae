"""What a person's answer takes back out of the CRM: moves that because of it are said no longer; pure.

What is said now is compared with what would be said without the answers given since the last fold. What was written
and is said only there is taken back because of them. What a new letter or reader no longer supports stays written,
unless an earlier proof has already brought the deal further. An objection that is said no longer is removed, whatever
the reason: see objection_changes.py.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime

from agent.answers import Move, Verdicts
from agent.changes import as_they_stand, standing_moves, times_told
from agent.known import Client
from agent.model import CREATES, Change, Deal, History, Pipeline
from agent.sent import Sent

WHY = "taken back by a person"
CREATED = {change: record for record, change in CREATES.items()}
LONG_AGO = datetime.min.replace(tzinfo=UTC)
SUPERSEDED = "an earlier proof had brought the deal further"


def withdrawals(
    said: History,
    unanswered: History,
    verdicts: Verdicts,
    sent: Sequence[Sent],
    client: Client,
    may_write: Collection[str],
) -> list[Change]:
    """Changes that take back what the answers no longer support. `unanswered`: what would be said without them."""
    changes: list[Change] = []
    if "stages" in may_write:
        changes += _of_moves(said, unanswered, verdicts, sent, client)
    if "records" in may_write:
        changes += _of_records(verdicts, sent)
    return changes


def _of_moves(
    said: History,
    unanswered: History,
    verdicts: Verdicts,
    sent: Sequence[Sent],
    client: Client,
) -> list[Change]:
    deals = {d.id: d for d in client.deals}
    before, standing = _written(unanswered), standing_moves(sent)
    kept = {m.key for m in as_they_stand((m for m in said.moves if m.state == "written"), standing)}
    changes = []
    for key, one in standing.items():
        deal = deals.get(one.body["deal_id"])
        what = (one.body["deal_id"], one.body["stage"], one.body["evidence"])
        refused = verdicts.refuses(*what)
        if deal is None or key in kept:
            continue
        at, stage = _stands(said, deal, client.pipelines)
        moved_at = datetime.fromisoformat(one.body["at"])
        why = WHY if refused or key in before or what in before else ""
        if not why and at <= moved_at and _is_further(client.pipelines.get(deal.pipeline), stage, one.body["stage"]):
            why = SUPERSEDED
        if not why:
            continue
        body: dict[str, object] = {
            "deal_id": deal.id,
            "move": key,
            "from": one.body["stage"],
            "stage": None if _touched(deal, moved_at) else stage,
            "why": why,
        }
        again = f"withdraw:{key}:{times_told(key, sent)}"
        changes.append(Change(key=again, kind="withdraw_stage", subject=one.subject, needs=(one.key,), body=body))
    return changes[::-1]  # the latest move first, so that a deal goes back the way it came


def _written(said: History) -> set[str | Move]:
    """By their keys, and by what they say: a person's move that is told later may have given one another key."""
    moves = [m for m in said.moves if m.state == "written"]
    return {m.key for m in moves} | {(m.deal_id, m.stage, m.evidence) for m in moves}


def _touched(deal: Deal, since: datetime) -> bool:
    """Has a person moved the deal since? Then it stays where he put it."""
    return any(event.by == "human" and event.date >= since for event in deal.events)


def _stands(said: History, deal: Deal, pipelines: Mapping[str, Pipeline]) -> tuple[datetime, str]:
    """Since when, and where, the deal stands by what is said now."""
    ways = [(e.date, 0, n, e.stage) for n, e in enumerate(deal.events)]
    moves = (m for m in said.moves if m.deal_id == deal.id and m.state == "written")
    ways += [(m.date, 1, n, m.stage) for n, m in enumerate(moves)]
    if ways:
        at, _, _, stage = max(ways)
        return at, stage
    pipeline = pipelines.get(deal.pipeline)
    return LONG_AGO, pipeline.stages[0].name if pipeline and pipeline.stages else deal.stage


def _is_further(pipeline: Pipeline | None, stage: str, than: str) -> bool:
    places = {s.name: n for n, s in enumerate(pipeline.stages)} if pipeline else {}
    return places.get(stage, -1) > places.get(than, len(places))


def _of_records(verdicts: Verdicts, sent: Sequence[Sent]) -> list[Change]:
    """A record that we made and a person takes back, once."""
    removed = {one.subject for one in sent if one.kind == "remove_record"}
    changes = []
    for one in sent:
        if one.kind in CREATED and one.key in verdicts.taken_back - removed:
            body: dict[str, object] = {"record": one.key, "kind": CREATED[one.kind], "why": WHY}
            key = f"remove:{one.key}"
            changes.append(Change(key=key, kind="remove_record", subject=one.key, needs=(one.key,), body=body))
    return changes
