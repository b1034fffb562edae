"""Which deal an activity is about: every candidate gets a score from named evidence; the best wins only with a margin.

The weights stand in data/weights.toml. A letter is judged by its own new text first; what the thread was about comes
second, so that a reply that speaks of another deal belongs to that deal.
"""

import tomllib
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from importlib.resources import files

from agent.learned import Learned, Said, Unit
from agent.model import Candidate, Deal, Reason
from agent.words import STEM, Moment, name_parts, number_names, paper_numbers, stems

_FITTED = tomllib.loads(files("agent").joinpath("data/weights.toml").read_text(encoding="utf-8"))
WEIGHTS: dict[str, float] = _FITTED["weights"]
THRESHOLD: float = _FITTED["threshold"]
MARGIN: float = _FITTED["margin"]
PEOPLE_MARGIN: float = _FITTED["people_margin"]
LEAD_MARGIN: float = _FITTED["lead_margin"]
NAMED = 0.75  # so sure that words are one deal's own: they name it
WEAK = 0.3  # below that they tell nothing
SURE = 0.6  # so sure that words are one deal's own: they speak of it
NAME_CAP = 3.6
JUST = timedelta(days=45)  # so long a client still writes of a deal that is done
FRESH = timedelta(days=21)  # so long after a deal was made our first letter about it is awaited
BEFORE = timedelta(days=45)  # a deal is often typed in after the talk has begun
AFTER = timedelta(days=120)  # after that a closed deal is no candidate
LONG_AFTER = timedelta(days=500)  # ... nor one of which the letter speaks


@dataclass
class DealThen:
    """A deal as it is known at one moment of the fold."""

    deal: Deal
    without: str  # words of its name that tell nothing: the company's, the people's
    closed_at: datetime | None = None
    seen: set[str] = field(default_factory=set)  # outside addresses that wrote about it
    numbers: set[str] = field(init=False)
    parts: tuple[tuple[Unit, ...], ...] = field(init=False)
    stems: frozenset[str] = field(init=False)  # of its name

    def __post_init__(self) -> None:
        own = (*self.deal.external_numbers, *paper_numbers((self.deal.name,)))
        self.numbers = {name for n in own for name in number_names(n)}
        self.parts = name_parts(self.deal.name, self.without)
        self.stems = stems(word for part in self.parts for unit in part for word in unit)

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
    talk: str = ""  # see `learned.talk`
    answers_topic: str = ""  # the subject that it answers or hands on; "" when it does not
    moment: Moment | None = None  # when a meeting begins, by the clock of whoever entered it
    thread: Mapping[str, float] = field(default_factory=dict)  # deal -> its share of the thread's other letters
    begins: bool = False  # nothing of the thread was known before: the share is that of its later letters
    steps: Mapping[str, str] = field(default_factory=dict)  # deal -> how what the letter proves fits its stage
    answered_deals: tuple[str, ...] = ()  # what a person said of the thread
    we_begin: bool = False  # our own letter that answers none
    ours: bool = False  # our own letter or meeting
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
    told = frozenset(deal_id for deal_id, said in spoken.items() if _tells(said))
    then = [d for d in then if d.is_candidate(about.at) or d.deal.id in told or _only_his(about, d, then)]
    case = _Case.of(about, then, spoken, told)
    scored = [_score(case, d) for d in then]
    return _choose(case, sorted(scored, key=lambda c: (-c.score, c.deal_id)))


