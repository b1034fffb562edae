"""Is it the client's business: logged, skipped or waiting, with the reason; pure."""

from datetime import datetime
from typing import Literal

from agent.clients import STRANGER
from agent.known import Client, Seen
from agent.model import Meeting

GUESSED = "machine"  # by its words alone: too little to keep a letter out of a client's history

Verdict = tuple[Literal["logged", "skipped", "waiting"], str]


def business(client: Client, seen: Seen, now: datetime) -> Verdict:
    """Outcome and reason of an activity that belongs to this client by its people or its thread."""
    if isinstance(seen.record, Meeting):
        return _meeting_business(client, seen, seen.record, now)
    if seen.verified == "failed" and seen.claims_client:
        return "skipped", "spoof"
    if seen.reading.automated not in ("", GUESSED):
        return "skipped", seen.reading.automated
    if seen.reading.matter == "private" and seen.contact_ids:
        return "skipped", "private_with_client_contact"
    if seen.reading.matter:
        return "skipped", seen.reading.matter
    if client.key.startswith(STRANGER):
        return "waiting", "no_client"
    return "logged", ""


def _meeting_business(client: Client, seen: Seen, meeting: Meeting, now: datetime) -> Verdict:
    ours = [a for a in meeting.attendees if a.email in client.own]
    if meeting.status == "cancelled" or seen.gone:
        return "skipped", "cancelled"
    if not seen.outside and len(ours) > 1:  # a client's name in the title does not make him take part
        return "skipped", "internal"
    if ours and all(a.answer == "declined" for a in ours):
        return "skipped", "declined_by_rep"
    if client.key.startswith(STRANGER):
        return _strangers_meeting(seen, meeting, len(ours))
    if meeting.recurrence_id is not None and meeting.start > now:
        return "waiting", "not_yet"
    return "logged", ""


def _strangers_meeting(seen: Seen, meeting: Meeting, ours: int) -> Verdict:
    if seen.outside:
        return "waiting", "no_client"
    if meeting.all_day:
        return "skipped", "all_day_no_client"
    return "skipped", "internal" if ours > 1 else "private"
