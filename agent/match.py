"""Which deal an activity is about: every candidate gets a score from named evidence; the best wins only with a margin.

The weights are in one table. A letter is judged by its own new text first; what the thread was about comes second, so
that a reply that speaks of another deal belongs to that deal.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from agent.learned import Learned, Said
from agent.model import Candidate, Deal, Reason
from agent.words import STEM, Moment, name_parts, number_names, paper_numbers

WEIGHTS = {
    "answer": 9.0,  # a person said so of this thread
    "number": 4.0,  # an offer, contract or invoice of this deal is named
    "learned number": 3.2,  # ... whose number stands in letters about this deal only
    "thread": 2.6,  # the thread was about this deal
    "thread, other words": 0.4,  # ... but the letter speaks of another deal of the client
    "thread, later": 1.8,  # the thread turned out to be about this deal
    "name": 2.0,  # a word of the deal's name that no other of the client's deals has
    "name, again": 0.6,  # a further word of the same part of its name
    "shared name": 0.7,  # a word that several of them have, in their names or in their letters
    "own word": 1.3,  # a usual word of the letters about this deal that those about its rivals have not
    "its words": 0.9,  # at most: the letter's words are rather those of the letters about this deal
    "its subject": 1.0,  # it answers a subject that was about this deal only
    "arranged": 1.6,  # a letter about this deal named the meeting's day and hour
    "first letter": 1.0,  # we begin a talk just after the deal was made, and nothing was written about it yet
    "contact": 0.9,  # the person is on the deal
    "other contact": -0.6,  # the person is on other deals of the client, not on this one
    "seen": 0.3,  # the person has written about this deal
    "owner": 1.0,  # the mailbox belongs to the deal's owner
    "only deal": 1.0,  # no other deal of the client was open
    "no sign": -0.6,  # none was, but nothing in a new letter speaks of a sale
    "closed": -1.4,  # it was closed at that time
    "not yet": -0.8,  # it was not in the CRM yet
}
CLOSENESS = 0.3  # of its weight "its words" gets for every e-fold
NAME_CAP = 3.6
THRESHOLD = 1.7  # below it nothing is said
MARGIN = 0.6  # the best must lead by this much
FRESH = timedelta(days=21)  # so long after a deal was made our first letter about it is awaited
BEFORE = timedelta(days=45)  # a deal is often typed in after the talk has begun
AFTER = timedelta(days=120)  # after that a closed deal is no candidate
LONG_AFTER = timedelta(days=500)  # ... nor one of which the letter speaks

_Unit = tuple[str, ...]


@dataclass
class DealThen:
    """A deal as it is known at one moment of the fold."""

    deal: Deal
    without: str  # words of its name that tell nothing: the company's, the people's
    closed_at: datetime | None = None
    seen: set[str] = field(default_factory=set)  # outside addresses that wrote about it
    numbers: set[str] = field(init=False)
    parts: tuple[tuple[_Unit, ...], ...] = field(init=False)

    def __post_init__(self) -> None:
        own = (*self.deal.external_numbers, *paper_numbers((self.deal.name,)))
        self.numbers = {name for n in own for name in number_names(n)}
        self.parts = name_parts(self.deal.name, self.without)

    def is_open(self, at: datetime) -> bool:
        return self.closed_at is None or at <= self.closed_at

    def is_candidate(self, at: datetime, within: timedelta = AFTER) -> bool:
        if self.deal.created_at is not None and self.deal.created_at > at + BEFORE:
            return False
        return self.closed_at is None or at <= self.closed_at + within


@dataclass(frozen=True)
class About:
    """What an activity offers as evidence."""

    at: datetime
    said: Said
    outside: frozenset[str]  # addresses that are not ours
    contact_ids: frozenset[str]
    owners: frozenset[str]  # rep ids whose mailbox or calendar holds it
    key: str = ""
    answers_topic: str = ""  # the subject that it answers or hands on; "" when it does not
    moment: Moment | None = None  # when a meeting begins, by the clock of whoever entered it
    thread_deals: tuple[str, ...] = ()  # what the thread was about, as far as known
    later_deals: tuple[str, ...] = ()  # what it turned out to be about, when that is not known yet
    answered_deals: tuple[str, ...] = ()  # what a person said of the thread
    we_begin: bool = False  # our own letter that answers none
    of_a_sale: bool = True  # the reading found a milestone or an objection, or we began the talk
    learned: Learned = field(default_factory=Learned)


@dataclass(frozen=True)
class Match:
    """The answer: deals, or the deals between which nobody can tell, or neither."""

    deal_ids: tuple[str, ...]
    ambiguous: tuple[str, ...]
    candidates: tuple[Candidate, ...]


def match(about: About, deals: Sequence[DealThen]) -> Match:
    """Choose among a client's deals as they were then."""
    then = [d for d in deals if d.is_candidate(about.at, LONG_AFTER)]
    spoken = _spoken_of(about, then)
    then = [d for d in then if d.is_candidate(about.at) or _tells(spoken[d.deal.id])]
    scored = [_score(about, d, then, spoken) for d in then]
    return _choose(sorted(scored, key=lambda c: (-c.score, c.deal_id)))


