"""The story of dealscribe: what stands in mailboxes and calendars becomes the CRM's truth.

pull     CRM      -> mirror      its facts: companies, contacts, deals, stages, who moved what
collect  source   -> ledger      fetch, exclude, parse, settle what the item alone proves
read     ledger   -> readings    new text once per content and version, in batches, in worker processes
fold     client   -> history     links, stages, objections of one client, in the order of their own time
deliver  history - written -> CRM   only the difference, through the outbox
"""

import math
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import NamedTuple

from sqlalchemy import Connection

from agent import watch
from agent.answers import Verdicts
from agent.changes import difference, merged
from agent.collect import collect
from agent.config import SourceConfig
from agent.deliver import deliver
from agent.errors import CursorExpired
from agent.flow import Flow, Progress
from agent.handoff_changes import handoff_changes
from agent.history import fold
from agent.intake import House
from agent.known import Client, Seen
from agent.model import Deal, History, Link, Message, Reading
from agent.sent import Sent
from agent.store import answers, forget, histories, memberships, mirror, outbox, pending, sources
from agent.takeback import withdrawals
from agent.workers import Poison
from classifiers import version

READ_BATCH = 64  # letters read together
FOLD_BATCH = 50  # clients folded in one transaction
COLLECTORS = 8  # sources collected at the same time


class Digested(NamedTuple):
    """What one round of reading and folding did."""

    read: int
    folded: int
    written: int  # a built-in CRM takes changes at once; a hosted one is slow, and folding does not wait for it
    more: bool  # patience ended before the reading did


class Done(NamedTuple):
    """What one run of the flow did."""

    collected: int
    written: int


def sync(flow: Flow, wanted: Sequence[SourceConfig]) -> Done:
    """The whole story once, for these sources. Raises Retry or NeedsHuman when the CRM takes nothing."""
    pull(flow)
    written = 0
    with ThreadPoolExecutor(COLLECTORS, thread_name_prefix="collect") as pool:
        running = [pool.submit(collect, flow, source) for source in wanted]
        while not _finished(running):
            written += understand(flow, fresh_only=True)  # new mail does not wait for a long import beside it
        collected = sum(future.result() for future in running)
    written += understand(flow)
    return Done(collected, written)


def understand(flow: Flow, *, fresh_only: bool = False) -> int:
    """Read, fold and deliver what waits; returns how many changes were written."""
    return _with_newcomers(flow, lambda: digest(flow, fresh_only=fresh_only))


def digest(flow: Flow, *, fresh_only: bool = False, patience: float = math.inf) -> Digested:
    """Read and fold what waits; after `patience` seconds of reading, what has been read does not wait for the rest."""
    until = time.monotonic() + patience
    watch.begin(flow)
    read_count = folded = written = 0
    more = True
    while more and not flow.stopping() and time.monotonic() < until:
        read_count += (count := read(flow))
        more = count > 0
    while not flow.stopping() and (count := fold_some(flow, fresh_only=fresh_only)):
        folded += count
        if flow.crm.transactional:
            written += deliver(flow)
    if not (more or fresh_only):
        watch.done(flow)
    return Digested(read_count, folded, written, more)


def settle(flow: Flow) -> int:
    """Fold who waits and deliver: what a person's answer changes needs no reading. Returns the changes written."""
    return _with_newcomers(flow, lambda: Digested(read=0, folded=all_of(flow, fold_some), written=0, more=False))


def _with_newcomers(flow: Flow, fold_all: Callable[[], Digested]) -> int:
    """Fold and deliver: whoever was created by it has letters that were nobody's before, which are folded too."""
    written = 0
    while True:
        done = fold_all()
        written += done.written + (count := deliver(flow))
        if not (done.folded and count):
            return written


def all_of(flow: Flow, step: Callable[[Flow], int]) -> int:
    """Take this step until nothing is left for it; returns how much was done."""
    done = 0
    while not flow.stopping() and (count := step(flow)):
        done += count
    return done


def pull(flow: Flow) -> None:
    """Bring the mirror up to what the CRM says of itself; the built-in CRM has nothing to say."""
    with flow.store.reading() as tx:
        cursor = sources.settings(tx).get("crm_cursor")
    try:
        _pull_from(flow, cursor)
    except CursorExpired:
        _pull_from(flow, None)


def _pull_from(flow: Flow, cursor: str | None) -> None:
    for facts in flow.crm.pull(cursor):
        with flow.store.transaction() as tx:
            before = flow.people(tx)
            mirror.put_facts(tx, facts)
            sources.set_setting(tx, "crm_cursor", facts.cursor)
            memberships.regroup(tx, before, flow.people(tx), flow.house(tx))
        flow.tell(Progress("pull"))


