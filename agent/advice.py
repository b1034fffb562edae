"""What an admin should look at after a sync: each point with the line of config, or the step, that changes it."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import msgspec
from sqlalchemy import Connection, func, select

from agent.clients import STRANGER
from agent.config import Config
from agent.model import Link, Pipeline
from agent.store import mirror
from agent.store.tables import activity, ledger, link, sighting
from agent.texts import say

MOST = 5  # of each kind


def advice(tx: Connection, config: Config) -> list[str]:
    """Sentences, the most useful first; none when all is well."""
    return [
        *_unverified(tx, [m.name for m in config.mailboxes], config.organization.domains),
        *_strangers(tx),
        *_ambiguous(tx),
        *_unreached(config.pipelines),
    ]


def _strangers(tx: Connection) -> list[str]:
    query = (
        select(link.c.client, func.count().label("n"))
        .where(link.c.client.startswith(STRANGER, autoescape=True), link.c.reason == "no_client")
        .group_by(link.c.client)
        .order_by(func.count().desc(), link.c.client)
        .limit(MOST)
    )
    found = [f"{row.client.removeprefix(STRANGER)} ({row.n})" for row in tx.execute(query)]
    return [say("advice.strangers", domains=", ".join(found))] if found else []


def _ambiguous(tx: Connection) -> list[str]:
    of_company: dict[str, list[str]] = defaultdict(list)
    for body in tx.scalars(select(link.c.body).where(link.c.outcome == "logged")):
        one = msgspec.json.decode(body, type=Link)
        if one.ambiguous:
            of_company[one.company_id or ""].append(one.activity)
    names = {c.id: c.name for c in mirror.companies(tx)}
    most = sorted(of_company.items(), key=lambda item: (-len(item[1]), item[0]))[:MOST]
    return [
        say("advice.ambiguous", count=len(keys), company=names.get(company, company), key=keys[0])
        for company, keys in most
    ]


def _unreached(pipelines: Iterable[Pipeline]) -> list[str]:
    line = 'reached_by = ["proposal_sent"]'
    return [
        say("advice.unreached", pipeline=p.name, stage=s.name, line=line)
        for p in pipelines
        for s in p.stages[1:]
        if not s.reached_by
    ]


def _unverified(tx: Connection, mailboxes: Sequence[str], domains: Sequence[str]) -> list[str]:
    counts = unverified(tx)
    line = f'[organization] authserv_ids = ["mx.{domains[0] if domains else "ours.example"}"]'
    return [
        say(
            "advice.unverified", source=name, count=counts[name]["unknown"], total=sum(counts[name].values()), line=line
        )
        for name in mailboxes
        if counts[name]["unknown"] * 2 > sum(counts[name].values())
    ]


def unverified(tx: Connection) -> dict[str, Counter[str]]:
    """Source -> how many inbound letters of each verdict on their sender."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    query = (
        select(ledger.c.source, activity.c.verified, func.count().label("n"))
        .select_from(activity.join(sighting).join(ledger, ledger.c.id == sighting.c.ledger_id))
        .where(activity.c.kind == "message", activity.c.direction == "inbound")
        .group_by(ledger.c.source, activity.c.verified)
    )
    for row in tx.execute(query):
        counts[row.source][row.verified] += row.n
    return counts
