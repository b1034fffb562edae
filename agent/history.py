"""The fold: all that we say of one client, from what is known of him, in the order of its own time.

    timeline = his letters and meetings + what people did in the CRM, sorted by time
    for each:  is it his business?  ->  which deal?  ->  what does it prove?  ->  stage moves and objections

Pure: the same knowledge gives the same history, whatever arrived first; `now` is given.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from agent.answers import Move, Verdicts, settled
from agent.business import business
from agent.clients import domain_of
from agent.conversations import Conversations, is_ours
from agent.handoffs import handoffs
from agent.known import Answer, Client, Seen, Stood
from agent.match import About, DealThen, Match, match, meant_by, speaks_of
from agent.model import (
    Deal,
    History,
    Judged,
    Link,
    Meeting,
    Message,
    MilestoneRead,
    ObjectionLife,
    Pipeline,
    Span,
    Stage,
    StageEvent,
    StageMove,
)
from agent.new_deals import new_deals
from agent.newcomers import newcomers
from agent.objections import ObjectionBook, stated
from agent.proof import proven_milestones, taken_up_again, took_place, weighed, who_acts, why_only_proposed
from agent.stages import Progress, judge, move_key
from agent.words import STEM, Moment, answered_topic, words
from classifiers import PROPOSE

QUIET = timedelta(days=7)  # so long after the end or the pause of a deal a new talk about it is a return
NO_WORDS = Span(quote="", start=0, end=0)


def fold(client: Client, seen: Iterable[Seen], answers: Sequence[Answer], now: datetime) -> History:
    """The client's history as of `now`."""
    timeline = sorted(_timeline(client, seen), key=lambda e: e[:3])
    verdicts = Verdicts.of(answers)
    first = folding = _Folding(client, verdicts, now).go_through(timeline)
    doubted: frozenset[Move] = frozenset()
    while client.deals and (folding is first or not folding.contradicted <= doubted):
        doubted |= folding.contradicted
        folding = _Folding(client, verdicts, now, first, doubted).go_through(timeline)
    letters = [event for _, _, _, event in timeline if isinstance(event, Seen)]
    said = replace(folding.result(), answered=max((a.number for a in answers), default=0))
    said = _with_new_records(said, client, letters, answers, verdicts)
    return handoffs(client, letters, said, now)


def _with_new_records(
    said: History, client: Client, letters: Sequence[Seen], answers: Sequence[Answer], verdicts: Verdicts
) -> History:
    """Who is new in these letters, and which deal they ask for that nobody has opened."""
    found = newcomers(client, letters, {link.activity: link for link in said.links})
    people = [new for new in found if new.key not in verdicts.taken_back]
    return replace(said, records=(*people, *new_deals(client, letters, said, people, answers)))


_Event = tuple[datetime, int, str, Seen | StageEvent]


def _timeline(client: Client, seen: Iterable[Seen]) -> Iterable[_Event]:
    for one in seen:
        yield one.at, 1, one.key, one
    for deal in client.deals:
        for event in deal.events:
            yield event.date, 0, deal.id, event


