"""What people decided, as the fold asks for it: of several answers to one question the latest counts; pure.

A move is answered for by its deal, its stage and the letter that was its evidence, not by its key: a letter that comes
late may shift which entry into a stage a key counts, and the answer must stay with what the person was shown.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from agent.known import Answer
from agent.match import Match, speaks_of

Move = tuple[str, str, str]  # deal, stage, key of the letter that is its evidence


@dataclass(frozen=True)
class Verdicts:
    """All answers that concern one client."""

    linked: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # letter -> deals that a person named
    taken_back: frozenset[str] = frozenset()  # keys of links, objections and records that were undone or declined
    accepted: frozenset[str] = frozenset()  # keys of objections and records
    vouched: frozenset[str] = frozenset()  # letters whose sender a person knows, whatever our server says
    moves: Mapping[Move, Answer] = field(default_factory=dict)

    @cached_property
    def decided(self) -> frozenset[str]:
        """Keys on which a person has said yes or no: nobody is asked again."""
        return self.taken_back | self.accepted

    @classmethod
    def of(cls, answers: Iterable[Answer]) -> "Verdicts":
        """From answers in the order in which they were given."""
        linked: dict[str, tuple[str, ...]] = {}
        back: set[str] = set()
        accepted: set[str] = set()
        vouched: set[str] = set()
        moves: dict[Move, Answer] = {}
        for one in answers:
            match one.kind:
                case "linked":
                    linked[one.subject] = one.deal_ids
                    back.discard(one.subject)
                case "vouched":
                    vouched.add(one.subject)
                case "accepted" | "declined" | "undone" | "restored" if one.stage:
                    moves[one.deal_ids[0], one.stage, one.evidence] = one
                case "undone" | "declined":
                    back.add(one.subject)
                    accepted.discard(one.subject)
                case "accepted":
                    accepted.add(one.subject)
                    back.discard(one.subject)
                case "restored":
                    back.discard(one.subject)
        return cls(linked, frozenset(back), frozenset(accepted), frozenset(vouched), moves)

    def accepts(self, deal_id: str, stage: str, evidence: str) -> bool:
        return self._said(deal_id, stage, evidence) in ("accepted", "restored")

    def refuses(self, deal_id: str, stage: str, evidence: str) -> bool:
        return self._said(deal_id, stage, evidence) in ("declined", "undone")

    def accepted_on(self, deal_id: str, evidence: str) -> list[Answer]:
        """The moves of a deal that a person accepted because of this letter."""
        return [a for key, a in self.moves.items() if (key[0], key[2]) == (deal_id, evidence) and self.accepts(*key)]

    def refused_on(self, evidence: str) -> list[tuple[str, str]]:
        """(deal, stage) of the moves that a person refused because of this letter."""
        return [key[:2] for key in self.moves if key[2] == evidence and self.refuses(*key)]

    def _said(self, deal_id: str, stage: str, evidence: str) -> str:
        one = self.moves.get((deal_id, stage, evidence))
        return one.kind if one else ""


def settled(found: Match, answered: tuple[str, ...] | None) -> Match:
    """One answer settles the whole thread: where the letter itself does not name its deal, the answer does.

    `answered`: the deals that a person named, () for none of them; None when nobody was asked.
    """
    if answered is None:
        return found
    named = any(c.deal_id in found.deal_ids and speaks_of(c) for c in found.candidates)
    if named or set(found.deal_ids) & set(answered):
        return found
    return Match(answered, (), found.candidates)
