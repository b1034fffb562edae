"""The condition watch: whether a letter meets, takes back or answers an objection of an earlier one; pure.

Words alone settle nothing: the sentence must be one that grants, withdraws or tells something (the reader says which),
and must speak of this objection. What nobody can tell stays open.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from agent.known import Seen
from agent.model import Message, ObjectionLife, SettlingRead
from agent.prices import Sum, comes_down, total
from agent.proof import is_verified
from agent.terms import Terms, meets, shared_figures, speaks_of, terms
from classifiers import PROPOSE

Settled = Literal["answered", "met", "dropped"]
SHORT = 6  # words of a bare "agreed, consider it done"
OFFERS = frozenset(
    ("negotiation", "proposal_sent", "contract_sent")
)  # letters that speak of what is sold, for how much
OF_MONEY = ("price", "budget")  # types that a lower price may settle
YES = ("authority",)  # types that somebody's "yes" settles


@dataclass
class Standing:
    """One objection while the fold walks through time."""

    life: ObjectionLife
    grounds: Terms  # all that was said of it
    stage: str  # of the deal, when the client last spoke of it
    since: datetime = field(init=False)  # when he last did
    last: str = ""  # the activity in which he did
    threads: set[int] = field(default_factory=set)  # in which it was said
    spoken_since: set[int] = field(default_factory=set)  # of those, where the client has written again
    message_ids: set[str] = field(default_factory=set)
    asked: Sum | None = None  # what we asked for the whole when he last did
    until: datetime | None = None  # its words are gone: what was written until then has been weighed, and stands

    def is_weighed(self, seen: Seen) -> bool:
        return self.until is not None and seen.at <= self.until

    def __post_init__(self) -> None:
        self.since = self.life.opened

    def said_in(self, seen: Seen, asked: Sum | None = None) -> None:
        self.since, self.last, self.asked = seen.at, seen.key, asked
        self.threads.add(seen.thread)
        self.spoken_since.discard(seen.thread)
        if isinstance(seen.record, Message) and seen.record.message_id:
            self.message_ids.add(seen.record.message_id)

    def heard(self, seen: Seen) -> None:
        """A later letter of the client in that thread: what we write there now need not be the answer to this."""
        if seen.direction == "inbound" and seen.key != self.last:
            self.spoken_since.add(seen.thread)

    def is_answered_by(self, seen: Seen) -> bool:
        """Is our letter a reply to the one that raised it?"""
        if not isinstance(seen.record, Message):
            return False
        return seen.thread in self.threads - self.spoken_since or bool(
            self.message_ids.intersection(seen.record.in_reply_to)
        )


def settled(seen: Seen, standing: Sequence[Standing], *, alone: bool) -> Iterator[tuple[Standing, Settled, str]]:
    """Which of these objections the letter settles, how, and the words that show it."""
    if not isinstance(seen.record, Message) or not is_verified(seen):
        return
    done: set[str] = set()
    for watch in (_met, _dropped, _answered):
        for one, what, quote in watch(seen, [s for s in standing if s.life.key not in done], alone):
            done.add(one.life.key)
            yield one, what, quote


_Found = Iterator[tuple[Standing, Settled, str]]


def _of_kind(seen: Seen, kind: str) -> list[SettlingRead]:
    return [read for read in seen.reading.settling if read.kind == kind]


def _met(seen: Seen, standing: Sequence[Standing], alone: bool) -> _Found:
    """What the client made his condition is granted, by us or by whoever decides on his side."""
    for one in standing:
        wanted = terms(one.life.condition) if one.life.condition else None
        for read in _of_kind(seen, "granted"):
            if wanted is not None and (
                _grants(read, wanted, one)
                or (alone and (_bare_consent(seen, read, one, standing) or _comes_down(seen, read, one)))
            ):
                yield one, "met", read.evidence.quote
                break
            if one.life.type in YES and seen.direction == "inbound" and set(YES).intersection(read.about):
                yield one, "met" if wanted is not None else "dropped", read.evidence.quote
                break


def _grants(read: SettlingRead, wanted: Terms, one: Standing) -> bool:
    """A condition of a single word ("remove it") is met only where the reason is named too."""
    said = terms(read.evidence.quote)
    single = len(wanted.words) == 1 and not wanted.figures
    named = bool((one.grounds.words - wanted.words) & said.words) or bool(shared_figures(one.grounds, said))
    return meets(wanted, said) and (named or not single)


def _comes_down(seen: Seen, read: SettlingRead, one: Standing) -> bool:
    """He wanted it for less, and what we ask now is that much less than what we asked then."""
    condition = one.life.condition if one.life.type in OF_MONEY and seen.direction == "outbound" else None
    if condition is None or one.asked is None:
        return False
    return comes_down(condition, read.evidence.quote, seen.new_text, one.asked)


def offered(seen: Seen) -> Sum | None:
    """What an offer of ours asks for the whole, where it plainly says so."""
    if seen.direction != "outbound" or not is_verified(seen) or not _offers(seen):
        return None
    return total(seen.new_text)


def _offers(seen: Seen) -> bool:
    return any(m.name in OFFERS and m.confidence >= PROPOSE for m in seen.reading.milestones)


def _bare_consent(seen: Seen, read: SettlingRead, one: Standing, standing: Sequence[Standing]) -> bool:
    """ "Agreed, consider it done": in reply to the letter that names the only condition there is."""
    conditions = [s for s in standing if s.life.condition]
    said = read.evidence.quote
    bare = len(said.split()) <= SHORT and not terms(said).figures and terms(said).words <= {"=agree"}
    names = {m.name for m in seen.reading.milestones if m.confidence >= PROPOSE}
    return (
        bare
        and seen.direction == "outbound"
        and conditions == [one]
        and "meeting_scheduled" not in names
        and one.is_answered_by(seen)
    )


def _dropped(seen: Seen, standing: Sequence[Standing], alone: bool) -> _Found:
    """The client takes it back, or goes ahead in spite of it."""
    if seen.direction != "inbound":
        return
    done: set[str] = set()
    for read in _of_kind(seen, "withdrawn"):
        for one in _meant(seen, read, standing, alone):
            if one.life.key not in done:
                done.add(one.life.key)
                yield one, "dropped", read.evidence.quote
    ahead = _of_kind(seen, "goes_ahead")
    if ahead and alone and not seen.reading.objections:
        for one in standing:
            if one.life.key not in done:
                yield one, "dropped", ahead[0].evidence.quote


def _meant(seen: Seen, read: SettlingRead, standing: Sequence[Standing], alone: bool) -> list[Standing]:
    """Which objections are taken back: those whose words or type are named; a bare one when only one can be meant."""
    said = terms(read.evidence.quote)
    named = [one for one in standing if speaks_of(one.grounds, said)]
    if named:
        return named
    of_type = [one for one in standing if one.life.type in read.about]
    if of_type:
        return of_type
    here = [one for one in standing if seen.thread in one.threads]
    only = here if len(here) == 1 else list(standing)
    return only if alone and len(only) == 1 and not read.about else []


def _answered(seen: Seen, standing: Sequence[Standing], alone: bool) -> _Found:
    """We reply to the point: to its words, to its type, or to the letter itself, and more than "received"."""
    if seen.direction != "outbound":
        return
    tells = _of_kind(seen, "tells")
    if not tells:
        return
    said = terms(seen.new_text)
    offers = _offers(seen)
    for one in standing:
        if one.life.state != "open":
            continue
        reply = one.is_answered_by(seen)
        of_type = one.life.type in tells[0].about and (reply or (offers and alone))
        to_the_point = one.life.genuine and (reply or speaks_of(one.grounds, said))
        if of_type or to_the_point:
            yield one, "answered", tells[0].evidence.quote
