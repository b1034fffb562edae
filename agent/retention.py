"""Retention: once the words have been kept for as long as the config says, they are let go."""

from datetime import UTC, datetime, time

from agent.flow import Flow
from agent.store import retention


def let_go_old_words(flow: Flow) -> int:
    """Returns of how many letters and meetings. It falls due at midnight: whoever asks more often changes nothing."""
    kept = flow.config.retention.text
    if kept is None:
        return 0
    now = flow.now()
    day = datetime.combine((now - kept).date(), time(), UTC)
    with flow.store.transaction() as tx:
        count = retention.let_go_before(tx, day, now)
    if count:
        flow.store.sweep()
    return count
