"""The threads' room: what Message-IDs connect."""

from collections.abc import Sequence

from sqlalchemy import Connection, func, select, update

from agent.store.rows import chunks, insert_rows
from agent.store.tables import activity, thread_member


class Threads:
    """Threads are what Message-IDs connect; a letter that mentions two makes one of them."""

    def __init__(self, tx: Connection, mentions: set[str]) -> None:
        self.tx = tx
        self._of: dict[str, int] = {}
        for part in chunks(sorted(m[:1000] for m in mentions)):
            query = select(thread_member.c.mention, thread_member.c.thread).where(thread_member.c.mention.in_(part))
            self._of.update({row.mention: row.thread for row in tx.execute(query)})
        self._stored = dict(self._of)
        self._into: dict[int, int] = {}
        last = (tx.scalar(select(func.max(column))) for column in (thread_member.c.thread, activity.c.thread))
        self._first = self._next = 1 + max(thread or 0 for thread in last)

    def join(self, mentions: Sequence[str]) -> int:
        names = [m[:1000] for m in mentions]
        found = sorted({self.final(self._of[m]) for m in names if m in self._of})
        if found:
            thread = found[0]
        else:
            thread, self._next = self._next, self._next + 1
        for other in found[1:]:
            self._into[other] = thread
        for name in names:
            self._of.setdefault(name, thread)
        return thread

    def is_new(self, thread: int) -> bool:
        """Nothing that stood before belongs to it: an older thread is never merged into a newer one."""
        return thread >= self._first

    def final(self, thread: int) -> int:
        while thread in self._into:
            thread = self._into[thread]
        return thread

    def write(self) -> None:
        insert_rows(self.tx, thread_member, [(m, self.final(t)) for m, t in self._of.items() if m not in self._stored])
        for old in self._into:
            new = self.final(old)
            self.tx.execute(update(thread_member).where(thread_member.c.thread == old).values(thread=new))
            self.tx.execute(update(activity).where(activity.c.thread == old).values(thread=new))
