"""What waits for a person: letters that fit several deals, proposed moves and objections, senders that are doubted.

Each is a case with a key. Whoever proposes something further adds one function to KINDS. An answer is kept at once, in
a transaction of its own; what follows from it is said at the next fold of its client.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple

import msgspec
from sqlalchemy import Connection, select

from agent.answers import Verdicts
from agent.changes import merged
from agent.errors import Rejected
from agent.known import Answer
from agent.model import History, Link, Message, Pipeline, Reading, Reason
from agent.store import answers, histories, mirror, pending
from agent.store.forget import fetch_again
from agent.store.rows import chunks, record_of, title_of
from agent.store.tables import activity, ledger, link, membership, reading, sighting
from agent.texts import say
from classifiers.clean import new_text

QUOTE = 400  # characters of a letter that are shown with its case
NONE, BOTH, ACCEPT, DECLINE = "none", "both", "accept", "decline"


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """A deal that a letter may be about."""

    deal_id: str
    name: str
    score: float
    reasons: tuple[Reason, ...]


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One question to a person."""

    key: str
    kind: Literal["which_deal", "closing", "stage", "objection", "record", "spoof"]
    at: datetime
    evidence: str  # key of the activity that it is about
    client: str = ""  # as the CRM calls him
    subject: str = ""  # of the letter
    quote: str = ""  # the letter's words
    deal_id: str = ""
    deal: str = ""  # its name
    proposal: str = ""  # the stage, the type of the objection, or what else is proposed
    milestone: str = ""  # that would prove the stage
    before: str = ""  # the stage that the deal would leave
    why: str = ""  # why it is not written by itself
    choices: tuple[Choice, ...] = ()  # of a letter that fits several deals
    letters: int = 1  # how many one answer settles
    seen_in: tuple[str, ...] = ()  # source, folder and uid of a letter of which nothing is kept
    answers: tuple[str, ...] = (ACCEPT, DECLINE)


class Desk(NamedTuple):
    """What the cases are gathered from."""

    tx: Connection
    said: Sequence[History]
    verdicts: Verdicts
    names: Mapping[str, str]  # of deals and companies and contacts, by id
    pipelines: Mapping[str, Pipeline]
    pipeline_of: Mapping[str, str]  # deal -> name of its pipeline


def open_cases(tx: Connection, pipelines: Iterable[Pipeline]) -> list[Case]:
    """All that nobody has answered yet, by kind and then the oldest first."""
    desk = _desk(tx, pipelines)
    found = [case for gather in KINDS for case in sorted(gather(desk), key=lambda c: (c.at, c.key))]
    return [msgspec.structs.replace(c, subject=_subject(tx, c)) if not c.subject else c for c in found]


def _desk(tx: Connection, pipelines: Iterable[Pipeline]) -> Desk:
    deals = mirror.deals(tx)
    return Desk(
        tx=tx,
        said=histories.every(tx),
        verdicts=Verdicts.of(given.answer for given in answers.every(tx)),
        names=mirror.client_names(tx) | {d.id: d.name for d in deals},
        pipelines={p.name: p for p in pipelines},
        pipeline_of={d.id: d.pipeline for d in deals},
    )


def _subject(tx: Connection, case: Case) -> str:
    row = tx.execute(select(activity.c.kind, activity.c.record).where(activity.c.key == case.evidence)).first()
    return title_of(row) if row is not None else ""


# -- what is asked -------------------------------------------------------------------------------------------------


def _which_deal(desk: Desk) -> Iterator[Case]:
    """One case for each thread in which a letter fits several deals; one answer settles it whole."""
    of_thread: dict[int, list[Any]] = defaultdict(list)
    query = select(activity.c.key, activity.c.thread, activity.c.date).join(link).distinct()
    unsure = link.c.body.contains('"ambiguous":[')  # a link without rivals has no such field
    for row in desk.tx.execute(query.where(unsure).order_by(activity.c.date, activity.c.key)):
        of_thread[row.thread].append(row)
    settled = _threads_of(desk.tx, desk.verdicts.linked)
    links = histories.links_of(desk.tx, [rows[0].key for rows in of_thread.values()])
    for thread, rows in of_thread.items():
        one = merged(links[rows[0].key])
        if thread in settled or one is None or not one.ambiguous:
            continue
        yield Case(
            key=rows[0].key,
            kind="which_deal",
            at=rows[0].date,
            evidence=rows[0].key,
            client=desk.names.get(one.company_id or next(iter(one.contact_ids), ""), ""),
            quote=_words(desk.tx, rows[0].key),
            choices=tuple(_choice(desk, one, i) for i in one.ambiguous),
            letters=len(rows),
            answers=(*one.ambiguous, NONE, BOTH),
        )


