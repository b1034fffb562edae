"""Folds every client again with today's rules, weights, model and config, and tells what would be said otherwise."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

import msgspec
from sqlalchemy import Connection, select

from agent.changes import merged
from agent.flow import Flow
from agent.model import Link, ObjectionLife, StageMove
from agent.store import histories, pending
from agent.store.tables import activity, history, link
from agent.sync import all_of, fold_some, read
from classifiers import version

Kind = Literal["link", "move", "objection"]


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is said otherwise than before."""

    kind: Kind
    key: str  # of the activity, the move or the objection
    before: str  # "" when nothing was said
    after: str  # "" when it is said no longer
    why: str  # the reasons of what is said now, or the words that prove it


class Said(NamedTuple):
    """What is said of everything, in a few words, each with its reasons."""

    links: Mapping[str, tuple[str, str]]
    moves: Mapping[str, tuple[str, str]]
    objections: Mapping[str, tuple[str, str]]


def replay(flow: Flow) -> list[Difference]:
    """Read what an older version has read, fold all clients, and queue what differs. Delivering is the caller's."""
    with flow.store.reading() as tx:
        before = what_is_said(tx)
    with flow.store.transaction() as tx:
        pending.wait_for_reading(tx, _readable(tx), version(flow.config.reader), fresh=False)
        pending.mark_dirty(tx, _clients(tx), fresh=False)
    all_of(flow, read)
    all_of(flow, fold_some)
    with flow.store.reading() as tx:
        return list(differences(before, what_is_said(tx)))


def _readable(tx: Connection) -> Sequence[int]:
    return list(tx.scalars(select(activity.c.id).where(activity.c.skipped == "", activity.c.content != "")))


def _clients(tx: Connection) -> Sequence[str]:
    return list(tx.scalars(select(history.c.client)))


def what_is_said(tx: Connection) -> Said:
    of_activity: dict[str, list[Link]] = {}
    for body in tx.scalars(select(link.c.body).order_by(link.c.activity_id, link.c.client)):
        one = msgspec.json.decode(body, type=Link)
        of_activity.setdefault(one.activity, []).append(one)
    said = histories.every(tx)
    return Said(
        links={key: _of_link(together) for key, of in of_activity.items() if (together := merged(of))},
        moves={m.key: _of_move(m) for one in said for m in one.moves},
        objections={o.key: _of_objection(o) for one in said for o in one.objections},
    )


def _of_link(one: Link) -> tuple[str, str]:
    if one.outcome != "logged":
        return f"{one.outcome}: {one.reason}", ""
    where = f"? {', '.join(one.ambiguous)}" if one.ambiguous else ", ".join(one.deal_ids) or "-"
    told = (c for c in one.candidates if c.deal_id in (*one.deal_ids, *one.ambiguous))
    reasons = (f"{c.deal_id} {c.score:g} = " + ", ".join(f"{r.name} {r.weight:+g}" for r in c.reasons) for c in told)
    return where, "; ".join(reasons)


def _of_move(one: StageMove) -> tuple[str, str]:
    return f"{one.deal_id}: {one.stage}, {one.date:%Y-%m-%d}, {one.state}", one.why or one.quote


def _of_objection(one: ObjectionLife) -> tuple[str, str]:
    sort = "genuine" if one.genuine else "stalling"
    state = "proposed" if one.why else one.state
    return f"{one.deal_id}: {one.type}, {sort}, {one.stage}, {state}", one.quote


def differences(before: Said, after: Said) -> Iterator[Difference]:
    """What differs, links first; a mere change of scores is none."""
    kinds: tuple[tuple[Kind, Mapping[str, tuple[str, str]], Mapping[str, tuple[str, str]]], ...] = (
        ("link", before.links, after.links),
        ("move", before.moves, after.moves),
        ("objection", before.objections, after.objections),
    )
    nothing = ("", "")
    for kind, old, new in kinds:
        for key in sorted(old.keys() | new.keys()):
            was, now = old.get(key, nothing), new.get(key, nothing)
            if was[0] != now[0]:
                yield Difference(kind=kind, key=key, before=was[0], after=now[0], why=now[1])
