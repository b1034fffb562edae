"""The difference between what a history says and what was written before, as changes for the CRM; pure.

Nothing is written twice: a change whose key stands in the outbox is not made again. A link that changes later becomes
a further change of the same activity, which needs the first. A stage that was written is never taken back here: what a
later fold no longer supports is a person's to undo (see takeback.py); only its day and its quote follow earlier
evidence. Objections are the business of `objection_changes`.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from agent.known import Seen
from agent.model import CREATES, Change, History, Link, Message, NewRecord, StageMove, title
from agent.objection_changes import objection_changes
from agent.sent import Sent

EXCERPT = 500  # characters of a letter's new text that the CRM's activity shows


def difference(
    said: History,
    links: Mapping[str, Link | None],
    seen: Iterable[Seen],
    sent: Sequence[Sent],
    may_write: Collection[str],
    touched: Collection[str | tuple[str, str]] = (),
) -> list[Change]:
    """What is still to be written of this client.

    `links`: per activity of his, and per activity once logged for him, what all clients together say of it now; None
    when it is no client's any more. `may_write`: of activities, stages, objections, records. `touched`: keys of moves
    on which a person has spoken, and deals with stages that a person gave them.
    """
    activities = {one.key: one for one in seen}
    by_subject: dict[str, list[Sent]] = defaultdict(list)
    for one in sent:
        by_subject[one.subject].append(one)
    changes: list[Change] = []
    if "activities" in may_write:
        for activity, link in links.items():
            changes += _of_link(activity, link, activities.get(activity), by_subject[activity])
    logged = {c.subject for c in changes} | {s for s, of in by_subject.items() if _shown(of) is not None}
    if "stages" in may_write:
        moves = [m for m in said.moves if m.state == "written"]
        changes += _of_moves(moves, logged, sent, touched)
    if "objections" in may_write:
        changes += objection_changes([o for o in said.objections if not o.why], sent, logged)
    if "records" in may_write:
        changes += _of_records(said.records, {one.key for one in sent})
    return changes


def log_key(activity: str, revision: int) -> str:
    return f"log:{activity}" if revision == 0 else f"log:{activity}:{revision}"


def _shown(sent: Sequence[Sent]) -> dict[str, Any] | None:
    """What the CRM shows of an activity; None when it does not stand there."""
    shown: dict[str, Any] | None = None
    for one in sent:
        if one.kind == "log_activity":
            shown = one.body
        elif one.kind == "unlink":
            shown = {**shown, "deal_ids": one.body["deal_ids"]} if shown and one.body["stays"] else None
    return shown


def merged(links: Sequence[Link]) -> Link | None:
    """What several clients say of one activity, as one: logged if it is logged for any of them, on all their deals.

    Logged for none, it waits rather than being let go.
    """
    logged = [one for one in links if one.outcome == "logged"]
    if not logged:
        return min(links, key=lambda one: (one.outcome != "waiting", one.reason), default=None)
    first = min(logged, key=lambda one: (not one.deal_ids, one.company_id or ""))
    return msgspec.structs.replace(
        first,
        deal_ids=tuple(sorted({i for one in logged for i in one.deal_ids})),
        contact_ids=tuple(sorted({i for one in logged for i in one.contact_ids})),
        ambiguous=tuple(sorted({i for one in logged for i in one.ambiguous})),
        candidates=tuple(sorted({c for one in logged for c in one.candidates}, key=lambda c: (-c.score, c.deal_id))),
    )


def _of_link(activity: str, link: Link | None, seen: Seen | None, sent: Sequence[Sent]) -> list[Change]:
    shown = _shown(sent)
    if link is None or link.outcome != "logged":
        return [_unlink(activity, sent, None)] if shown is not None else []
    before, now = set(shown["deal_ids"] if shown else ()), set(link.deal_ids)
    outdated = shown is None or (seen is not None and _is_outdated(shown, link, seen))
    if before == now and not outdated:
        return []
    if now < before and not outdated:
        return [_unlink(activity, sent, link.deal_ids)]
    if seen is None:  # another client's now: his own fold writes it
        return []
    unlink = [_unlink(activity, sent, tuple(sorted(before & now)))] if before - now else []
    return [*unlink, _log(link, seen, len(sent) + len(unlink))]


def _is_outdated(shown: Mapping[str, Any], link: Link, seen: Seen) -> bool:
    """A meeting was moved or renamed, a better copy of a letter came, or one more is known of who took part."""
    at, subject = _when_and_what(seen)
    came_to_know = set(link.contact_ids) - set(shown["contact_ids"]) or link.company_id not in (
        shown["company_id"],
        None,
    )
    return bool((shown["at"], shown["subject"]) != (at, subject) or came_to_know)


def _when_and_what(seen: Seen) -> tuple[str, str]:
    record = seen.record
    at = record.date if isinstance(record, Message) else record.start
    return at.isoformat(), title(record)


def _log(link: Link, seen: Seen, revision: int) -> Change:
    needs = (log_key(link.activity, 0),) if revision else ()
    at, subject = _when_and_what(seen)
    return Change(
        key=log_key(link.activity, revision),
        kind="log_activity",
        subject=link.activity,
        needs=needs,
        body={
            "activity": link.activity,
            "kind": "message" if isinstance(seen.record, Message) else "meeting",
            "at": at,
            "subject": subject,
            "direction": seen.direction,
            "owners": sorted(seen.owners),
            "company_id": link.company_id,
            "contact_ids": list(link.contact_ids),
            "deal_ids": list(link.deal_ids),
            "excerpt": " ".join(seen.new_text.split())[:EXCERPT],
            "reasons": [f"{r.name}: {r.detail}" if r.detail else r.name for r in _reasons(link)],
        },
    )


def _reasons(link: Link) -> list[Any]:
    return [r for c in link.candidates if c.deal_id in link.deal_ids for r in c.reasons]


def _unlink(activity: str, sent: Sequence[Sent], keep: tuple[str, ...] | None) -> Change:
    """Take an activity off deals; `keep` None: it belongs to no client's history any more."""
    return Change(
        key=f"unlink:{activity}:{len(sent)}",
        kind="unlink",
        subject=activity,
        needs=(log_key(activity, 0),),
        body={"activity": activity, "deal_ids": list(keep or ()), "stays": keep is not None},
    )


