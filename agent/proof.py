"""What an activity proves for a deal's stage, and whether the move may be written or waits for a person; pure."""

from datetime import datetime

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
    return "" if milestone.confidence >= WRITE else "the reading is not sure enough"
