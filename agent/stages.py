"""A deal's way through its funnel: which stage a milestone leads to, from where it stands.

Forward only, within the pipeline. A hold is entered from any open stage and left for the stage before it when the
client takes the talk up again; a lost deal that comes back starts at the stage of the first contact.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from agent.match import DealThen
from agent.model import MILESTONES, Direction, Judged, MilestoneRead, Pipeline, Stage, StageEvent, StageMove

OVERRULED = timedelta(days=30)  # so soon after our move a person's move elsewhere says that it was wrong
REACH = 3  # stages that a deal may pass by at once
_ORDER = {name: place for place, name in enumerate(MILESTONES)}


def funnel_order(pipelines: Iterable[Pipeline]) -> dict[tuple[str, str], tuple[int, int]]:
    """(pipeline, stage) -> (place of the pipeline, of the stage in it), as the config has them."""
    return {(p.name, s.name): (n, place) for n, p in enumerate(pipelines) for place, s in enumerate(p.stages)}


@dataclass
class Progress:
    """One deal while the fold walks through time."""

    then: DealThen
    pipeline: Pipeline
    stage: str
    since: datetime | None = None  # when it came to where it stands
    before_hold: str = ""
    proposed: set[str] = field(default_factory=set)  # stages that wait for a person
    touched: set[str] = field(default_factory=set)  # stages of which a person took a move back
    entries: dict[str, int] = field(default_factory=dict)  # how often each stage was entered, or refused

    @property
    def deal_id(self) -> str:
        return self.then.deal.id

    @property
    def current(self) -> Stage:
        return self.named(self.stage)

    def named(self, name: str) -> Stage:
        """The stage of this name; one that the pipeline does not list is an open one that nothing reaches."""
        return next((s for s in self.pipeline.stages if s.name == name), Stage(name=name))

    def rank(self, name: str) -> int:
        """The place of a stage in its funnel; -1 for one that is not listed."""
        return next((place for place, s in enumerate(self.pipeline.stages) if s.name == name), -1)

    def way_to(self, name: str) -> int:
        """How far the deal has to have come to stand here; a pause is as far as the stage before it."""
        return self.rank(self.before_hold if self.named(name).kind == "hold" else name)

    def is_past(self, name: str) -> bool:
        """Has the deal come further than this stage? A lost deal that goes on again is past its loss."""
        return self.named(name).kind == "lost" or self.way_to(name) < self.rank(self.stage)

    def enter(self, name: str, at: datetime) -> None:
        kind = self.named(name).kind
        if kind == "hold" and self.current.kind != "hold":
            self.before_hold = self.stage if self.since else ""  # "": it was paused before anything was known of it
        if kind in ("won", "lost"):
            self.then.closed_at = at
        elif self.then.closed_at is not None and self.then.closed_at <= at:  # it has come back
            self.then.closed_at = None
        self.entries[name] = self.entries.get(name, 0) + 1
        self.stage, self.since = name, at
        self.proposed.discard(name)
        if kind != "hold":  # a pause answers no question
            self.proposed = {s for s in self.proposed if self.rank(s) > self.rank(name)}

    def targets(self, milestone: str, direction: Direction) -> list[Stage]:
        """The stages that the deal enters, in order, now that this milestone is proven."""
        stages, here = self.pipeline.stages, self.current
        reached = [s for s in stages if milestone in s.reached_by]
        client_talks = direction == "inbound" and milestone not in ("postponed", "lost")
        if here.kind == "won":
            return []
        if here.kind == "lost":
            return self._begun() if client_talks else []
        if any(s.kind in ("lost", "hold") for s in reached):
            return [s for s in reached if s.kind == "lost" or (s.kind == "hold" and here.kind != "hold")][:1]
        if here.kind == "hold":
            if not client_talks:
                return []
            if not self.before_hold:
                return self._ahead(reached, "") or self._begun()
            back = self.named(self.before_hold)
            return [back, *self._ahead(reached, back.name)]
        return self._ahead(reached, self.stage)

    def has_passed(self, milestone: str) -> bool:
        """Does the deal stand where this milestone leads to, or further on? Yes where that cannot be known."""
        if self.current.kind == "hold" and not self.before_hold:
            return True
        ranks = [self.rank(s.name) for s in self.pipeline.stages if milestone in s.reached_by and s.kind == "open"]
        return not ranks or self.way_to(self.stage) >= min(ranks)

    def step(self, milestones: Iterable[str]) -> str:
        """How what a letter proves fits where the deal stands: it comes next, was long passed, or is far ahead."""
        here = self.way_to(self.stage)
        ways = [
            self.rank(s.name) - here
            for m in milestones
            for s in self.pipeline.stages
            if m in s.reached_by and s.kind in ("open", "won")
        ]
        if not ways or here < 0:
            return ""
        furthest = max(ways)
        if any(0 < way <= REACH for way in ways):
            return "stage fits"
        if furthest > 0:
            return "stage ahead"
        return "stage passed" if furthest < 0 or self.current.kind in ("won", "lost") else ""

    def taken_up(self) -> list[Stage]:
        """Where a paused or lost deal goes on when the client comes back to it, though he says nothing else of it."""
        if self.current.kind == "hold":
            return [self.named(self.before_hold)] if self.before_hold else self._begun()
        return self._begun() if self.current.kind == "lost" else []

    def _begun(self) -> list[Stage]:
        """Where a talk with the client begins, or begins anew."""
        return [s for s in self.pipeline.stages if "contact_established" in s.reached_by][:1]

    def is_before(self, name: str) -> bool:
        """Is this stage still ahead of the deal?"""
        return self.current.kind in ("open", "hold") and self.rank(name) > self.way_to(self.stage)

    def _ahead(self, reached: Iterable[Stage], base: str) -> list[Stage]:
        return [s for s in reached if self.rank(s.name) > self.rank(base)][:1]


def judge(
    deal: Progress, event: StageEvent, proposed: Iterable[StageMove], standing: StageMove | None
) -> Iterator[Judged]:
    """What a person's move in the CRM says of our moves: of those that waited, and of the one that stood.

    `deal` as it stood before. A deal that somebody takes up again long after we closed it was closed rightly.
    """
    to, place = deal.named(event.stage), deal.rank(event.stage)
    for move in proposed:
        target = deal.named(move.stage)
        further = target.kind == "open" and to.kind in ("open", "won") and place > deal.rank(move.stage)
        verdict: Literal["accepted", "overruled"] = "accepted" if further or to.name == target.name else "overruled"
        yield Judged(move=move, verdict=verdict, stage=event.stage, at=event.date)
    if standing is not None and event.date <= standing.date + OVERRULED:
        kind, stood = deal.current.kind, deal.rank(deal.stage)
        back = kind == "open" and to.kind in ("open", "won") and place < stood
        if to.name != deal.stage and (back or kind in ("won", "lost")):
            yield Judged(move=standing, verdict="overruled", stage=event.stage, at=event.date)


def in_order(milestones: Iterable[MilestoneRead]) -> list[MilestoneRead]:
    """Milestones of one letter in the order in which a sale goes, so that several stages are entered one by one."""
    return sorted(milestones, key=lambda m: (_ORDER.get(m.name, len(_ORDER)), m.evidence.start))


def move_key(deal_id: str, stage: str, entry: int) -> str:
    """The stable name of a deal's n-th entry into a stage."""
    return f"stage:{deal_id}:{stage}:{entry}"
