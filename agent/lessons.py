"""What people's answers teach the reader.

gather   answers, and moves of their own, with the letters that they are about
decide   which label of which letter holds or does not: the last word counts, and only of what was read in words
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sqlalchemy import Connection

from agent.model import MILESTONES, OBJECTION_TYPES
from agent.store import answers
from agent.store.answers import Correction
from agent.store.lessons import Worded, worded
from classifiers.lessons import Lesson

HOLDS = {"accepted": True, "restored": True, "declined": False, "undone": False, "overruled": False}
Verdicts = Mapping[str, Mapping[str, bool]]  # activity -> label -> whether it holds


class Schooling(NamedTuple):
    """What there is to learn, and what there is not."""

    lessons: tuple[Lesson, ...]
    verdicts: int  # labels on which people have spoken
    wordless: int  # of these, in letters whose words retention or an exclusion has let go
    unread: int  # of these, proven by a calendar or by the order of things, not by a letter's words


def schooling(tx: Connection) -> Schooling:
    said = verdicts(answers.corrections(tx))
    return lessons_of(said, worded(tx, said))


def verdicts(corrections: Iterable[Correction]) -> Verdicts:
    """What people think of milestones and objections; whoever moves a deal himself says nothing of a letter's words."""
    found: dict[str, dict[str, bool]] = {}
    for one in corrections:
        kind, _, name = one.said.partition(":")
        label = {"stage": one.milestone, "objection": name}.get(kind, "")
        if one.decided in HOLDS and label in (*MILESTONES, *OBJECTION_TYPES):
            found.setdefault(one.activity, {})[label] = HOLDS[one.decided]
    return found


def lessons_of(said: Verdicts, letters: Mapping[str, Worded]) -> Schooling:
    """One lesson per letter that still has its words, in the order of their keys."""
    lessons: list[Lesson] = []
    total = wordless = unread = 0
    for key in sorted(said):
        of_letter = letters.get(key)
        total += len(said[key])
        if of_letter is None:
            unread += len(said[key])
        elif of_letter.letter is None:
            wordless += len(said[key])
        else:
            labels = tuple((name, holds) for name, holds in sorted(said[key].items()) if name in of_letter.read)
            unread += len(said[key]) - len(labels)
            if labels:
                lessons.append(Lesson(of_letter.letter, labels))
    return Schooling(tuple(lessons), total, wordless, unread)
