"""Takes back one write, as an answer that every later fold knows: nothing that comes later makes it again.

A link: the letter stays with its client and is on no deal. A move: the deal goes back, unless a person has moved it
since. An objection is removed, or only its closing taken back; a record of ours is removed. What followed goes with it.
"""

from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, or_, select

from agent.changes import as_they_stand, merged, move_of, standing_moves
from agent.errors import Rejected
from agent.known import Answer
from agent.objection_changes import shown_objection
from agent.review import Decision
from agent.store import answers, histories, outbox
from agent.store.tables import activity
from agent.store.tables import outbox as outbox_table
from agent.texts import say


class Target(NamedTuple):
    """What is taken back."""

    answer: Answer
    about: str
    stands: bool  # it is in the CRM, or on its way there
    said: tuple[str, ...] = ()


def undo(tx: Connection, key: str, *, redo: bool = False) -> Decision:
    """The answer that takes a write back, or (`redo`) lets it stand after all. Rejected says why there is none."""
    target = _target(tx, key)
    given = [g.answer.kind for g in answers.on(tx, target.answer.subject)]
    is_undone = next(
        (k == "undone" for k in reversed(given) if k in ("undone", "restored", "linked", "accepted")), False
    )
    if redo and target.answer.subject == key and outbox.is_creation(tx, key):
        raise Rejected(say("undo.no_redo", key=key))
    if redo and not is_undone:
        raise Rejected(say("undo.not_undone", key=key))
    if not redo and is_undone:
        raise Rejected(say("undo.already", key=key))
    if not redo and not target.stands:
        raise Rejected(say("undo.not_written", key=key))
    return Decision(
        msgspec.structs.replace(target.answer, kind="restored" if redo else "undone"), target.about, target.said
    )


def _target(tx: Connection, key: str) -> Target:
    """By the key of a change, an activity (or its Message-ID), a move or an objection."""
    row = tx.execute(select(outbox_table).where(outbox_table.c.key == key)).first()
    kind, subject, body = (row.kind, row.subject, row.body) if row is not None else ("", key, {})
    if kind in ("move_stage", "withdraw_stage"):
        return _move(tx, str(body.get("move", key)), subject)
    if kind == "correct_move":
        return _move(tx, str(body["move"]), subject)
    if subject.startswith("objection:") and row is not None:
        return _objection(tx, subject, f":{body['cause']}:{body['closed_by']}" if kind == "close_objection" else "")
    if kind in outbox.CREATIONS:
        one = Answer(kind="", subject=subject, evidence=str(body.get("evidence", "")))
        return Target(one, one.evidence, stands=True)
    names = (subject, f"<{subject}>")
    found = tx.scalars(select(activity.c.key).where(or_(activity.c.key == subject, activity.c.identity.in_(names))))
    keys = list(found)
    if len(keys) == 1:
        return _link(tx, keys[0])
    if keys:
        raise Rejected(say("undo.several", key=key, keys=", ".join(sorted(keys))))
    said = histories.naming(tx, key)
    if any(m.key == key for one in said for m in one.moves) or any(
        o.key == key for one in said for o in one.objections
    ):
        raise Rejected(say("undo.proposed", key=key))
    raise Rejected(say("explain.unknown", key=key))


def _link(tx: Connection, key: str) -> Target:
    one = merged(histories.links_of(tx, [key])[key])
    deal_ids = one.deal_ids if one is not None and one.outcome == "logged" else ()
    return Target(Answer(kind="", subject=key), key, bool(deal_ids), deal_ids)


def _move(tx: Connection, key: str, subject: str) -> Target:
    """The evidence is the letter that counts now: an earlier one may have come since it was written."""
    sent = outbox.of_subjects(tx, [subject])
    standing = standing_moves(sent)
    body = next(one for one in sent if move_of(one) == key).body
    moves = (m for said in histories.naming(tx, body["deal_id"]) for m in said.moves if m.state == "written")
    now = next((m for m in as_they_stand(moves, standing) if m.key == key), None)
    one = Answer(
        kind="",
        subject=key,
        deal_ids=(body["deal_id"],),
        stage=body["stage"],
        evidence=now.evidence if now else standing[key].body["evidence"] if key in standing else body["evidence"],
        milestone=body["milestone"],
        before=now.before if now else "",
    )
    return Target(one, subject, key in standing)


def _objection(tx: Connection, record: str, turn: str) -> Target:
    """The objection itself, or (`turn`) that it was met, dropped or passed."""
    sent = outbox.of_subjects(tx, [record])
    opened = next(one for one in sent if one.kind == "open_objection")
    deal_id = opened.body["deal_id"]
    one = Answer(kind="", subject=record + turn, deal_ids=(deal_id,), evidence=opened.body["activity"])
    shown = shown_objection(sent)
    stands = shown is not None and (not turn or shown.get("state") == "closed")
    return Target(one, f"deal:{deal_id}", stands)