@dataclass(frozen=True)
class _Case:
    """One letter before all its candidates: what each of them is weighed against."""

    about: About
    spoken: Mapping[str, list[Reason]]  # deal -> what the letter itself says of it
    told: frozenset[str]  # the deals of which it speaks in words that are theirs alone
    sharing: frozenset[str]  # the deals of which it speaks in words that several have
    foreign: frozenset[str]  # those that are known for other products than it names
    has_other: bool  # is a deal open that is none of those?
    deals: Mapping[str, Deal]
    people: frozenset[str]  # contacts of the candidates
    open_count: int  # candidates that were open then
    steps: Mapping[str, str]  # how what it proves fits their stages; when it fits none, that tells nothing

    @classmethod
    def of(
        cls, about: About, then: Sequence[DealThen], spoken: Mapping[str, list[Reason]], told: frozenset[str]
    ) -> "_Case":
        foreign = frozenset(d.deal.id for d in then if d.deal.id not in told and _is_foreign(about, d))
        fits = any(about.steps.get(d.deal.id) == "stage fits" for d in then)
        return cls(
            about=about,
            spoken=spoken,
            told=told,
            sharing=frozenset(i for i, said in spoken.items() if any(r.name == "shared name" for r in said)),
            foreign=foreign,
            has_other=any(d.is_open(about.at) and d.deal.id not in foreign for d in then),
            deals={d.deal.id: d.deal for d in then},
            people=frozenset(i for d in then for i in d.deal.contact_ids),
            open_count=sum(1 for d in then if d.is_open(about.at) and not _later(d, about.at)),
            steps=about.steps if fits else {},
        )

    def people_margin(self, best: Candidate, rival: Candidate) -> float:
        """By how much who writes to whom must speak for a deal.

        Where two deals of a company have people in common, that the CRM names somebody on one of them only tells
        little: it is a lead at most, that other letters may confirm.
        """
        if _is(rival, _CLOSED):
            return MARGIN
        one, other = self.deals[best.deal_id], self.deals[rival.deal_id]
        same = one.company_id == other.company_id and not set(one.contact_ids).isdisjoint(other.contact_ids)
        return PEOPLE_MARGIN if same and self.about.learned.talks else LEAD_MARGIN

    def told_elsewhere(self, d: DealThen) -> bool:
        return bool(self.told - {d.deal.id})


def _only_his(about: About, d: DealThen, deals: Sequence[DealThen]) -> bool:
    """Is whoever writes on this deal, and on no other? Then it is this one that he comes back to."""
    others = {i for o in deals if o is not d and o.is_candidate(about.at) for i in o.deal.contact_ids}
    return bool(about.contact_ids & set(d.deal.contact_ids)) and not about.contact_ids & others


def _choose(case: _Case, scored: list[Candidate]) -> Match:
    candidates = tuple(scored)
    able = [c for c in scored if c.score >= THRESHOLD]
    if not able:
        return Match((), (), candidates)
    best = able[0]
    only_people = not case.about.ours and _only_people(candidates)
    rivals = [
        c
        for c in scored[1:]
        if best.score - c.score < (case.people_margin(best, c) if only_people else MARGIN) or _both_named(best, c)
    ]
    if not rivals:
        return Match((best.deal_id,), (), candidates)
    close = [best, *rivals]
    if all(_is(c, _ANSWER) or _named(c) for c in close):
        return Match(tuple(sorted(c.deal_id for c in close)), (), candidates)  # it speaks of each by name
    return Match((), tuple(sorted(c.deal_id for c in close)), candidates)


def meant_by(quote: str, about: About, deals: Sequence[DealThen]) -> frozenset[str]:
    """Of the deals of one letter those that its quoted words name; where they name none, all are meant."""
    spoken = _spoken_of(replace(about, said=Said(quote)), deals)
    return frozenset(i for i, said in spoken.items() if _tells(said)) or frozenset(spoken)


def _both_named(best: Candidate, other: Candidate) -> bool:
    """A deal that is named beside another one is meant too, whatever the thread is about."""
    return other.score >= THRESHOLD and _named(best) and _named(other)


def _only_people(candidates: Iterable[Candidate]) -> bool:
    """Does nothing but who writes to whom tell them apart? A client writes to whichever of our people he knows."""
    return not any(r.name not in _PEOPLE for c in candidates for r in c.reasons)


_PEOPLE = frozenset(
    ["contact", "other contact", "seen", "owner", "only deal", "no sign", "just closed", "closed", "not yet"]
)
_CLOSED = frozenset(["just closed", "closed"])
_ANSWER = frozenset(["answer"])
_NUMBER = frozenset(["number", "learned number"])  # a deal whose number is named is meant, whatever the thread is about
_TELLING = _NUMBER | {"name"}