def _choose(scored: list[Candidate]) -> Match:
    candidates = tuple(scored)
    able = [c for c in scored if c.score >= THRESHOLD]
    if not able:
        return Match((), (), candidates)
    rivals = [c for c in scored[1:] if able[0].score - c.score < MARGIN or _both_named(able[0], c)]
    if not rivals:
        return Match((able[0].deal_id,), (), candidates)
    close = [able[0], *rivals]
    if all(_is(c, _ANSWER) or _is(c, _TELLING) for c in close):
        return Match(tuple(sorted(c.deal_id for c in close)), (), candidates)  # it speaks of each by name
    return Match((), tuple(sorted(c.deal_id for c in close)), candidates)


def _both_named(best: Candidate, other: Candidate) -> bool:
    """A deal that is named beside another one is meant too, whatever the thread is about."""
    return other.score >= THRESHOLD and _is(best, _TELLING) and _is(other, _TELLING)


_ANSWER = frozenset(["answer"])
_NUMBER = frozenset(["number", "learned number"])  # a deal whose number is named is meant, whatever the thread is about
_TELLING = _NUMBER | {"name"}


def _is(candidate: Candidate, names: frozenset[str]) -> bool:
    return any(r.name in names for r in candidate.reasons)


def speaks_of(candidate: Candidate) -> bool:
    """Is this deal meant by words that are its alone, whatever else speaks for it?"""
    return _tells(candidate.reasons)


def _tells(spoken: Iterable[Reason]) -> bool:
    """Does a letter speak of a deal in words that are this deal's alone?"""
    return any(r.name in _TELLING or r.name == "own word" for r in spoken)


def _spoken_of(about: About, deals: Sequence[DealThen]) -> dict[str, list[Reason]]:
    """Per deal: what the letter itself says of it, by number and by name."""
    having: dict[_Unit, set[str]] = {}
    for d in deals:
        for part in d.parts:
            for unit in part:
                having.setdefault(unit, set()).add(d.deal.id)
    found = {unit: ids | _usual_for(about, unit, deals) for unit, ids in having.items() if about.said.index.has(unit)}
    spoken = {d.deal.id: [*_by_number(about, d), *_by_name(d, found)] for d in deals}
    for d in deals:
        own = about.learned.own_word(about.key, about.said, d.deal.id, spoken)
        if own and not _tells(spoken[d.deal.id]):
            spoken[d.deal.id].append(_reason("own word", own))
    return spoken


def _usual_for(about: About, unit: _Unit, deals: Sequence[DealThen]) -> set[str]:
    """The deals whose letters often have a word, whatever their names are."""
    return {d.deal.id for d in deals if about.learned.is_usual(about.key, unit[0][:STEM], d.deal.id)}


