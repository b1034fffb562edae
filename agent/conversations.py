"""What was said in which thread, as far as the fold has come: what tells the deal of a letter that names none."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Set
from datetime import datetime

from agent.known import Seen
from agent.learned import NEAR, Heard, Said, learn, shares, talk
from agent.model import Meeting, Message
from agent.words import STEM, topic, words

MAX_NAMES = 50  # of one letter's people


class Conversations:
    """Grows with each letter and meeting; what the time before taught is known from the beginning."""

    def __init__(self, names: Iterable[str], products: Set[str], before: "Conversations | None" = None) -> None:
        """`names`: of people, companies and deals; `before`: all conversations, from going through them once."""
        self.names: set[str] = {w[:STEM] for name in names for w in words(name)}
        self.learned = learn(before.heard if before else (), before.names if before else frozenset(), products)
        self.heard: list[Heard] = []
        self._said: dict[str, Said] = before._said if before else {}
        self._threads: dict[int, list[Heard]] = defaultdict(list)  # its letters with a deal, up to now
        self._keys: dict[str, str] = {}  # Message-ID -> letter
        self._topics: dict[int, str] = {}  # of threads
        self._began: dict[int, datetime] = {}

    def remember(self, seen: Seen, deal_ids: tuple[str, ...]) -> None:
        self.names.update(w[:STEM] for name in _names(seen.record) for w in words(name))
        self._began.setdefault(seen.thread, seen.at)
        heard = Heard(seen.key, seen.at, seen.thread, topic_of(seen), self.said_in(seen), deal_ids, is_ours(seen))
        self.heard.append(heard)
        if isinstance(seen.record, Message):
            if seen.stood is None:
                self._topics.setdefault(seen.thread, topic_of(seen))
            if seen.record.message_id:
                self._keys[seen.record.message_id] = seen.key
        if deal_ids:
            self._threads[seen.thread].append(heard)

    def said_in(self, seen: Seen) -> Said:
        """The letter's own words; its subject counts when it does not just repeat the thread's."""
        if seen.key not in self._said:
            record = seen.record
            if isinstance(record, Message):
                subject = "" if topic_of(seen) == self._topics.get(seen.thread) else record.subject
                self._said[seen.key] = Said(seen.new_text, subject, tuple(a.name for a in record.attachments))
            else:
                self._said[seen.key] = Said(seen.new_text, record.title)
        return self._said[seen.key]

    def talk_of(self, seen: Seen) -> str:
        return talk(seen.thread, topic_of(seen))

    def shares(self, seen: Seen) -> Mapping[str, float]:
        """Deal -> its share of the thread's letters near this one, the answered one above all."""
        after = self.learned.later_in(seen.thread, seen.key, seen.at)
        return shares(self._threads[seen.thread][-NEAR:], after, self._parent(seen))

    def begins(self, seen: Seen) -> bool:
        """Is it the first letter of its thread with a deal?"""
        return not self._threads[seen.thread]

    def opened_by_us(self, seen: Seen) -> bool:
        """A letter of ours that opens a thread."""
        is_letter = seen.direction == "outbound" and isinstance(seen.record, Message)
        return is_letter and seen.thread not in self._topics

    def began(self, seen: Seen) -> datetime | None:
        return self._began.get(seen.thread)

    def _parent(self, seen: Seen) -> str:
        """The letter that is answered; without its name the last one of the thread with a deal."""
        answered = seen.record.in_reply_to if isinstance(seen.record, Message) else ()
        before = self._threads[seen.thread]
        return next((self._keys[i] for i in answered if i in self._keys), before[-1].key if before else "")


def is_ours(seen: Seen) -> bool:
    return seen.direction != "inbound"


def topic_of(seen: Seen) -> str:
    return topic(seen.record.subject) if isinstance(seen.record, Message) else ""


def _names(record: Message | Meeting) -> Iterable[str]:
    """Of whoever takes part: whom a letter greets says nothing of a deal."""
    people = (*record.from_, *record.to, *record.cc) if isinstance(record, Message) else record.attendees
    return (a.name for a in people[:MAX_NAMES] if a.name)