def _is(candidate: Candidate, names: frozenset[str]) -> bool:
    return any(r.name in names for r in candidate.reasons)


def _named(candidate: Candidate) -> bool:
    """Is it named, so that the letter is about it beside another one? Learned words must be surer for that."""
    return any(
        r.name in _TELLING or (r.name == "own words" and r.weight >= NAMED * WEIGHTS[r.name]) for r in candidate.reasons
    )


def speaks_of(candidate: Candidate) -> bool:
    """Is this deal meant by words that are its alone, whatever else speaks for it?"""
    return _tells(candidate.reasons)


def _tells(spoken: Iterable[Reason]) -> bool:
    """Does a letter speak of a deal in words that are this deal's alone?"""
    return any(r.name in _TELLING or (r.name == "own words" and r.weight >= SURE * WEIGHTS[r.name]) for r in spoken)


def _spoken_of(about: About, deals: Sequence[DealThen]) -> dict[str, list[Reason]]:
    """Per deal: what the letter itself says of it, by number and by name."""
    known = {d.deal.id for d in deals}
    having: dict[Unit, set[str]] = {}
    for d in deals:
        for part in d.parts:
            for unit in part:
                having.setdefault(unit, set()).add(d.deal.id)
    found = {unit: ids | _usual_for(about, unit) & known for unit, ids in having.items() if about.said.index.has(unit)}
    _share_halves(about, found, deals)
    learned = _learned_numbers(about, {n for d in deals for n in d.numbers})
    spoken = {d.deal.id: [*_by_number(about, d, learned), *_by_name(d, found)] for d in deals}
    for deal_id, own in about.learned.own_words(about.said, known, about.talk, ours=about.ours).items():
        if own.strength >= WEAK:
            spoken[deal_id].append(_part("own words", own.strength, own.word))
    return spoken


def _share_halves(about: About, found: dict[Unit, set[str]], deals: Sequence[DealThen]) -> None:
    """Of a deal whose name tells one thing only, the place say, what a letter says beside it may be the other half.

    "The softener for the gallery" is of the deal "Gallery", though another deal is called "Softener, main building".
    """
    halves = {u: d.deal.id for d in deals if len(d.parts) == 1 for u in d.parts[0] if found.get(u) == {d.deal.id}}
    for d in deals if halves else ():
        named = [[u for u in part if found.get(u) == {d.deal.id}] for part in d.parts]
        if 0 < sum(map(bool, named)) < len(named):
            for unit in (u for part in named for u in part):
                found[unit] |= {i for half, i in halves.items() if about.said.are_one(half, unit)}


def _usual_for(about: About, unit: Unit) -> set[str]:
    """The deals whose letters often have a word, whatever their names are."""
    return {i for i in about.learned.with_word(unit[0][:STEM]) if about.learned.is_usual(unit[0][:STEM], i, about.talk)}


def _learned_numbers(about: About, taken: Set[str]) -> dict[str, str]:
    """Deal -> a number that stands in the letter, and in others about this deal only.

    `taken`: numbers that the CRM gives some deal; what letters that a person moved elsewhere teach is no match.
    """
    found: dict[str, str] = {}
    for number in sorted(n for n in about.said.papers if number_names(n).isdisjoint(taken)):
        found.setdefault(about.learned.deal_of_paper(number, about.talk), number)
    return found


def _by_number(about: About, d: DealThen, learned: Mapping[str, str]) -> list[Reason]:
    if common := about.said.numbers & d.numbers:
        return [_reason("number", min(common))]
    return [_reason("learned number", learned[d.deal.id])] if d.deal.id in learned else []


def _by_name(d: DealThen, found: Mapping[Unit, set[str]]) -> list[Reason]:
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


def _score(case: _Case, d: DealThen) -> Candidate:
    foreign = [_reason("other product")] if case.has_other and d.deal.id in case.foreign else []
    reasons = [
        *case.spoken[d.deal.id],
        *foreign,
        *_thread(case.about, d, _after_thread(case, d)),
        *_learned(case, d),
        *_people(case, d),
        *_time(case, d),
    ]
    return Candidate(deal_id=d.deal.id, score=round(sum(r.weight for r in reasons), 2), reasons=tuple(reasons))


