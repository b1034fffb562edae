"""Letters come in any order, people link, unlink, undo, restore and move deals: history and CRM say what they should.

The reference below knows nothing of the flow: it looks at everything at once, with the last word of each person.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agent.answers import Verdicts
from agent.changes import Sent, difference, standing_moves
from agent.clients import Directory
from agent.history import fold
from agent.known import Answer, Client, Seen
from agent.model import Change, Deal, History, StageEvent
from agent.takeback import withdrawals
from tests.core import builders as b

JO = "jo@marlowkilns.example"
DEALS = {"kiln": "Q-1805", "dryer": "Q-1830"}
RANK = {s.name: n for n, s in enumerate(b.STAGES)}
PROVES = {"contact_established": "contact", "proposal_sent": "proposal", "contract_sent": "contract"}
EVERYTHING = ("activities", "stages", "objections", "records")

# what may come: a letter names one deal and proves one stage; on odd days, people move deals on even ones
LETTERS = [
    ("a", "02-01", "kiln", "proposal_sent"),
    ("b", "02-03", "kiln", "contact_established"),
    ("c", "02-05", "kiln", "proposal_sent"),
    ("d", "02-07", "dryer", "contract_sent"),
    ("e", "02-09", "kiln", "contract_sent"),
    ("f", "02-11", "dryer", "proposal_sent"),
]
Move = tuple[str, str, str]  # deal, stage, letter


def people(deals: Iterable[Deal]) -> Directory:
    company, jo = b.company("marlow", "Marlow Kilns", "marlowkilns.example"), b.contact("jo", JO, of="marlow")
    return Directory.of([company], [jo], deals)


def letter(key: str, on: str, deal: str, proves: str, thread: int) -> Seen:
    text = f"This is about {DEALS[deal]}."
    record = b.letter(key, on, b.ANNA, JO, subject=f"Letter {key}", text=text)
    read = b.reading([b.milestone(proves, text)])
    return b.seen(record, people([]), "company:marlow", thread=thread, read=read)


SEEN = {row[0]: letter(*row, thread=n) for n, row in enumerate(LETTERS)}


@dataclass
class World:
    """What has come, what people said, and a CRM of two dictionaries."""

    arrived: list[str] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    events: dict[str, list[StageEvent]] = field(default_factory=lambda: defaultdict(list))
    sent: list[Sent] = field(default_factory=list)
    links: dict[str, list[str]] = field(default_factory=dict)
    known: int = 0  # answers that the last fold knew

    def client(self) -> Client:
        numbers = DEALS.items()
        names = {"kiln": "Tunnel kiln", "dryer": "Chamber dryer"}
        deals = [b.deal(i, names[i], "jo", of="marlow", number=number) for i, number in numbers]
        moved = [msgspec.structs.replace(d, events=tuple(self.events[d.id])) for d in deals]
        return b.client_of("company:marlow", people(moved))

    def fold(self, answers: Sequence[Answer], *, backwards: bool = False) -> History:
        seen = [SEEN[key] for key in (reversed(self.arrived) if backwards else self.arrived)]
        return fold(self.client(), seen, answers, b.day("12-31"))

    def settle(self) -> History:
        """Fold, and write what differs."""
        said, unanswered = self.fold(self.answers), self.fold(self.answers[: self.known])
        self.known = len(self.answers)
        links = {one.activity: one for one in said.links}
        back = withdrawals(said, unanswered, Verdicts.of(self.answers), self.sent, self.client(), EVERYTHING)
        for change in [*back, *difference(said, links, [SEEN[k] for k in self.arrived], self.sent, EVERYTHING)]:
            self.write(change)
        return said

    def write(self, change: Change) -> None:
        assert change.key not in {one.key for one in self.sent}, "nothing is written twice"
        assert {one.key for one in self.sent}.issuperset(change.needs)
        self.sent.append(Sent(key=change.key, kind=change.kind, subject=change.subject, body=change.body))
        if change.kind in ("log_activity", "unlink"):
            self.links[change.subject] = list(change.body["deal_ids"])  # type: ignore[call-overload]

    def stage(self, deal_id: str) -> str:
        """Where the deal stands in the CRM: by the latest of our moves that stand, and of people's."""
        ways = [(e.date, e.stage) for e in self.events[deal_id]]
        standing = (one.body for one in standing_moves(self.sent).values())
        dates = self.dates()
        ways += [(dates[m["evidence"]], m["stage"]) for m in standing if m["deal_id"] == deal_id]
        return max(ways)[1] if ways else "lead"

    def dates(self) -> dict[str, datetime]:
        return {key: one.at for key, one in SEEN.items()}