class _Folding:
    """The state of one fold; its methods are the steps of the story above."""

    def __init__(
        self,
        client: Client,
        verdicts: Verdicts,
        now: datetime,
        before: "_Folding | None" = None,
        doubted: frozenset[Move] = frozenset(),
    ) -> None:
        """`doubted`: moves that a later answer contradicts: they are asked about, not written."""
        self.client = client
        self.now = now
        self.verdicts = verdicts
        self.doubted = doubted
        self.contradicted: set[Move] = set()
        names = {c.id: " ".join(words(c.name)) for c in client.companies}
        self.people = " ".join(w for c in client.contacts for w in words(c.name))
        own = [domain_of(email).replace(".", " ") for email in client.own]
        named = [one.name for some in (client.contacts, client.companies, client.deals) for one in some]
        self.talks: Conversations = Conversations([*named, *own], client.products, before.talks if before else None)
        self.deals = {d.id: self._progress(d, names.get(d.company_id or "", "")) for d in client.deals}
        self.links: list[Link] = []
        self.moves: list[StageMove] = []
        self.own: dict[str, StageMove] = {}  # deal -> our move that put it where it stands; nobody has accepted it
        self.judged: list[Judged] = []
        self.objections = ObjectionBook(verdicts.taken_back, verdicts.accepted)
        self.wordless: set[str] = set()  # deals of which some letters lost their words
        self.lives: dict[str, tuple[datetime, ObjectionLife]] = {}  # objections of such letters, as last said
        self.due: list[datetime] = []
        self.thread_answers: dict[int, tuple[str, ...]] = {}

    def _progress(self, deal: Deal, company_name: str) -> Progress:
        pipeline = self.client.pipelines.get(deal.pipeline, Pipeline(name=deal.pipeline, stages=()))
        first = pipeline.stages[0].name if pipeline.stages else deal.stage
        without = f"{company_name} {self.people}".strip()
        return Progress(DealThen(deal, without, closed_at=deal.closed_at), pipeline, first)

    def go_through(self, timeline: Sequence[_Event]) -> "_Folding":
        """From the first event to the last; what a person answered counts from the beginning."""
        self.hear_answers(event for _, _, _, event in reversed(timeline) if isinstance(event, Seen))
        self._learn_what_stood(event.stood for _, _, _, event in timeline if isinstance(event, Seen) and event.stood)
        for _at, _order, key, event in timeline:
            if isinstance(event, Seen):
                self.activity(event)
            elif event.date <= self.now:
                self.person_moved(key, event)
        return self

    def _learn_what_stood(self, every: Iterable[Stood]) -> None:
        for stood in every:
            self.wordless |= {i for i in stood.link.deal_ids if i in self.deals}
            for life in stood.objections:
                if life.key not in self.lives or self.lives[life.key][0] < stood.until:
                    self.lives[life.key] = (stood.until, life)

    def result(self) -> History:
        return History(
            client=self.client.key,
            links=tuple(self.links),
            moves=tuple(self.moves),
            objections=self.objections.all(),
            judged=tuple(self.judged),
            due=min(self.due, default=None),
        )

    def hear_answers(self, backwards: Iterable[Seen]) -> None:
        """One answer settles the whole thread: what was written before it too."""
        for one in backwards:
            if one.key in self.verdicts.linked:
                self.thread_answers[one.thread] = self._answered(one)

    def _answered(self, one: Seen) -> tuple[str, ...]:
        """The deals that a person named; one that is another client's, or gone, is not spoken of here."""
        return tuple(i for i in self.verdicts.linked[one.key] if i in self.deals)

    def person_moved(self, deal_id: str, event: StageEvent) -> None:
        """A person's move wins, forwards and backwards; what was proposed before is settled by it."""
        deal = self.deals[deal_id]
        if event.by == "human":
            waiting = [m for m in self.moves if m.deal_id == deal_id and m.state == "proposed"]
            self.judged += judge(deal, event, waiting, self.own.get(deal_id))
        self.own.pop(deal_id, None)
        deal.enter(event.stage, event.date)
        deal.proposed.clear()
        self._settle(deal)
        self._pass_objections(deal, event.date)

    def _settle(self, deal: Progress) -> None:
        """Nobody needs to be asked any more about a stage that the deal has passed."""
        self.moves = [
            m for m in self.moves if m.deal_id != deal.deal_id or m.state != "proposed" or m.stage in deal.proposed
        ]

    def activity(self, seen: Seen) -> None:
        """One letter or meeting."""
        if isinstance(seen.record, Meeting) and seen.record.end > self.now:
            self.due.append(seen.record.end)
        self._find_contradictions(seen.key)
        if seen.key in self.verdicts.vouched:
            seen = replace(seen, verified="unknown")
        if seen.stood is not None:
            outcome, reason = seen.stood.link.outcome, seen.stood.link.reason
        else:
            outcome, reason = business(self.client, seen, self.now)
        if outcome == "logged":
            found = self._which_deal(seen)
            self._remember(seen, found.deal_ids)
            if seen.key in self.verdicts.taken_back:  # nothing follows from it; what its thread is about stays known
                self.links.append(self._link(seen, Match((), (), found.candidates), "undone"))
                return
            self.links.append(self._link(seen, found, "answer" if seen.thread in self.thread_answers else ""))
            self._prove(seen, found)
        else:
            self.links.append(Link(activity=seen.key, outcome=outcome, reason=reason, verified=seen.verified))
            if reason == "notice":  # a machine's word on a deal is evidence, though not an activity
                self._prove(seen, self._which_deal(seen))

    # -- which deal? -------------------------------------------------------------------------------------------

    def _which_deal(self, seen: Seen) -> Match:
        found = self._as_it_stood(seen) or match(self._about(seen), [deal.then for deal in self.deals.values()])
        if seen.key in self.verdicts.linked:
            self.thread_answers[seen.thread] = self._answered(seen)
            return Match(self.thread_answers[seen.thread], (), found.candidates)
        return settled(found, self.thread_answers.get(seen.thread))

    def _as_it_stood(self, seen: Seen) -> Match | None:
        """Where words are gone, what was said stands: of the letter itself, and of those of the same deals.

        These were told from each other by words that nobody can compare any more.
        """
        link = seen.stood.link if seen.stood is not None else seen.link
        if link is None:
            return None
        deal_ids = tuple(i for i in link.deal_ids if i in self.deals)
        between = tuple(i for i in link.ambiguous if i in self.deals)
        if seen.stood is None and self.wordless.isdisjoint((*deal_ids, *between)):
            return None
        return Match(deal_ids, between, tuple(c for c in link.candidates if c.deal_id in self.deals))

    def _find_contradictions(self, evidence: str) -> None:
        """A person refused this stage here; an earlier letter that came since must not put the deal there unasked."""
        for deal_id, stage in self.verdicts.refused_on(evidence):
            own = self.own.get(deal_id)
            if own is not None and own.stage == stage == self.deals[deal_id].stage:
                self.contradicted.add((deal_id, stage, own.evidence))

    def _about(self, seen: Seen) -> About:
        record, talks = seen.record, self.talks
        we_begin = talks.opened_by_us(seen)
        return About(
            at=record.date if isinstance(record, Message) else record.start,
            said=talks.said_in(seen),
            outside=seen.outside,
            contact_ids=seen.contact_ids,
            owners=seen.owners,
            talk=talks.talk_of(seen),
            answers_topic=answered_topic(record.subject) if isinstance(record, Message) else "",
            moment=_moment(record) if isinstance(record, Meeting) else None,
            thread=talks.shares(seen),
            begins=talks.begins(seen),
            steps=self._steps(seen),
            answered_deals=self.thread_answers.get(seen.thread, ()),
            ours=is_ours(seen),
            we_begin=we_begin,
            of_a_sale=we_begin or _of_a_sale(seen),
            learned=talks.learned,
        )

    def _steps(self, seen: Seen) -> Mapping[str, str]:
        """Per deal whether what the letter proves comes next for it; a meeting's end proves the same for all."""
        if isinstance(seen.record, Meeting):
            return {}
        names = [m.name for m in proven_milestones(seen)]
        found = {i: deal.step(names) for i, deal in self.deals.items()} if names else {}
        return {i: step for i, step in found.items() if step}

    def _link(self, seen: Seen, found: Match, by_person: Literal["", "answer", "undone"] = "") -> Link:
        if seen.stood is not None:  # also its people stay as they were: a record without words is not written again
            deals = {"deal_ids": found.deal_ids, "ambiguous": found.ambiguous}
            return replace(seen.stood.link, **deals, settled=by_person)
        of_deals = {c for i in found.deal_ids if (c := self.deals[i].then.deal.company_id)}
        only = {c.id for c in self.client.companies} if len(self.client.companies) == 1 else set()
        return Link(
            activity=seen.key,
            outcome="logged",
            company_id=min(of_deals or seen.company_ids or only, default=None),
            contact_ids=tuple(sorted(seen.contact_ids)),
            deal_ids=found.deal_ids,
            ambiguous=found.ambiguous,
            candidates=found.candidates,
            verified=seen.verified,
            settled=by_person,
        )

    def _remember(self, seen: Seen, deal_ids: tuple[str, ...]) -> None:
        self.talks.remember(seen, deal_ids)
        for deal_id in deal_ids:
            self.deals[deal_id].then.seen.update(seen.outside)

    # -- what does it prove? -----------------------------------------------------------------------------------

    def _prove(self, seen: Seen, found: Match) -> None:
        if seen.verified == "failed" or not took_place(seen, self.now):
            return
        if seen.stood is not None:
            self._prove_as_it_stood(seen, seen.stood, found.deal_ids)
            return
        named = {c.deal_id for c in found.candidates if speaks_of(c)}
        for deal_id in found.deal_ids:
            deal = self.deals[deal_id]
            objected = self.objections.has_any(deal_id)
            objecting = self._objecting_to(deal_id, seen, found.deal_ids)
            self.objections.hear(objecting, deal_id, deal.stage, alone=len(found.deal_ids) == 1)
            milestones = proven_milestones(seen)
            if not milestones and deal_id in named and self._comes_back(seen, deal):
                for target in deal.taken_up():
                    self._move(deal, target, seen, taken_up_again(seen))
            for milestone in weighed(milestones, deal, objected=objected):
                for target in deal.targets(milestone.name, who_acts(seen)):
                    self._move(deal, target, seen, milestone)
            self._move_as_accepted(deal, seen)

    def _objecting_to(self, deal_id: str, seen: Seen, deal_ids: Sequence[str]) -> Seen:
        """The letter without the objections whose own words name another one of its deals."""
        if len(deal_ids) == 1 or not seen.reading.objections:
            return seen
        about, then = self._about(seen), [self.deals[i].then for i in deal_ids]
        his = (o for o in seen.reading.objections if deal_id in meant_by(stated(o), about, then))
        return replace(seen, reading=replace(seen.reading, objections=tuple(his)))

    def _move_as_accepted(self, deal: Progress, seen: Seen) -> None:
        """A person accepted it, though the reader sees it no more."""
        for accepted in self.verdicts.accepted_on(deal.deal_id, seen.key):
            if deal.is_before(accepted.stage):
                by_person = MilestoneRead(name=accepted.milestone, confidence=1.0, evidence=NO_WORDS, by="person")
                self._move(deal, deal.named(accepted.stage), seen, by_person)

    def _prove_as_it_stood(self, seen: Seen, stood: Stood, deal_ids: Collection[str]) -> None:
        for until, life in [one for one in self.lives.values() if one[1].activity == seen.key]:
            if life.deal_id in deal_ids:
                self.objections.stand(life, seen, until)
        for move in stood.moves:
            deal = self.deals.get(move.deal_id)
            if deal is not None and move.deal_id in deal_ids and deal.stage != move.stage:
                proven = MilestoneRead(name=move.milestone, confidence=1.0, evidence=NO_WORDS, by=move.by)
                self._move(deal, deal.named(move.stage), seen, proven, why=move.why)
        for deal_id in deal_ids:
            self._move_as_accepted(self.deals[deal_id], seen)

    def _comes_back(self, seen: Seen, deal: Progress) -> bool:
        """Does the client begin a new talk about a deal that had been paused or lost before?"""
        begun = self.talks.began(seen)
        asks = seen.direction == "inbound" and isinstance(seen.record, Message)
        asks = asks and not (seen.reading.automated or seen.reading.objections)
        return asks and begun is not None and deal.since is not None and begun > deal.since + QUIET

    def _move(
        self, deal: Progress, target: Stage, seen: Seen, milestone: MilestoneRead, why: str | None = None
    ) -> None:
        """`why`: why it is only proposed, where that is known already."""
        move = (deal.deal_id, target.name, seen.key)
        if self.verdicts.refuses(*move):
            deal.entries[target.name] = deal.entries.get(target.name, 0) + 1  # the next evidence is asked about anew
            deal.touched.add(target.name)
            return
        if move in self.doubted:
            deal.touched.add(target.name)
        accepted = self.verdicts.accepts(*move)
        if accepted:
            why = ""
        elif why is None:
            why = why_only_proposed(deal, target, seen, milestone)
        if why and target.name in deal.proposed:
            return
        self.moves.append(
            StageMove(
                key=move_key(deal.deal_id, target.name, deal.entries.get(target.name, 0) + 1),
                deal_id=deal.deal_id,
                stage=target.name,
                date=seen.at,
                state="proposed" if why else "written",
                evidence=seen.key,
                quote=milestone.evidence.quote,
                milestone=milestone.name,
                before=deal.stage,
                why=why,
                by=milestone.by,
            )
        )
        if why:
            deal.proposed.add(target.name)
        else:
            self.own.pop(deal.deal_id, None)
            if not accepted:
                self.own[deal.deal_id] = self.moves[-1]
            deal.enter(target.name, seen.at)
            self._settle(deal)
            self._pass_objections(deal, seen.at, seen.key, milestone.evidence.quote)

    def _pass_objections(self, deal: Progress, at: datetime, activity: str = "", quote: str = "") -> None:
        """An objection does not outlive its stage: the deal went on in spite of it. A loss or a pause does not."""
        if deal.current.kind in ("hold", "lost"):
            return
        standing = [o.key for o in self.objections.unsettled(deal.deal_id)]
        passed = [key for key in standing if deal.is_past(self.objections.stage_of(key))]
        self.objections.passed(passed, at, deal.stage, activity, quote)


# -- which deal? --------------------------------------------------------------------------------------------------


# what clients are met for besides sales, by how the words begin: meals, feasts, upkeep, visits of an authority
_NO_SALE = frozenset(
    "lunch dinne break birth anniv chris easte party maint repai inspe "
    "обед ужин завтр юбиле празд поздр корпо обслу ремон инспе прове".split()
)


def _moment(meeting: Meeting) -> Moment | None:
    if meeting.all_day:
        return None
    try:
        start = meeting.start.astimezone(ZoneInfo(meeting.tz))
    except (KeyError, ValueError, OSError):  # no such zone
        start = meeting.start
    return start.day, start.hour, start.minute


def _of_a_sale(seen: Seen) -> bool:
    """Does it speak of some sale? The reader found a step of one, or an objection."""
    if isinstance(seen.record, Meeting):
        return not any(w[:STEM] in _NO_SALE for w in words(seen.record.title))
    said = [r.confidence for r in seen.reading.milestones] + [r.confidence for r in seen.reading.objections]
    return max(said, default=0.0) >= PROPOSE