def move_of(sent: Sent) -> str | None:
    """The key of the move that a change is about, whichever time it was written or taken back; None: about none."""
    return str(sent.body.get("move", sent.key)) if sent.kind in ("move_stage", "withdraw_stage") else None


def times_told(key: str, sent: Iterable[Sent]) -> int:
    """How often the CRM was told of a move: that it was made, or taken back."""
    return sum(move_of(one) == key for one in sent)


def standing_moves(sent: Iterable[Sent]) -> dict[str, Sent]:
    """The moves that stand in the CRM, each with the change that wrote it last, as earlier evidence corrected it."""
    standing: dict[str, Sent] = {}
    for one in sent:
        if one.kind == "correct_move" and (wrote := standing.get(one.body["move"])) is not None:
            standing[one.body["move"]] = msgspec.structs.replace(wrote, body={**wrote.body, **one.body})
        elif (key := move_of(one)) is not None:
            if one.kind == "move_stage":
                standing[key] = one
            else:
                standing.pop(key, None)
    return standing


def as_they_stand(moves: Iterable[StageMove], standing: Mapping[str, Sent]) -> list[StageMove]:
    """The moves that are said now, each under the key by which it stands in the CRM, or will.

    What stands before a move may change, and so its number: by a person's move of an earlier day that is told later,
    or by an earlier letter that a person takes off the deal. It is the same move still. Only where a move that is new
    has the number of another one, that record is given to it (as a correction), and the other is written anew.
    """
    places = {_what(one.body): key for key, one in standing.items()}
    moves = list(moves)
    found = {m.key: places[what] for m in moves if (what := (m.deal_id, m.stage, m.evidence)) in places}
    while wanted := {m.key for m in moves if m.key not in found}.intersection(found.values()):
        found = {key: place for key, place in found.items() if place not in wanted}
    return [msgspec.structs.replace(m, key=found.get(m.key, m.key)) for m in moves]


def _of_moves(
    moves: Sequence[StageMove],
    logged: Collection[str],
    sent: Sequence[Sent],
    touched: Collection[str | tuple[str, str]],
) -> list[Change]:
    """The moves of one deal go in order: each needs the one before it. One that was taken back is written anew."""
    standing = standing_moves(sent)
    before: dict[str, str] = {}
    changes = []
    for move in as_they_stand(moves, standing):
        needs = [before[move.deal_id]] if move.deal_id in before else []
        if move.evidence in logged:
            needs.append(log_key(move.evidence, 0))
        before[move.deal_id] = move.key
        if move.key not in standing:
            changes.append(_move(move, needs, times_told(move.key, sent)))
        elif move.key not in touched and (move.deal_id, move.stage) not in touched:
            changes += _correction(move, standing[move.key], sent)
    return changes


def _what(body: Mapping[str, Any]) -> tuple[str, str, str]:
    """Deal, stage and evidence of a move that was written."""
    return body["deal_id"], body["stage"], body["evidence"]


def _move(move: StageMove, needs: Sequence[str], times: int) -> Change:
    """`times`: how often it was written and taken back before."""
    again: dict[str, object] = {"move": move.key} if times else {}
    return Change(
        key=f"{move.key}~{times}" if times else move.key,
        kind="move_stage",
        subject=f"deal:{move.deal_id}",
        needs=tuple(needs),
        body=_move_body(move) | again,
    )


def _move_body(move: StageMove) -> dict[str, object]:
    return {
        "deal_id": move.deal_id,
        "stage": move.stage,
        "at": move.date.isoformat(),
        "milestone": move.milestone,
        "evidence": move.evidence,
        "quote": move.quote,
        "by": move.by,
    }


def _correction(move: StageMove, standing: Sent, sent: Iterable[Sent]) -> list[Change]:
    """The day and the quote of our own earlier write, when earlier evidence came late.

    Words that were let go since (privacy, retention) are not written again.
    """
    before = sum(1 for one in sent if one.kind == "correct_move" and one.body["change"] == standing.key)
    shown = standing.body
    is_there = (shown["at"], shown["evidence"]) == (move.date.isoformat(), move.evidence)
    if is_there and shown["quote"] in ("", move.quote):
        return []
    key = f"{standing.key}:corrected:{before + 1}"
    body = {**_move_body(move), "move": move.key, "change": standing.key}
    subject = f"deal:{move.deal_id}"
    return [Change(key=key, kind="correct_move", subject=subject, needs=(standing.key,), body=body)]


def _of_records(records: Sequence[NewRecord], known: Collection[str]) -> list[Change]:
    """A record waits for those to which it refers: the company, before its people."""
    return [
        Change(
            key=new.key,
            kind=CREATES[new.kind],
            subject=new.key,
            needs=new.needs,
            body={**new.body, "evidence": new.evidence, "quote": new.quote},
        )
        for new in records
        if new.state == "written" and new.key not in known
    ]