def read(flow: Flow) -> int:
    """One batch of what waits to be read; returns its size."""
    with flow.store.reading() as tx:
        batch = pending.next_to_read(tx, READ_BATCH)
    if not batch:
        return 0
    letters = {content: letter for _, content, letter in batch}
    opinions = flow.readers.run("classifiers:read", list(letters.values()), flow.config.reader)
    named = version(flow.config.reader)
    readings = {c: _or_nothing(a, named) for c, a in zip(letters, opinions, strict=True)}
    with flow.store.transaction() as tx:
        pending.save_readings(tx, [(i, content, readings[content]) for i, content, _ in batch])
    flow.tell(Progress("read", done=len(batch)))
    return len(batch)


def _or_nothing(answer: Reading | Poison, version: str) -> Reading:
    """A letter that cannot be read has no opinion of its own; it is logged all the same."""
    return Reading(version=version, language="other") if isinstance(answer, Poison) else answer


def fold_some(flow: Flow, *, fresh_only: bool = False) -> int:
    """Fold some of the clients that wait, and queue what is to be written of them; returns how many."""
    with flow.store.transaction() as tx:
        clients = pending.next_to_fold(tx, flow.now(), FOLD_BATCH, fresh_only=fresh_only)
        if clients:
            house, owners = flow.house(tx), flow.owners(tx)
            for client in clients:
                fold_client(flow, tx, client, house, owners)
    flow.tell(Progress("fold", done=len(clients)))
    return len(clients)


def fold_client(flow: Flow, tx: Connection, client: str, house: House, owners: dict[str, str]) -> None:
    """Gather, decide, apply: one client's history and the changes that follow from it."""
    seen = histories.gather(tx, client, flow.people(tx), house, version(flow.config.reader), owners)
    facts = _facts(flow, tx, client, house, seen)
    given = answers.of(tx, [one.key for one in seen], [d.id for d in facts.deals])
    said = fold(facts, seen, given, flow.now())
    knew = histories.answered(tx, client)
    known_before = [a for a in given if a.number <= knew]
    unanswered = said if len(known_before) == len(given) else fold(facts, seen, known_before, flow.now())
    histories.save(tx, said)
    verdicts = Verdicts.of(given)
    links, sent = _told(tx, client, said, facts, verdicts)
    may_write = flow.config.crm.write & flow.crm.capabilities()
    back = withdrawals(said, unanswered, verdicts, sent, facts, may_write)
    outbox.keep_creations(tx, client, [new.key for new in said.records if new.state == "written"])
    touched = {a.subject for a in given} | _given_by_people(facts.deals)
    outbox.add(tx, client, [*back, *difference(said, links, seen, sent, may_write, touched)])
    outbox.add(tx, client, handoff_changes(said, facts.handoffs, sent, may_write))
    messages = {one.key for one in seen if isinstance(one.record, Message)}
    forget.let_go(tx, {k: one.reason for k, one in links.items() if one and _is_let_go(one, messages)}, house.hash_key)
    histories.forget_stranger(tx, client)


def _facts(flow: Flow, tx: Connection, client: str, house: House, seen: Sequence[Seen]) -> Client:
    people = flow.people(tx)
    companies, contacts, deals = people.members(client)
    return Client(
        key=client,
        companies=tuple(companies),
        contacts=tuple(contacts),
        deals=tuple(deals),
        pipelines=flow.pipelines,
        own=house.addresses,
        products=people.products,
        handoffs=watch.rules(tx, flow.config.handoffs),
        reps=flow.reps(tx),
        unknown=histories.unknown_people(tx, client, seen, people),
        nameless=people.nameless,
    )


def _told(
    tx: Connection, client: str, said: History, facts: Client, verdicts: Verdicts
) -> tuple[dict[str, Link | None], list[Sent]]:
    """What all clients say of his activities now, and what stands in the outbox of all that is his."""
    before = outbox.of_client(tx, client)
    links = _all_links(tx, said, [s.body["activity"] for s in before if s.kind == "log_activity"])
    objections = {s.subject for s in before if s.kind == "open_objection"} | {o.key for o in said.objections}
    of_deals = (f"{kind}:{d.id}" for d in facts.deals for kind in ("deal", "handoff"))
    new = (r.key for r in said.records)
    return links, outbox.of_subjects(tx, {*links, *of_deals, *objections, *new, *verdicts.taken_back})


def _given_by_people(deals: Iterable[Deal]) -> set[tuple[str, str]]:
    """Deals and the stages that a person gave them."""
    return {(deal.id, event.stage) for deal in deals for event in deal.events}


def _all_links(tx: Connection, said: History, logged_before: Sequence[str]) -> dict[str, Link | None]:
    """Per activity what all its clients say of it together."""
    keys = list(dict.fromkeys([*(one.activity for one in said.links), *logged_before]))
    return {key: merged(of) for key, of in histories.links_of(tx, keys).items()}


def _is_let_go(link: Link, messages: Collection[str]) -> bool:
    """Of what is in nobody's history nothing is kept; but a notice may be the evidence of a move."""
    kept = ("notice",) if link.activity in messages else ("cancelled", "declined_by_rep")
    return link.outcome == "skipped" and link.reason not in kept


def _finished(running: Sequence["Future[int]"]) -> bool:
    return not wait(running, timeout=0.2).not_done