def _by_number(about: About, d: DealThen) -> list[Reason]:
    if common := sorted(about.said.numbers & d.numbers):
        return [_reason("number", common[0])]
    learned = sorted(n for n in about.said.papers if about.learned.papers.get(n) == d.deal.id)
    return [_reason("learned number", learned[0])] if learned else []


def _by_name(d: DealThen, found: Mapping[_Unit, set[str]]) -> list[Reason]:
    reasons, left = [], NAME_CAP
    for part in d.parts:
        named = False
        for unit in sorted((u for u in part if u in found), key=lambda u: len(found[u])):
            name = "shared name" if len(found[unit]) > 1 else "name, again" if named else "name"
            named = named or name == "name"
            weight = min(WEIGHTS[name], left)
            if weight > 0:
                reasons.append(Reason(name=name, weight=round(weight, 2), detail=" ".join(unit)))
                left -= weight
    return reasons


def _score(about: About, d: DealThen, deals: Sequence[DealThen], spoken: Mapping[str, list[Reason]]) -> Candidate:
    own = spoken[d.deal.id]
    elsewhere = any(_tells(said) for deal_id, said in spoken.items() if deal_id != d.deal.id)
    unnamed = not own and any(spoken.values())
    reasons = [
        *own,
        *_thread(about, d, other=unnamed or (elsewhere and not _tells(own))),
        *_learned(about, d, deals),
        *_people(about, d, deals),
        *_time(about, d, deals, sign=_is_sign(about, own), other=elsewhere),
    ]
    return Candidate(deal_id=d.deal.id, score=round(sum(r.weight for r in reasons), 2), reasons=tuple(reasons))


def _reason(name: str, detail: str = "") -> Reason:
    return Reason(name=name, weight=WEIGHTS[name], detail=detail)


def _thread(about: About, d: DealThen, *, other: bool) -> list[Reason]:
    """What the thread is about; `other`: the letter itself speaks of another deal."""
    reasons = []
    if d.deal.id in about.answered_deals:
        reasons.append(_reason("answer"))
    if d.deal.id in about.thread_deals:
        reasons.append(_reason("thread, other words" if other else "thread"))
    elif d.deal.id in about.later_deals and not other:
        reasons.append(_reason("thread, later"))
    return reasons


def _learned(about: About, d: DealThen, deals: Sequence[DealThen]) -> list[Reason]:
    reasons = []
    close, word = about.learned.closeness(about.key, about.said, d.deal.id, [o.deal.id for o in deals])
    weight = round(min(WEIGHTS["its words"], CLOSENESS * close), 2)
    if weight > 0:
        reasons.append(Reason(name="its words", weight=weight, detail=word))
    if d.deal.id in about.learned.arranged_for(about.moment, about.at):
        reasons.append(_reason("arranged"))
    if not about.thread_deals and about.learned.topics.get(about.answers_topic) == d.deal.id:
        reasons.append(_reason("its subject", about.answers_topic))
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


def _time(about: About, d: DealThen, deals: Sequence[DealThen], *, sign: bool, other: bool) -> list[Reason]:
    reasons = [_reason("first letter")] if about.we_begin and _is_fresh(d, about.at) else []
    if not d.is_open(about.at):
        reasons.append(_reason("closed"))
    elif _later(d, about.at):
        reasons.append(_reason("not yet"))
    elif not other and sum(1 for o in deals if o.is_open(about.at) and not _later(o, about.at)) == 1:
        reasons.append(_reason("only deal" if sign else "no sign"))
    return reasons


def _is_sign(about: About, spoken: list[Reason]) -> bool:
    """Does anything show that a client's letter is about the one sale there is, and not about the lift's remote?"""
    known = about.learned.topics.get(about.answers_topic)
    return bool(spoken or known or about.of_a_sale or about.thread_deals or about.later_deals or about.answered_deals)


def _is_fresh(d: DealThen, at: datetime) -> bool:
    made = d.deal.created_at
    return made is not None and made <= at <= made + FRESH and not d.seen


def _later(d: DealThen, at: datetime) -> bool:
    return d.deal.created_at is not None and d.deal.created_at > at
