"""The threads' room: what Message-IDs connect."""

from collections.abc import Sequence

from sqlalchemy import Connection, func, insert, select, update

from agent.store.rows import chunks
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
        self._next = 1 + (tx.scalar(select(func.max(thread_member.c.thread))) or 0)

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

    def final(self, thread: int) -> int:
        while thread in self._into:
            thread = self._into[thread]
        return thread

    def write(self) -> None:
        fresh = [{"mention": m, "thread": self.final(t)} for m, t in self._of.items() if m not in self._stored]
        if fresh:
            self.tx.execute(insert(thread_member), fresh)
        for old in self._into:
            new = self.final(old)
            self.tx.execute(update(thread_member).where(thread_member.c.thread == old).values(thread=new))
            self.tx.execute(update(activity).where(activity.c.thread == old).values(thread=new))
