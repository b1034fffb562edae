"""The CRM's turn in the daemon's round: pull and deliver; a CRM that takes nothing is left alone, the rest goes on."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from agent.deliver import deliver
from agent.errors import NeedsHuman, Retry
from agent.flow import Flow
from agent.store import sources
from agent.sync import pull

FIRST_REST = timedelta(seconds=2)  # doubled each time
LONGEST_REST = timedelta(minutes=10)

log = structlog.get_logger()


class CrmTurn:
    """Used by the main thread alone, but for `pull_due` and `try_now`."""

    def __init__(self, flow: Flow) -> None:
        self.pull_due = True
        self.error = ""  # why it takes nothing now
        self._flow = flow
        self._noted: str | None = None
        self._rest = FIRST_REST
        self._rests_until: datetime | None = None

    def pull(self) -> None:
        if self.pull_due and not self._is_resting() and self._try(lambda: pull(self._flow)) is not None:
            self.pull_due = False

    def deliver(self) -> int:
        """How many changes were written."""
        return 0 if self._is_resting() else self._try(lambda: deliver(self._flow)) or 0

    def try_now(self) -> None:
        """Somebody asks: it may be back."""
        self.pull_due = True
        self._rests_until = None

    def next_try(self, of_outbox: datetime | None) -> datetime | None:
        """When there is something to do for it; `of_outbox`: when a change is to be tried again."""
        if self._rests_until is None or not self._is_resting():
            return of_outbox
        return max(self._rests_until, of_outbox) if of_outbox else self._rests_until

    def _is_resting(self) -> bool:
        return self._rests_until is not None and self._flow.now() < self._rests_until

    def _try(self, step: Callable[[], int | None]) -> int | None:
        """What the step gave, 0 for nothing; None when the CRM takes nothing."""
        began = time.monotonic()
        try:
            done = step()
        except Retry as error:
            after = None if error.after is None else timedelta(seconds=error.after)
            self._is_away(str(error), after, time.monotonic() - began)
            return None
        except NeedsHuman as error:
            self._is_away(str(error), LONGEST_REST, time.monotonic() - began)
            return None
        if done != 0:  # it answered; with nothing to deliver nobody knows
            self._is_there()
        return done or 0

    def _is_away(self, why: str, after: timedelta | None, seconds: float) -> None:
        rest = min(max(after or self._rest, FIRST_REST), LONGEST_REST)
        self._rest = min(2 * self._rest, LONGEST_REST)
        self._rests_until = self._flow.now() + rest
        self._note(why)
        log.warning("the CRM takes nothing", why=why, next_try=self._rests_until, seconds=round(seconds, 3))

    def _is_there(self) -> None:
        self._rest, self._rests_until = FIRST_REST, None
        self._note("")

    def _note(self, error: str) -> None:
        """For `status`, in the setting crm_error."""
        self.error = error
        if error != self._noted:
            with self._flow.store.transaction() as tx:
                sources.set_setting(tx, "crm_error", error)
            self._noted = error
