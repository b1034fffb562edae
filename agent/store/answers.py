"""The answers' room: what people decided, by the activity or the deal that it is about."""

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, func, insert, select

from agent.known import Answer
from agent.store import histories
from agent.store.rows import chunks
from agent.store.tables import answer


class Given(NamedTuple):
    """One answer as it was given."""

    answer: Answer
    about: str
    said: tuple[str, ...]  # the deals that we had named, of a letter
    by: str
    at: datetime


def give(tx: Connection, one: Answer, about: str, by: str, at: datetime, said: Collection[str] = ()) -> None:
    """Keep an answer. `about`: the activity's key, or "deal:" and its id."""
    value = {name: getattr(one, name) for name in ("stage", "evidence", "milestone", "before", "pipeline")}
    value["deal_ids"] = list(one.deal_ids)
    row = {"about": about, "kind": one.kind, "subject": one.subject, "value": value, "said": sorted(said)}
    tx.execute(insert(answer).values(**row, by=by, at=at))


def of(tx: Connection, activities: Collection[str], deals: Collection[str]) -> list[Answer]:
    """The answers about these activities and deals, in the order in which they were given."""
    if not tx.scalar(select(func.count()).select_from(select(answer.c.id).limit(1).subquery())):
        return []
    rows: list[Any] = []
    for part in chunks([*activities, *(f"deal:{i}" for i in deals)]):
        rows += tx.execute(select(answer).where(answer.c.about.in_(part)))
    return [_given(r).answer for r in sorted(rows, key=lambda r: (r.at, r.id))]


def every(tx: Connection) -> Iterator[Given]:
    """All answers, in the order in which they were given."""
    for row in tx.execute(_in_order()):
        yield _given(row)


def on(tx: Connection, subject: str) -> list[Given]:
    """The answers on one subject, in the order in which they were given."""
    return [_given(row) for row in tx.execute(_in_order().where(answer.c.subject == subject))]


def _in_order() -> Select[Any]:
    return select(answer).order_by(answer.c.at, answer.c.id)


def _given(row: Any) -> Given:
    value = row.value
    one = Answer(
        kind=row.kind,
        subject=row.subject,
        deal_ids=tuple(value["deal_ids"]),
        stage=value["stage"],
        evidence=value["evidence"],
        milestone=value["milestone"],
        before=value["before"],
        pipeline=value.get("pipeline", ""),
        number=row.id,
    )
    return Given(one, row.about, tuple(row.said), row.by, row.at)


class Correction(NamedTuple):
    """One thing that we said of an activity, and what a person made of it; a row to learn from."""

    activity: str  # key
    said: str  # "deal:" and ids, "stage:" and its name, "objection:" and its type, or "record"
    decided: str  # "deal:" and ids, or accepted, declined, undone, restored, overruled
    deal_id: str  # of a stage or an objection, else ""
    milestone: str  # of a stage: what we had read, else ""


def corrections(tx: Connection) -> Iterator[Correction]:
    """Everything that people decided, with what we had said before: answers, and their own moves in the CRM."""
    for given in every(tx):
        one = given.answer
        if one.kind == "linked":
            yield Correction(one.subject, _deals(given.said), _deals(one.deal_ids), "", "")
        elif one.stage:
            yield Correction(one.evidence, f"stage:{one.stage}", one.kind, one.deal_ids[0], one.milestone)
        elif one.evidence and not one.subject.startswith("objection:"):
            if one.kind != "restored":
                yield Correction(one.evidence, "record", one.kind, "", "")
        elif one.kind in ("undone", "declined", "accepted", "restored") and one.evidence:
            yield Correction(one.evidence, f"objection:{one.subject.rpartition(':')[2]}", one.kind, one.deal_ids[0], "")
        elif one.kind == "undone":
            yield Correction(one.subject, _deals(given.said), _deals(()), "", "")
    for said in histories.every(tx):
        for judged in said.judged:
            move = judged.move
            yield Correction(move.evidence, f"stage:{move.stage}", judged.verdict, move.deal_id, move.milestone)


def _deals(ids: Collection[str]) -> str:
    return f"deal:{','.join(sorted(ids))}"