def reference(world: World) -> tuple[dict[str, list[str]], set[Move], dict[str, str]]:
    """Links, written moves and stages as they should be, from everything at once."""
    linked = {row[0]: [row[2]] for row in LETTERS if row[0] in world.arrived}
    undone: set[str] = set()
    verdicts: dict[Move, str] = {}
    for one in world.answers:
        if one.stage:
            verdicts[one.deal_ids[0], one.stage, one.evidence] = one.kind
        elif one.kind == "undone":
            undone.add(one.subject)
        else:
            undone.discard(one.subject)
            if one.kind == "linked" and one.subject in linked:
                linked[one.subject] = sorted(one.deal_ids)
    links = {key: [] if key in undone else deals for key, deals in linked.items()}
    moves: set[Move] = set()
    stages = {}
    for deal in DEALS:
        doubted: set[Move] = set()
        while True:
            written, stages[deal], contradicted = walk(deal, links, world, verdicts, doubted)
            if contradicted <= doubted:
                break
            doubted |= contradicted
        moves |= written
    return links, moves, stages


def walk(
    deal: str, links: dict[str, list[str]], world: World, verdicts: dict[Move, str], doubted: set[Move]
) -> tuple[set[Move], str, set[Move]]:
    """One deal's way: forward by what its letters prove, wherever a person moves it, never where one refused."""
    stage, own = "lead", None
    written: set[Move] = set()
    contradicted: set[Move] = set()
    asked: set[str] = set()  # stages that are only proposed from here on
    steps = [(SEEN[key].at, key) for key in links] + [(e.date, e) for e in world.events[deal]]
    for _, step in sorted(steps, key=lambda s: s[0]):
        if isinstance(step, StageEvent):
            stage, own = step.stage, None
            continue
        refused = {m[1] for m, said in verdicts.items() if m[::2] == (deal, step) and said == "undone"}
        if own and own[1] == stage and stage in refused:
            contradicted.add(own)
        target = PROVES[next(row[3] for row in LETTERS if row[0] == step)]
        if deal not in links[step] or RANK[target] <= RANK[stage]:
            continue
        move = (deal, target, step)
        if target in refused or move in doubted:
            asked.add(target)
        if target in refused:
            continue
        if verdicts.get(move) == "restored" or target not in asked:
            own = None if verdicts.get(move) == "restored" else move
            stage = target
            written.add(move)
    return written, stage, contradicted


keys = st.sampled_from([row[0] for row in LETTERS])
STEPS = st.lists(
    st.tuples(st.just("arrives"), keys)
    | st.tuples(st.just("linked"), keys, st.sampled_from([(), ("kiln",), ("dryer",), ("dryer", "kiln")]))
    | st.tuples(st.sampled_from(["undone", "restored"]), keys)
    | st.tuples(st.just("takes a move back"), st.integers(0, 5))
    | st.tuples(st.just("lets a move stand"), st.integers(0, 5))
    | st.tuples(
        st.just("moves"),
        st.sampled_from(sorted(DEALS)),
        st.sampled_from(["contact", "proposal", "negotiation"]),
        st.sampled_from(["01-30", "02-02", "02-06", "02-10"]),
    ),
    max_size=14,
)


