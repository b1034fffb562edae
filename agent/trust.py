"""How far our moves can be trusted: what people made of them, per pipeline and transition; pure.

A proposal is accepted or declined in `review`, or by what a person does in the CRM himself. A move that was written by
itself is undone, or overruled when a person soon moves the deal elsewhere. So an admin sees what to set to auto.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

import msgspec

from agent.answers import Verdicts
from agent.model import History, Pipeline
from agent.stages import funnel_order


class TrustRow(msgspec.Struct, frozen=True, kw_only=True):
    """One transition of one pipeline."""

    pipeline: str
    before: str  # the stage that the deal left; "" when it is not known any more
    stage: str
    waiting: int  # proposals that nobody has answered
    accepted: int
    declined: int
    written: int  # by itself, those that were undone later too
    undone: int
    overruled: int

    @property
    def right(self) -> float | None:
        """Of those on which a person has spoken or might have, the part that stood; None when there is none."""
        judged = self.accepted + self.declined + self.written
        return (judged - self.declined - self.undone - self.overruled) / judged if judged else None


def trust(
    said: Iterable[History], verdicts: Verdicts, pipelines: Iterable[Pipeline], pipeline_of: Mapping[str, str]
) -> list[TrustRow]:
    """`pipeline_of`: deal -> the name of its pipeline."""
    counts: dict[tuple[str, str, str], Counter[str]] = defaultdict(Counter)

    def count(deal_id: str, before: str, stage: str, what: str) -> None:
        counts[pipeline_of.get(deal_id, ""), before, stage][what] += 1

    for (deal_id, stage, _), one in verdicts.moves.items():
        for what in {"undone": ("undone", "written"), "restored": ()}.get(one.kind, (one.kind,)):
            count(deal_id, one.before, stage, what)
    for history in said:
        for move in history.moves:
            by_itself = not verdicts.accepts(move.deal_id, move.stage, move.evidence)
            if move.state == "proposed":
                count(move.deal_id, move.before, move.stage, "waiting")
            elif by_itself:
                count(move.deal_id, move.before, move.stage, "written")
        for judged in history.judged:
            asked = {"accepted": "accepted", "overruled": "declined"}
            what = asked[judged.verdict] if judged.move.state == "proposed" else judged.verdict
            count(judged.move.deal_id, judged.move.before, judged.move.stage, what)
    places = funnel_order(pipelines)
    last = (len(places), len(places))
    order = sorted(counts, key=lambda k: (places.get((k[0], k[2]), last), places.get((k[0], k[1]), last), k))
    return [_row(key, counts[key]) for key in order]


def _row(key: tuple[str, str, str], count: Counter[str]) -> TrustRow:
    names = ("waiting", "accepted", "declined", "written", "undone", "overruled")
    numbers = {name: count[name] for name in names}
    return TrustRow(pipeline=key[0], before=key[1], stage=key[2], **numbers)
