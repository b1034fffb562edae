"""What an activity proves for a deal's stage, and whether the move may be written or waits for a person; pure."""

from datetime import datetime

from msgspec.structs import replace

from agent.known import Seen
from agent.model import Direction, Meeting, MilestoneRead, Span, Stage
from agent.stages import Progress, in_order
from classifiers import PROPOSE, WRITE


def took_place(seen: Seen, now: datetime) -> bool:
    """A meeting proves nothing before its end, nor when all its guests have declined."""
    if not isinstance(seen.record, Meeting):
        return True
    guests = [a for a in seen.record.attendees if a.email in seen.outside]
    return seen.record.end <= now and not (guests and all(a.answer == "declined" for a in guests))


def proven_milestones(seen: Seen) -> list[MilestoneRead]:
    """What counts for the stages. That a meeting was held only the calendar proves."""
    if isinstance(seen.record, Meeting):
        title = Span(quote=seen.record.title, start=0, end=len(seen.record.title))
        return [MilestoneRead(name="meeting_held", confidence=1.0, evidence=title, by="calendar")]
    sure = (m for m in seen.reading.milestones if m.confidence >= PROPOSE)
    return in_order(m for m in sure if m.name not in ("meeting_held", "meeting_scheduled"))


def weighed(milestones: list[MilestoneRead], deal: Progress, *, objected: bool) -> list[MilestoneRead]:
    """What a letter's milestones prove for one deal, from where it stands.

    `objected`: the client has held something against it. Then an offer that we send again is part of the bargaining.
    """
    standing = list(milestones)
    names = {m.name for m in standing}
    if objected and "proposal_sent" in names and "negotiation" not in names and deal.has_passed("proposal_sent"):
        offer = next(m for m in standing if m.name == "proposal_sent")
        standing.append(replace(offer, name="negotiation", by=f"{offer.by}, again"))
    return standing


def who_acts(seen: Seen) -> Direction:
    """Whoever invites, the client comes to a meeting of his own will; a standing call goes on by itself."""
    single = isinstance(seen.record, Meeting) and seen.record.recurrence_id is None
    return "inbound" if single else seen.direction


def taken_up_again(seen: Seen) -> MilestoneRead:
    """A client who begins a new talk about a paused or lost deal has taken it up again; his first words show it."""
    quote = seen.new_text.strip().partition("\n")[0][:200]
    start = max(seen.new_text.find(quote), 0)
    said = Span(quote=quote, start=start, end=start + len(quote))
    return MilestoneRead(name="contact_established", confidence=WRITE, evidence=said, by="return")


# what a milestone is rarely seen without: the surer must the reading be that finds it all the same
_PREMISES = {
    "negotiation": "proposal_sent",
    "contract_approval": "negotiation",
    "payment_confirmed": "contract_sent",
}
SURE = 0.93

UNVERIFIED = "the sender could not be verified"


def is_verified(seen: Seen) -> bool:
    """Our own mail, or mail of which our server says that it is the sender's: only such may change anything."""
    return seen.verified in ("sent", "authenticated")


def why_only_proposed(deal: Progress, target: Stage, seen: Seen, milestone: MilestoneRead) -> str:
    """Why a move must wait for a person; "" when it may be written."""
    pipeline = deal.pipeline
    if target.name in deal.touched:
        return "a person has taken such a move back"
    if pipeline.mode == "propose":
        return 'the pipeline has mode = "propose"'
    if pipeline.terminal == "propose" and target.kind in ("won", "lost"):
        return 'the pipeline has terminal = "propose"'
    if not is_verified(seen):
        return UNVERIFIED
    if _is_condition(milestone, seen):
        return "so far it is only the condition of an objection"
    premise = _PREMISES.get(milestone.name)
    if premise and milestone.confidence < SURE and not deal.has_passed(premise):
        return f"nothing has shown {premise.replace('_', ' ')} before"
    return "" if milestone.confidence >= WRITE else "the reading is not sure enough"


def _is_condition(milestone: MilestoneRead, seen: Seen) -> bool:
    """Does the client bargain only in what he sets as a condition? The bargaining begins when one of us moves."""
    conditions = [o.condition for o in seen.reading.objections if o.condition]
    said = milestone.evidence
    return milestone.name == "negotiation" and any(said.start < c.end and c.start < said.end for c in conditions)
