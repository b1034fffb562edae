"""Which deal an activity is about: every candidate gets a score from named evidence; the best wins only with a margin.

The weights are in one table. A letter is judged by its own new text first; what the thread was about comes second, so
that a reply that speaks of another deal belongs to that deal.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from agent.model import Candidate, Deal, Reason
from agent.words import WordIndex, name_units, number_names, numbers

WEIGHTS = {
    "answer": 9.0,  # a person said so of this thread
    "number": 4.0,  # an offer, contract or invoice of this deal is named
    "thread": 2.6,  # the thread was about this deal
    "thread, other words": 0.7,  # ... but the letter speaks of another deal of the client
    "name": 1.5,  # a word of the deal's name that no other of the client's deals has
    "shared name": 0.7,  # a word that several of them have
    "contact": 0.9,  # the person is on the deal
    "other contact": -0.6,  # the person is on other deals of the client, not on this one
    "seen": 0.5,  # the person has written about this deal
    "owner": 0.8,  # the mailbox belongs to the deal's owner
    "only deal": 1.0,  # no other deal of the client was open
    "closed": -1.4,  # it was closed at that time
    "not yet": -0.8,  # it was not in the CRM yet
}
NAME_CAP = 3.6
THRESHOLD = 1.7  # below it nothing is said
MARGIN = 0.9  # the best must lead by this much
BEFORE = timedelta(days=45)  # a deal is often typed in after the talk has begun
AFTER = timedelta(days=120)  # after that a closed deal is no candidate


@dataclass
class DealThen:
    """A deal as it is known at one moment of the fold."""

    deal: Deal
    company_name: str
    closed_at: datetime | None = None
    seen: set[str] = field(default_factory=set)  # outside addresses that wrote about it
    numbers: set[str] = field(init=False)
    units: tuple[tuple[str, ...], ...] = field(init=False)

    def __post_init__(self) -> None:
        self.numbers = {name for n in self.deal.external_numbers for name in number_names(n)}
        self.units = name_units(self.deal.name, self.company_name)

    def is_open(self, at: datetime) -> bool:
        return self.closed_at is None or at <= self.closed_at

    def is_candidate(self, at: datetime) -> bool:
        if self.deal.created_at is not None and self.deal.created_at > at + BEFORE:
            return False
        return self.closed_at is None or at <= self.closed_at + AFTER


@dataclass(frozen=True)
class About:
    """What an activity offers as evidence."""

    at: datetime
    text: str  # new text of the letter; title and description of a meeting
    subject: str  # "" when it only repeats the thread's
    attachments: tuple[str, ...]
    outside: frozenset[str]  # addresses that are not ours
    contact_ids: frozenset[str]
    owners: frozenset[str]  # rep ids whose mailbox or calendar holds it
    thread_deals: tuple[str, ...] = ()  # what the thread was about, as far as known
    answered_deals: tuple[str, ...] = ()  # what a person said of the thread


@dataclass(frozen=True)
class Match:
    """The answer: deals, or the deals between which nobody can tell, or neither."""

    deal_ids: tuple[str, ...]
    ambiguous: tuple[str, ...]
    candidates: tuple[Candidate, ...]


def match(about: About, deals: Sequence[DealThen]) -> Match:
    """Choose among a client's deals as they were then."""
    then = [d for d in deals if d.is_candidate(about.at)]
    if not then:
        return Match((), (), ())
    spoken = _spoken_of(about, then)
    switched = {d for d, reasons in spoken.items() if reasons}
    scored = sorted(
        (_score(about, d, then, spoken[d.deal.id], switched) for d in then), key=lambda c: (-c.score, c.deal_id)
    )
    return _choose(scored, switched)


def _choose(scored: list[Candidate], spoken: set[str]) -> Match:
    candidates = tuple(scored)
    able = [c for c in scored if c.score >= THRESHOLD]
    if not able:
        return Match((), (), candidates)
    rivals = [c for c in able[1:] if able[0].score - c.score < MARGIN or (_numbered(c) and _numbered(able[0]))]
    if not rivals:
        return Match((able[0].deal_id,), (), candidates)
    close = [able[0], *rivals]
    if all(_answered(c) or (c.deal_id in spoken and _named_alone(c)) for c in close):
        return Match(tuple(sorted(c.deal_id for c in close)), (), candidates)  # it speaks of each by name
    return Match((), tuple(sorted(c.deal_id for c in close)), candidates)