def _after_thread(case: _Case, d: DealThen) -> str:
    """What the letter's own words leave of its thread's: nothing is changed, or it speaks of others, or of several."""
    if d.deal.id in case.told:
        return ""
    shared = bool(case.sharing - {d.deal.id})
    if case.told_elsewhere(d) or (shared and d.deal.id not in case.sharing) or d.deal.id in case.foreign:
        return ", other words"
    return ", shared words" if shared else ""


def _is_foreign(about: About, d: DealThen) -> bool:
    """Does the letter speak of what we sell, but of nothing that this deal is known for?"""
    sold = about.said.stems & about.learned.products
    if not sold:
        return False
    known = about.learned.products_of(d.deal.id) | (d.stems & about.learned.products)
    return bool(known) and not known & sold


def _reason(name: str, detail: str = "") -> Reason:
    return Reason(name=name, weight=WEIGHTS[name], detail=detail)


def _part(name: str, share: float, detail: str = "") -> Reason:
    """A piece of evidence that is there in part."""
    return Reason(name=name, weight=round(WEIGHTS[name] * share, 2), detail=detail)


def _thread(about: About, d: DealThen, after: str) -> list[Reason]:
    """What the thread is about, and what is left of it after the letter's own words."""
    reasons = []
    if d.deal.id in about.answered_deals:
        reasons.append(_reason("answer"))
    share = about.thread.get(d.deal.id, 0.0)
    if share and not about.begins:
        reasons.append(_part(f"thread{after}", share))
    elif share and not after:
        reasons.append(_part("thread, later", share))
    return reasons


def _learned(case: _Case, d: DealThen) -> list[Reason]:
    reasons, about = [], case.about
    if step := case.steps.get(d.deal.id):
        reasons.append(_reason(step))
    if about.moment and d.deal.id in about.learned.arranged_for(about.moment, about.at):
        reasons.append(_reason("arranged"))
    if not about.thread and about.learned.topics.get(about.answers_topic) == d.deal.id:
        reasons.append(_reason("its subject", about.answers_topic))
    return reasons


def _people(case: _Case, d: DealThen) -> list[Reason]:
    reasons, about, on_it = [], case.about, frozenset(d.deal.contact_ids)
    if on_deal := about.contact_ids & on_it:
        reasons.append(_reason("contact", min(on_deal)))
    if others := about.contact_ids & (case.people - on_it):
        reasons.append(_reason("other contact", min(others)))
    if seen := about.outside & d.seen:
        reasons.append(_reason("seen", min(seen)))
    if d.deal.owner in about.owners:
        reasons.append(_reason("owner", d.deal.owner))
    return reasons


def _time(case: _Case, d: DealThen) -> list[Reason]:
    at = case.about.at
    reasons = [_reason("first letter")] if case.about.we_begin and _is_fresh(d, at) else []
    if not d.is_open(at):
        reasons.append(_reason("just closed" if d.is_open(at - JUST) else "closed"))
    elif _later(d, at):
        reasons.append(_reason("not yet"))
    elif case.open_count == 1 and not case.told_elsewhere(d):
        reasons.append(_reason("only deal" if _is_sign(case, d) else "no sign"))
    return reasons


def _is_sign(case: _Case, d: DealThen) -> bool:
    """Does anything show that a client's letter is about the one sale there is, and not about the lift's remote?"""
    about = case.about
    told = d.deal.id in case.told or any(r.name != "own words" for r in case.spoken[d.deal.id])
    known = about.learned.topics.get(about.answers_topic)
    return bool(told or known or about.of_a_sale or about.thread or about.answered_deals)


def _is_fresh(d: DealThen, at: datetime) -> bool:
    made = d.deal.created_at
    return made is not None and made <= at <= made + FRESH and not d.seen


def _later(d: DealThen, at: datetime) -> bool:
    return d.deal.created_at is not None and d.deal.created_at > at