def happen(world: World, step: tuple[object, ...]) -> None:
    number = len(world.answers) + 1
    match step:
        case ("arrives", str(key)) if key not in world.arrived:
            world.arrived.append(key)
        case ("linked", str(key), tuple(deals)) if key in world.arrived:
            world.answers.append(Answer(kind="linked", subject=key, deal_ids=deals, number=number))
        case ("undone" | "restored" as kind, str(key)) if key in world.arrived:
            world.answers.append(Answer(kind=kind, subject=key, number=number))
        case ("takes a move back", int(which)):
            moves = [m for m in world.fold(world.answers).moves if m.state == "written"]
            if moves:
                one = moves[which % len(moves)]
                verdict = Answer(
                    kind="undone",
                    subject=one.key,
                    deal_ids=(one.deal_id,),
                    stage=one.stage,
                    evidence=one.evidence,
                    milestone=one.milestone,
                    number=number,
                )
                world.answers.append(verdict)
        case ("lets a move stand", int(which)):
            back = [a for a in world.answers if a.stage]
            if back:
                again = msgspec.structs.replace(back[which % len(back)], kind="restored", number=number)
                world.answers.append(again)
        case ("moves", str(deal), str(stage), str(on)):
            if b.day(on) not in {e.date for e in world.events[deal]}:
                world.events[deal].append(StageEvent(stage=stage, date=b.day(on), by="human"))
                world.events[deal].sort(key=lambda e: e.date)


@settings(max_examples=500, deadline=None)
@given(STEPS)
@example([("arrives", "c"), ("arrives", "a"), ("moves", "kiln", "negotiation", "02-02")])  # after an earlier proof
@example([("arrives", "c"), ("arrives", "a"), ("moves", "kiln", "contact", "02-02")])
@example([("arrives", "a"), ("arrives", "c"), ("moves", "kiln", "contact", "02-02"), ("linked", "a", ())])
def test_whatever_people_do_history_and_crm_say_what_they_should(steps: list[tuple[object, ...]]) -> None:
    world = World()
    for step in steps:
        happen(world, step)
        said = world.settle()
        links, moves, stages = reference(world)
        assert {one.activity: sorted(one.deal_ids) for one in said.links} == links
        assert {(m.deal_id, m.stage, m.evidence) for m in said.moves if m.state == "written"} == moves
        assert {key: sorted(deals) for key, deals in world.links.items()} == links
        assert {deal: world.stage(deal) for deal in DEALS} == stages
        bodies = [one.body for one in standing_moves(world.sent).values()]
        standing = [(m["deal_id"], m["stage"], m["evidence"]) for m in bodies]
        assert len(set(standing)) == len(standing), "a move stands once in the CRM"
        assert world.fold(world.answers, backwards=True) == said, "the order of arrival does not matter"


def test_what_is_told_late_of_the_time_before_two_offers_writes_neither_of_them_again() -> None:
    world = World()
    steps: list[tuple[object, ...]] = [
        ("arrives", "c"),
        ("moves", "kiln", "contact", "02-06"),
        ("arrives", "f"),
        ("linked", "f", ("kiln",)),
        ("moves", "kiln", "contact", "02-02"),
    ]
    for step in steps:
        happen(world, step)
        world.settle()
    written = list(world.sent)
    happen(world, ("moves", "kiln", "proposal", "01-30"))
    said = world.settle()
    assert [m.evidence for m in said.moves] == ["c", "f"]
    assert world.sent == written


@settings(max_examples=100, deadline=None)
@given(STEPS, st.permutations([row[0] for row in LETTERS]))
def test_the_letters_of_a_history_may_come_before_or_after_the_answers(
    steps: list[tuple[object, ...]], order: list[str]
) -> None:
    one = World()
    for step in steps:
        happen(one, step)
        one.settle()
    late = World(answers=one.answers, events=one.events)
    for key in [k for k in order if k in one.arrived]:
        late.arrived.append(key)
        late.settle()
    assert late.fold(late.answers) == one.fold(one.answers)
    assert late.links == one.links