def _threads_of(tx: Connection, keys: Iterable[str]) -> set[int]:
    found: set[int] = set()
    for part in chunks(keys):
        found |= set(tx.scalars(select(activity.c.thread).where(activity.c.key.in_(part))))
    return found


def _choice(desk: Desk, one: Link, deal_id: str) -> Choice:
    candidate = next((c for c in one.candidates if c.deal_id == deal_id), None)
    score, reasons = (candidate.score, candidate.reasons) if candidate else (0.0, ())
    return Choice(deal_id=deal_id, name=desk.names.get(deal_id, ""), score=score, reasons=reasons)


def _words(tx: Connection, key: str) -> str:
    """The beginning of a letter's own words."""
    query = select(activity.c.kind, activity.c.record, reading.c.body).outerjoin(
        reading, reading.c.content == activity.c.content
    )
    row = tx.execute(query.where(activity.c.key == key).order_by(reading.c.version.desc()).limit(1)).first()
    if row is None or not row.record:
        return ""
    record = record_of(row.kind, row.record)
    if not isinstance(record, Message):
        return record.description[:QUOTE]
    cuts = msgspec.json.decode(row.body, type=Reading).cuts if row.body else record.cuts
    return new_text(record.text, cuts).strip()[:QUOTE]


def _moves(desk: Desk) -> Iterator[Case]:
    """Proposed moves; those that end a deal are told apart."""
    for move in (m for one in desk.said for m in one.moves if m.state == "proposed"):
        if (move.deal_id, move.stage, move.evidence) in desk.verdicts.moves:
            continue
        pipeline = desk.pipelines.get(desk.pipeline_of.get(move.deal_id, ""))
        ends = pipeline and any(s.name == move.stage and s.kind in ("won", "lost") for s in pipeline.stages)
        yield Case(
            key=move.key,
            kind="closing" if ends else "stage",
            at=move.date,
            evidence=move.evidence,
            quote=move.quote,
            deal_id=move.deal_id,
            deal=desk.names.get(move.deal_id, ""),
            proposal=move.stage,
            milestone=move.milestone,
            before=move.before,
            why=move.why,
        )


def _objections(desk: Desk) -> Iterator[Case]:
    for one in (o for said in desk.said for o in said.objections if o.why):
        if one.key not in desk.verdicts.decided:
            yield Case(
                key=one.key,
                kind="objection",
                at=one.opened,
                evidence=one.activity,
                quote=one.quote,
                deal_id=one.deal_id,
                deal=desk.names.get(one.deal_id, ""),
                proposal=one.type,
                why=one.why,
            )


def _records(desk: Desk) -> Iterator[Case]:
    """New deals that are asked for, and perhaps in which pipeline."""
    for new in (r for said in desk.said for r in said.records if r.state == "proposed"):
        if new.key not in desk.verdicts.decided:
            yield Case(
                key=new.key,
                kind="record",
                at=new.date,
                evidence=new.evidence,
                quote=new.quote,
                client=desk.names.get(str(new.body.get("company_id") or ""), ""),
                proposal=new.name,
                why=new.why,
                answers=(*(new.choices or (ACCEPT,)), DECLINE),
            )


def _spoofs(desk: Desk) -> Iterator[Case]:
    """Letters whose sender our own server denies. Of their text nothing is kept; where they lie is known."""
    for row in desk.tx.execute(select(activity).where(activity.c.skipped == "spoof")):
        if row.key in desk.verdicts.vouched | desk.verdicts.accepted:
            continue
        places = select(ledger).join(sighting).where(sighting.c.activity_id == row.id).order_by(ledger.c.source)
        yield Case(
            key=row.key,
            kind="spoof",
            at=row.date,
            evidence=row.key,
            seen_in=tuple(f"{r.source}, {r.folder}, {r.uid}" for r in desk.tx.execute(places)),
            answers=(ACCEPT, DECLINE) if row.direction == "inbound" else (ACCEPT,),
        )


