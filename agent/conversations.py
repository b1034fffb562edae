"""What was said in which thread, as far as the fold has come: what tells the deal of a letter that names none."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Set
from datetime import datetime
from typing import NamedTuple

from agent.known import Seen
from agent.learned import NEAR, Heard, Said, learn, shares, talk
from agent.model import Meeting, Message
from agent.words import STEM, topic, words

MAX_NAMES = 50  # of one letter's people
OPENING = 5  # words by which a letter is known again where it is quoted
WHOLE = 40  # ... and so many of them must be there
MAX_QUOTED = 600  # words of what a letter quotes that are looked through


class _Sent(NamedTuple):
    """How a letter begins, and its thread."""

    thread: int
    text: list[str]


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
        self._opened: dict[tuple[str, ...], list[_Sent]] = defaultdict(list)  # first words -> letters
        self._joined: dict[int, int] = before._joined if before else {}  # broken off thread -> the one that it goes on

    def remember(self, seen: Seen, deal_ids: tuple[str, ...]) -> None:
        self.names.update(w[:STEM] for name in _names(seen.record) for w in words(name))
        thread = self._thread_of(seen)
        self._began.setdefault(thread, seen.at)
        heard = Heard(seen.key, seen.at, thread, topic_of(seen), self.said_in(seen), deal_ids, is_ours(seen))
        self.heard.append(heard)
        if isinstance(seen.record, Message):
            if seen.stood is None:
                self._topics.setdefault(thread, topic_of(seen))
                self._note_opening(seen, thread)
            if seen.record.message_id:
                self._keys[seen.record.message_id] = seen.key
        if deal_ids:
            self._threads[thread].append(heard)

    def _thread_of(self, seen: Seen) -> int:
        """Its thread; one that begins with a letter which quotes another goes that one's thread on.

        Programs that lose the References, and people who answer with a new letter, still quote what they answer.
        """
        if seen.thread not in self._joined:
            self._joined[seen.thread] = self._quoted(seen) or seen.thread
        return self._joined[seen.thread]

    def _quoted(self, seen: Seen) -> int | None:
        """The thread of the letter that this one quotes first, among those before it."""
        if not self._opened or not isinstance(seen.record, Message):
            return None
        cuts = [c for c in seen.reading.cuts if c.kind in ("quoted", "forwarded")]
        said = words("\n".join(seen.record.text[c.start : c.end] for c in cuts)[: 20 * MAX_QUOTED])[:MAX_QUOTED]
        for at in range(len(said) - OPENING + 1):
            for thread, text in reversed(self._opened.get(tuple(said[at : at + OPENING]), ())):
                if said[at : at + len(text)] == text:
                    return thread
        return None

    def _note_opening(self, seen: Seen, thread: int) -> None:
        text = words(seen.new_text[: 20 * WHOLE])[:WHOLE]
        if len(text) >= OPENING:
            self._opened[tuple(text[:OPENING])].append(_Sent(thread, text))

    def said_in(self, seen: Seen) -> Said:
        """The letter's own words; its subject counts when it does not just repeat the thread's."""
        if seen.key not in self._said:
            record = seen.record
            if isinstance(record, Message):
                subject = "" if topic_of(seen) == self._topics.get(self._thread_of(seen)) else record.subject
                self._said[seen.key] = Said(seen.new_text, subject, tuple(a.name for a in record.attachments))
            else:
                self._said[seen.key] = Said(seen.new_text, record.title)
        return self._said[seen.key]

    def talk_of(self, seen: Seen) -> str:
        return talk(self._thread_of(seen), topic_of(seen))

    def shares(self, seen: Seen) -> Mapping[str, float]:
        """Deal -> its share of the thread's letters near this one, the answered one above all."""
        after = self.learned.later_in(self._thread_of(seen), seen.key, seen.at)
        return shares(self._threads[self._thread_of(seen)][-NEAR:], after, self._parent(seen))

    def begins(self, seen: Seen) -> bool:
        """Is it the first letter of its thread with a deal?"""
        return not self._threads[self._thread_of(seen)]

    def opened_by_us(self, seen: Seen) -> bool:
        """A letter of ours that opens a thread."""
        is_letter = seen.direction == "outbound" and isinstance(seen.record, Message)
        return is_letter and self._thread_of(seen) not in self._topics

    def began(self, seen: Seen) -> datetime | None:
        return self._began.get(self._thread_of(seen))

    def _parent(self, seen: Seen) -> str:
        """The letter that is answered; without its name the last one of the thread with a deal."""
        answered = seen.record.in_reply_to if isinstance(seen.record, Message) else ()
        before = self._threads[self._thread_of(seen)]
        return next((self._keys[i] for i in answered if i in self._keys), before[-1].key if before else "")


def is_ours(seen: Seen) -> bool:
    return seen.direction != "inbound"


def topic_of(seen: Seen) -> str:
    return topic(seen.record.subject) if isinstance(seen.record, Message) else ""


def _names(record: Message | Meeting) -> Iterable[str]:
    """Of whoever takes part: whom a letter greets says nothing of a deal."""
    people = (*record.from_, *record.to, *record.cc) if isinstance(record, Message) else record.attendees
    return (a.name for a in people[:MAX_NAMES] if a.name)
