"""The report on what is stuck: open deals without a letter from the client for so many days, and what holds them."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

import msgspec

from agent.model import ObjectionLife, Pipeline
from agent.reports import Book, Work
from agent.stages import funnel_order


class StuckRow(msgspec.Struct, frozen=True, kw_only=True):
    """One deal that does not go on."""

    pipeline: str
    stage: str
    deal_id: str
    deal: str
    owner: str
    days: int  # since the client's last letter; without one, since the deal was opened
    last_letter: datetime | None  # of the client
    last_ours: datetime | None
    last_meeting: datetime | None
    objections: tuple[ObjectionLife, ...]  # that are not closed


def stuck(book: Book, pipelines: Iterable[Pipeline], days: int, now: datetime) -> list[StuckRow]:
    """In the funnel's order; of one stage, the longest silent first."""
    places = funnel_order(pipelines)
    rows = [row for row in _open_deals(book, now) if row.days >= days]
    last = (len(places), 0)
    return sorted(rows, key=lambda r: (places.get((r.pipeline, r.stage), last), r.stage, -r.days, r.deal_id))


def _open_deals(book: Book, now: datetime) -> Iterable[StuckRow]:
    done, held = defaultdict[str, list[Work]](list), defaultdict[str, list[ObjectionLife]](list)
    for one in book.work:
        if one.at <= now:
            done[one.deal_id].append(one)
    for o in book.objections:
        if o.state != "closed" and not o.why:
            held[o.deal_id].append(o)
    for deal in book.deals.values():
        if deal.status != "open":
            continue
        work = done[deal.id]
        theirs = max((w.at for w in work if w.from_client), default=None)
        since = theirs or deal.created_at
        if since is None:  # nothing is known of it but that it exists
            continue
        yield StuckRow(
            pipeline=deal.pipeline,
            stage=deal.stage,
            deal_id=deal.id,
            deal=deal.name,
            owner=deal.owner,
            days=(now - since).days,
            last_letter=theirs,
            last_ours=max((w.at for w in work if w.kind == "message" and not w.from_client), default=None),
            last_meeting=max((w.at for w in work if w.kind == "meeting"), default=None),
            objections=tuple(held[deal.id]),
        )