# a further kind of proposal is one more function here, and one more case of `_answer_of`
KINDS: tuple[Callable[[Desk], Iterator[Case]], ...] = (_which_deal, _moves, _objections, _records, _spoofs)


# -- what is answered ----------------------------------------------------------------------------------------------


class Decision(NamedTuple):
    """An answer, and whose fold asks for it."""

    answer: Answer
    about: str
    said: tuple[str, ...] = ()


def give(tx: Connection, pipelines: Iterable[Pipeline], key: str, said: str, by: str, at: datetime) -> None:
    """Keep an answer to an open case, or the deals that a person names for any letter. Rejected says why not."""
    case = next((c for c in open_cases(tx, pipelines) if c.key == key), None)
    if case is not None and case.kind != "which_deal":
        given = _answer_of(case, said)
        if case.kind == "spoof" and given.answer.kind == "vouched":
            fetch_again(tx, key)
    else:
        given = _deals_named(tx, key, said)
    keep(tx, given, by, at)


def keep(tx: Connection, given: Decision, by: str, at: datetime) -> None:
    """Write an answer down, and have its clients folded again."""
    answers.give(tx, given.answer, given.about, by, at, given.said)
    pending.mark_dirty(tx, _clients_of(tx, given.about))


def _clients_of(tx: Connection, about: str) -> set[str]:
    if about.startswith("deal:"):
        client = mirror.directory(tx).client_of(about)
        return {client} if client else set()
    return set(tx.scalars(select(membership.c.client).join(activity).where(activity.c.key == about)))


def _answer_of(case: Case, said: str) -> Decision:
    if said not in case.answers:
        raise Rejected(say("review.not_an_answer", said=said, key=case.key, answers=", ".join(case.answers)))
    if case.kind == "spoof":
        return Decision(Answer(kind="accepted" if said == ACCEPT else "vouched", subject=case.key), case.key)
    kind = "declined" if said == DECLINE else "accepted"
    if case.kind == "record":
        chosen = "" if said in (ACCEPT, DECLINE) else said
        return Decision(Answer(kind=kind, subject=case.key, evidence=case.evidence, pipeline=chosen), case.evidence)
    about, deal_ids = f"deal:{case.deal_id}", (case.deal_id,)
    if case.kind == "objection":
        return Decision(Answer(kind=kind, subject=case.key, deal_ids=deal_ids, evidence=case.evidence), about)
    return Decision(
        Answer(
            kind=kind,
            subject=case.key,
            deal_ids=deal_ids,
            stage=case.proposal,
            evidence=case.evidence,
            milestone=case.milestone,
            before=case.before,
        ),
        about,
    )


def _deals_named(tx: Connection, key: str, said: str) -> Decision:
    """Which deals a letter or meeting is about, in a person's word; what other clients say of it stays."""
    row = tx.execute(select(activity.c.key).where(activity.c.key == key)).first()
    if row is None:
        raise Rejected(say("review.unknown", key=key))
    links = histories.links_of(tx, [key])[key]
    logged = [one for one in links if one.outcome == "logged"]
    if not logged:
        raise Rejected(say("review.not_logged", key=key))
    unsure = {i for one in logged for i in one.ambiguous}
    sure = {i for one in logged if not one.ambiguous for i in one.deal_ids} if unsure else set()
    people = mirror.directory(tx)
    known = {d.id for client in _clients_of(tx, key) for d in people.members(client)[2]}
    named = set() if said == NONE else unsure if said == BOTH and unsure else set(said.split(","))
    if not named <= known:
        there = ", ".join(sorted(known)) or "-"
        raise Rejected(say("review.no_such_deal", deals=", ".join(sorted(named - known)), key=key, there=there))
    before = tuple(sorted({i for one in logged for i in one.deal_ids}))
    return Decision(Answer(kind="linked", subject=key, deal_ids=tuple(sorted(named | sure))), key, before)