def _answered(candidate: Candidate) -> bool:
    return any(r.name == "answer" for r in candidate.reasons)


def _numbered(candidate: Candidate) -> bool:
    """A deal whose number is named is meant, whatever the thread is about."""
    return any(r.name == "number" for r in candidate.reasons)


def _named_alone(candidate: Candidate) -> bool:
    return any(r.name in ("number", "name") for r in candidate.reasons)


def _spoken_of(about: About, deals: Sequence[DealThen]) -> dict[str, list[Reason]]:
    """Per deal: what the letter itself says of it, by number and by name."""
    index = WordIndex(f"{about.subject}\n{about.text}\n{' '.join(about.attachments).replace('_', ' ')}")
    named = numbers((about.subject, about.text, *about.attachments))
    owners_of: dict[tuple[str, ...], int] = {}
    for d in deals:
        for unit in d.units:
            owners_of[unit] = owners_of.get(unit, 0) + 1
    return {d.deal.id: [*_by_number(d, named), *_by_name(d, index, owners_of)] for d in deals}


def _by_number(d: DealThen, named: set[str]) -> list[Reason]:
    common = sorted(named & d.numbers)
    return [Reason(name="number", weight=WEIGHTS["number"], detail=common[0])] if common else []


def _by_name(d: DealThen, index: WordIndex, owners_of: Mapping[tuple[str, ...], int]) -> list[Reason]:
    found = [u for u in d.units if index.has(u)]
    reasons, left = [], NAME_CAP
    for unit in sorted(found, key=lambda u: owners_of[u]):
        name = "name" if owners_of[unit] == 1 else "shared name"
        weight = min(WEIGHTS[name], left)
        if weight > 0:
            reasons.append(Reason(name=name, weight=round(weight, 2), detail=" ".join(unit)))
            left -= weight
    return reasons


def _score(about: About, d: DealThen, deals: Sequence[DealThen], spoken: list[Reason], switched: set[str]) -> Candidate:
    reasons = [*spoken, *_thread(about, d, spoken, switched), *_people(about, d, deals), *_time(about, d, deals)]
    return Candidate(deal_id=d.deal.id, score=round(sum(r.weight for r in reasons), 2), reasons=tuple(reasons))


def _reason(name: str, detail: str = "") -> Reason:
    return Reason(name=name, weight=WEIGHTS[name], detail=detail)


def _thread(about: About, d: DealThen, spoken: list[Reason], switched: set[str]) -> list[Reason]:
    reasons = []
    if d.deal.id in about.answered_deals:
        reasons.append(_reason("answer"))
    if d.deal.id in about.thread_deals:
        other = any(i != d.deal.id for i in switched) and not any(r.name in ("number", "name") for r in spoken)
        reasons.append(_reason("thread, other words" if other else "thread"))
    return reasons


def _people(about: About, d: DealThen, deals: Sequence[DealThen]) -> list[Reason]:
    reasons = []
    on_deal = about.contact_ids & set(d.deal.contact_ids)
    if on_deal:
        reasons.append(_reason("contact", min(on_deal)))
    elif any(about.contact_ids & set(other.deal.contact_ids) for other in deals):
        reasons.append(_reason("other contact"))
    if seen := about.outside & d.seen:
        reasons.append(_reason("seen", min(seen)))
    if d.deal.owner in about.owners:
        reasons.append(_reason("owner", d.deal.owner))
    return reasons


def _time(about: About, d: DealThen, deals: Sequence[DealThen]) -> list[Reason]:
    reasons = []
    if not d.is_open(about.at):
        reasons.append(_reason("closed"))
    elif d.deal.created_at is not None and d.deal.created_at > about.at:
        reasons.append(_reason("not yet"))
    elif sum(1 for other in deals if other.is_open(about.at) and not _later(other, about.at)) == 1:
        reasons.append(_reason("only deal"))
    return reasons


def _later(d: DealThen, at: datetime) -> bool:
    return d.deal.created_at is not None and d.deal.created_at > at
