"""The histories' room: which activities belong to which client, what waits to be read or folded, what a fold said."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, String, case, cast, delete, func, insert, select, update

from agent.changes import merged
from agent.clients import STRANGER, Directory, changed_nodes, clients_of_people, domain_of, free_mail_domains, whose
from agent.intake import House, keyed_hash, letter_of
from agent.known import NO_READING, Seen, Stood, Unknown
from agent.model import History, Letter, Link, Meeting, Message, Reading
from agent.store.activities import Fresh
from agent.store.forget import want_again
from agent.store.rows import chunks, insert_rows, record_of
from agent.store.tables import (
    activity,
    dirty,
    history,
    ledger,
    link,
    membership,
    participant,
    reading,
    sighting,
    stood,
    to_read,
)
from classifiers.clean import new_text

# -- whose is it? -------------------------------------------------------------------------------------------------


class _Whose(NamedTuple):
    """What says of an activity whose it is, besides its people."""

    id: int
    thread: int
    kind: str
    meeting: str | None  # its record


def assign(
    tx: Connection, people: Directory, house: House, threads: Collection[int], fresh: Sequence[Fresh] = ()
) -> set[int]:
    """Give every activity of these threads its clients; returns the activities whose clients changed.

    How that is settled: `agent.clients.whose`. Of `fresh` all is at hand.
    """
    changed = _assign_fresh(tx, people, house, [f for f in fresh if not f.entry.skipped])
    meeting = case((activity.c.kind == "meeting", activity.c.record))
    for part in chunks(sorted(threads)):
        query = select(activity.c.id, activity.c.thread, activity.c.kind, meeting).where(
            activity.c.thread.in_(part), activity.c.skipped == ""
        )
        rows = [_Whose(*row) for row in tx.execute(query)]
        outside = _outside(tx, [r.id for r in rows], house)
        changed |= _write_membership(tx, _clients(rows, outside, people))
    return changed


def _assign_fresh(tx: Connection, people: Directory, house: House, fresh: Sequence[Fresh]) -> set[int]:
    rows = [_Whose(f.id, f.thread, f.entry.kind, f.entry.record) for f in fresh]
    outside = {f.id: [email for _, email in f.entry.participants if not house.is_ours(email)] for f in fresh}
    wanted = _clients(rows, outside, people)
    insert_rows(tx, membership, [(client, i) for i, clients in wanted.items() for client in sorted(clients)])
    return set(wanted)


def _outside(tx: Connection, activity_ids: Sequence[int], house: House) -> dict[int, list[str]]:
    found: dict[int, list[str]] = defaultdict(list)
    for part in chunks(activity_ids):
        query = select(participant.c.activity_id, participant.c.address).where(participant.c.activity_id.in_(part))
        for row in tx.execute(query):
            if not house.is_ours(row.address):
                found[row.activity_id].append(row.address)
    return found


def _clients(rows: Sequence[_Whose], outside: Mapping[int, list[str]], people: Directory) -> dict[int, set[str]]:
    known: dict[int, set[str]] = {}
    strangers: dict[int, set[str]] = {}
    of_thread: dict[int, set[str]] = defaultdict(set)
    for row in rows:
        known[row.id], strangers[row.id] = clients_of_people(people, outside.get(row.id, []))
        if row.kind == "meeting" and row.meeting and not known[row.id]:
            known[row.id] = people.clients_named(msgspec.json.decode(row.meeting, type=Meeting).title)
        of_thread[row.thread] |= known[row.id]
    return {
        row.id: whose(known[row.id], of_thread[row.thread], strangers[row.id]) or {f"{STRANGER}{row.id}"}
        for row in rows
    }


def _write_membership(tx: Connection, wanted: Mapping[int, set[str]]) -> set[int]:
    changed: set[int] = set()
    for part in chunks(wanted):
        standing: dict[int, set[str]] = defaultdict(set)
        for row in tx.execute(select(membership).where(membership.c.activity_id.in_(part))):
            standing[row.activity_id].add(row.client)
        for activity_id in part:
            for client in standing[activity_id] - wanted[activity_id]:
                tx.execute(
                    delete(membership).where(membership.c.activity_id == activity_id, membership.c.client == client)
                )
                mark_dirty(tx, [client])
        fresh = [{"activity_id": i, "client": c} for i in part for c in sorted(wanted[i] - standing[i])]
        if fresh:
            tx.execute(insert(membership), fresh)
        changed |= {i for i in part if wanted[i] != standing[i]}
    return changed


def regroup(tx: Connection, before: Directory, after: Directory, house: House) -> None:
    """People, companies or deals have changed: settle again whose the activities are, and fold who is concerned."""
    nodes = changed_nodes(before, after)
    if not nodes:
        return
    clients = {c for d in (before, after) for node in nodes if (c := d.client_of(node))}
    addresses, domains = _addresses(before, nodes) | _addresses(after, nodes), set[str]()
    for d in (before, after):
        domains |= {x for i, c in d.companies.items() if f"company:{i}" in nodes for x in c.domains}
    domains |= {domain_of(a) for a in addresses} - free_mail_domains()
    threads = _threads_of_clients(tx, clients) | threads_touched_by(tx, addresses, domains)
    if any(node.startswith("company:") for node in nodes):
        threads |= _threads_of_unknown_meetings(tx)
    assign(tx, after, house, threads)
    mark_dirty(tx, {c for c in clients if c in _known(after, clients)} | _clients_of_threads(tx, threads))
    if before.products != after.products:  # what we sell tells the deals of whoever has several apart
        mark_dirty(tx, after.with_several_deals(), fresh=False)
    hashed = [{keyed_hash(x, house.hash_key) for x in values} for values in (addresses, domains)]
    want_again(tx, hashed[0], hashed[1])


def _known(people: Directory, clients: Collection[str]) -> set[str]:
    return {c for c in clients if people.client_of(c) == c}


def _addresses(people: Directory, nodes: Collection[str]) -> set[str]:
    return {email for i, c in people.contacts.items() if f"contact:{i}" in nodes for email in c.emails}


def _threads_of_clients(tx: Connection, clients: Collection[str]) -> set[int]:
    found: set[int] = set()
    for part in chunks(sorted(clients)):
        found |= set(tx.scalars(select(activity.c.thread).join(membership).where(membership.c.client.in_(part))))
    return found


def _threads_of_unknown_meetings(tx: Connection) -> set[int]:
    query = (
        select(activity.c.thread)
        .join(membership)
        .where(activity.c.kind == "meeting", membership.c.client.startswith(STRANGER, autoescape=True))
    )
    return set(tx.scalars(query))


def _clients_of_threads(tx: Connection, threads: Collection[int]) -> set[str]:
    found: set[str] = set()
    for part in chunks(sorted(threads)):
        found |= set(tx.scalars(select(membership.c.client).join(activity).where(activity.c.thread.in_(part))))
    return found


def clients_of_activities(tx: Connection, activity_ids: Iterable[int]) -> set[str]:
    found: set[str] = set()
    for part in chunks(sorted(activity_ids)):
        found |= set(tx.scalars(select(membership.c.client).where(membership.c.activity_id.in_(part)).distinct()))
    return found


def threads_touched_by(tx: Connection, addresses: Collection[str], domains: Collection[str]) -> set[int]:
    """Threads in which one of these addresses, or somebody of these domains, takes part."""
    found: set[int] = set()
    for column, values in ((participant.c.address, addresses), (participant.c.domain, domains)):
        for part in chunks(sorted(values)):
            query = select(activity.c.thread).join(participant).where(column.in_(part)).distinct()
            found |= set(tx.scalars(query))
    return found


# -- what waits ---------------------------------------------------------------------------------------------------


def mark_dirty(tx: Connection, clients: Iterable[str], *, fresh: bool = True) -> None:
    wanted = set(clients)
    for part in chunks(sorted(wanted)):
        standing = {r.client: r.fresh for r in tx.execute(select(dirty).where(dirty.c.client.in_(part)))}
        new = [{"client": c, "fresh": fresh} for c in part if c not in standing]
        if new:
            tx.execute(insert(dirty), new)
        sooner = [c for c, was_fresh in standing.items() if fresh and not was_fresh]
        if sooner:
            tx.execute(update(dirty).where(dirty.c.client.in_(sooner)).values(fresh=True))


def clients_with_history(tx: Connection) -> set[str]:
    return set(tx.scalars(select(history.c.client)))


def wait_for_reading(tx: Connection, activity_ids: Iterable[int], version: str, *, fresh: bool) -> None:
    """These are to be read, unless their content has been read by this version; those are folded at once."""
    for part in chunks(sorted(activity_ids)):
        query = (
            select(
                activity.c.id,
                activity.c.skipped,
                func.coalesce(reading.c.content, cast(stood.c.activity_id, String)),  # what has no words is not read
                to_read.c.activity_id,
            )
            .outerjoin(reading, (reading.c.content == activity.c.content) & (reading.c.version == version))
            .outerjoin(stood)
            .outerjoin(to_read, to_read.c.activity_id == activity.c.id)
            .where(activity.c.id.in_(part))
        )
        rows = list(tx.execute(query))
        waiting = [(i, fresh) for i, skipped, read, queued in rows if not skipped and read is None and queued is None]
        insert_rows(tx, to_read, waiting)
        mark_dirty(tx, clients_of_activities(tx, [i for i, _, read, _ in rows if read is not None]), fresh=fresh)


def next_to_read(tx: Connection, limit: int) -> list[tuple[int, str, Letter]]:
    """(activity, content, letter) of what waits, new mail first."""
    query = (
        select(activity.c.id, activity.c.kind, activity.c.content, activity.c.direction, activity.c.record)
        .join(to_read)
        .order_by(to_read.c.fresh.desc(), to_read.c.activity_id)
        .limit(limit)
    )
    rows = list(tx.execute(query))
    return [(r.id, r.content, letter_of(record_of(r.kind, r.record), r.direction)) for r in rows if r.record]


def save_readings(tx: Connection, read: Sequence[tuple[int, str, Reading]]) -> None:
    """Keep what was read, and mark its clients for folding.

    An activity that was given another content, or was taken out, while it was read: what was read of it is let go, and
    it still waits.
    """
    content_now: dict[int, str] = {}
    for part in chunks(i for i, _, _ in read):
        query = select(activity.c.id, activity.c.content).where(activity.c.id.in_(part))
        content_now |= {row.id: row.content for row in tx.execute(query)}
    standing = [(i, content, body) for i, content, body in read if content_now.get(i) == content]
    by_content = {content: body for _, content, body in standing}
    for part in chunks(sorted(by_content)):
        version = by_content[part[0]].version
        have = set(
            tx.scalars(select(reading.c.content).where(reading.c.content.in_(part), reading.c.version == version))
        )
        new = [
            {"content": c, "version": version, "body": msgspec.json.encode(by_content[c]).decode()}
            for c in part
            if c not in have
        ]
        if new:
            tx.execute(insert(reading), new)
    ids = [i for i, _, _ in standing]
    for part in chunks(ids):
        tx.execute(delete(to_read).where(to_read.c.activity_id.in_(part)))
    mark_dirty(tx, clients_of_activities(tx, ids))


def next_to_fold(tx: Connection, now: datetime, limit: int, *, fresh_only: bool = False) -> list[str]:
    """Clients that wait for a fold, new mail first; those for whom a time has come are among them."""
    mark_dirty(tx, set(tx.scalars(select(history.c.client).where(history.c.due_at <= now))))
    query = select(dirty.c.client).order_by(dirty.c.fresh.desc(), dirty.c.client).limit(limit)
    return list(tx.scalars(query.where(dirty.c.fresh) if fresh_only else query))


def next_due(tx: Connection) -> datetime | None:
    """When time alone changes what is said of a client."""
    earliest: datetime | None = tx.scalar(select(func.min(history.c.due_at)))
    return earliest


# -- what the fold is given, and what it said ---------------------------------------------------------------------


def gather(
    tx: Connection, client: str, people: Directory, house: House, version: str, owner_of: Mapping[str, str]
) -> list[Seen]:
    """All activities of one client, as the fold sees them. `owner_of`: source -> rep id."""
    rows = list(
        tx.execute(
            select(activity, reading.c.body.label("reading"), stood.c.body.label("stood"))
            .join(membership)
            .outerjoin(stood)
            .outerjoin(reading, (reading.c.content == activity.c.content) & (reading.c.version == version))
            .where(membership.c.client == client, activity.c.skipped == "")
        )
    )
    ids = [r.id for r in rows]
    outside = _outside(tx, ids, house)
    seen_in = _seen_in(tx, ids)
    older = _older_readings(tx, {r.content for r in rows if r.reading is None and r.content})
    read = {r.id: r.reading or older.get(r.content) for r in rows}
    seen = [_seen(r, read[r.id], client, outside.get(r.id, []), seen_in[r.id], owner_of, people, house) for r in rows]
    if not any(one.stood for one in seen):
        return seen
    said = {key: merged(of) for key, of in links_of(tx, [one.key for one in seen]).items()}
    return [one if one.stood else msgspec.structs.replace(one, link=said[one.key]) for one in seen]


def _older_readings(tx: Connection, contents: Collection[str]) -> dict[str, str]:
    """What an earlier version read of these: better than nothing until `replay` has them read again."""
    found: dict[str, str] = {}
    for part in chunks(sorted(contents)):
        rows = tx.execute(select(reading).where(reading.c.content.in_(part)).order_by(reading.c.version))
        found.update({r.content: r.body for r in rows})
    return found


def unknown_people(tx: Connection, client: str, seen: Iterable[Seen], people: Directory) -> dict[str, Unknown]:
    """The addresses of these letters that no contact has, and when they first wrote with another client."""
    told = people.unknown(client, {email for one in seen for email in one.outside})
    elsewhere: dict[str, datetime] = {}
    for part in chunks(sorted(told)):
        query = (
            select(participant.c.address, func.min(activity.c.date).label("first"))
            .select_from(participant.join(activity).join(membership, membership.c.activity_id == activity.c.id))
            .where(participant.c.address.in_(part), membership.c.client != client)
            .group_by(participant.c.address)
        )
        elsewhere |= {row.address: row.first for row in tx.execute(query)}
    return {email: Unknown(company_id=told[email], elsewhere=elsewhere.get(email)) for email in told}


def _seen_in(tx: Connection, activity_ids: Sequence[int]) -> dict[int, set[str]]:
    """The sources that hold each activity."""
    found: dict[int, set[str]] = defaultdict(set)
    for part in chunks(activity_ids):
        query = (
            select(sighting.c.activity_id, ledger.c.source)
            .join(ledger, ledger.c.id == sighting.c.ledger_id)
            .where(sighting.c.activity_id.in_(part))
        )
        for row in tx.execute(query):
            found[row.activity_id].add(row.source)
    return found


def _seen(
    row: Any,
    body: str | None,
    client: str,
    outside: Sequence[str],
    seen_in: Collection[str],
    owner_of: Mapping[str, str],
    people: Directory,
    house: House,
) -> Seen:
    record = record_of(row.kind, row.record)
    as_it_stood = msgspec.json.decode(row.stood, type=Stood) if row.stood else None
    read = msgspec.json.decode(body, type=Reading) if body else as_it_stood.reading if as_it_stood else NO_READING
    who = [people.identify(email) for email in outside]
    claimed = [a.email for a in record.from_ if not house.is_ours(a.email)] if isinstance(record, Message) else []
    return Seen(
        key=row.key,
        record=record,
        direction=row.direction,
        verified=row.verified,
        thread=row.thread,
        owners=frozenset(owner_of.get(source, source) for source in seen_in),
        sources=frozenset(seen_in),
        outside=frozenset(outside),
        contact_ids=frozenset(i for w in who for i in w.contact_ids),
        company_ids=frozenset(i for w in who for i in w.company_ids),
        claims_client=any(client in people.clients_of(email) for email in claimed),
        new_text=new_text(record.text, read.cuts) if isinstance(record, Message) else record.description,
        reading=read,
        gone=_vanished(row, record),
        stood=as_it_stood,
    )


def _vanished(row: Any, record: Message | Meeting) -> bool:
    """Did a calendar drop a meeting before it was over? What is cleared away afterwards has taken place."""
    return row.gone_at is not None and isinstance(record, Meeting) and bool(row.gone_at < record.end)


def save(tx: Connection, said: History) -> None:
    """Replace what was said of a client, touching only what differs; it is no longer dirty."""
    tx.execute(delete(dirty).where(dirty.c.client == said.client))
    tx.execute(delete(history).where(history.c.client == said.client))
    body = msgspec.json.encode(msgspec.structs.replace(said, links=())).decode()
    tx.execute(insert(history).values(client=said.client, body=body, due_at=said.due))
    _save_links(tx, said)


def forget_stranger(tx: Connection, client: str) -> None:
    """A client that is not in the CRM and of whom nothing is kept any more: his key names a domain or an address."""
    if not client.startswith(STRANGER):
        return
    if tx.scalar(select(membership.c.activity_id).where(membership.c.client == client).limit(1)) is None:
        tx.execute(delete(history).where(history.c.client == client))


def _save_links(tx: Connection, said: History) -> None:
    standing = {
        r.activity_id: r.body
        for r in tx.execute(select(link.c.activity_id, link.c.body).where(link.c.client == said.client))
    }
    ids = _ids(tx, [one.activity for one in said.links])
    wanted = {ids[one.activity]: one for one in said.links}
    rows = []
    for activity_id, one in wanted.items():
        body = msgspec.json.encode(one).decode()
        if standing.get(activity_id) != body:
            rows.append(
                {
                    "client": said.client,
                    "activity_id": activity_id,
                    "outcome": one.outcome,
                    "reason": one.reason,
                    "body": body,
                }
            )
    outdated = [r["activity_id"] for r in rows] + [i for i in standing if i not in wanted]
    for part in chunks(outdated):
        tx.execute(delete(link).where(link.c.client == said.client, link.c.activity_id.in_(part)))
    if rows:
        tx.execute(insert(link), rows)


def _ids(tx: Connection, keys: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for part in chunks(keys):
        rows = tx.execute(select(activity.c.key, activity.c.id).where(activity.c.key.in_(part)))
        found.update({r.key: r.id for r in rows})
    return found


def load(tx: Connection, client: str) -> History | None:
    """What the last fold said of a client, with its links."""
    row = tx.execute(select(history).where(history.c.client == client)).first()
    if row is None:
        return None
    said = msgspec.json.decode(row.body, type=History)
    return msgspec.structs.replace(said, links=tuple(links(tx, client)))


def answered(tx: Connection, client: str) -> int:
    """The number of the last answer that the last fold knew."""
    body = tx.scalar(select(history.c.body).where(history.c.client == client))
    return msgspec.json.decode(body, type=History).answered if body else 0


def links(tx: Connection, client: str) -> list[Link]:
    bodies = tx.scalars(select(link.c.body).where(link.c.client == client).order_by(link.c.activity_id))
    return [msgspec.json.decode(body, type=Link) for body in bodies]


def links_of(tx: Connection, keys: Sequence[str]) -> dict[str, list[Link]]:
    """What all clients say of these activities, per activity key."""
    found: dict[str, list[Link]] = {key: [] for key in keys}
    for part in chunks(keys):
        query = (
            select(link.c.body).join(activity).where(activity.c.key.in_(part)).order_by(activity.c.id, link.c.client)
        )
        for body in tx.scalars(query):
            one = msgspec.json.decode(body, type=Link)
            found[one.activity].append(one)
    return found
