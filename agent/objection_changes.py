"""What the CRM is still to be told of objections: opened, corrected, answered, closed for a cause, reopened, removed.

The CRM holds one record per objection. What was sent before tells what it shows; a change is made of the difference
only, so that twice is the same as once. An objection whose first letter came late is the same record with another day.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from agent.model import Change, ObjectionLife
from agent.sent import Sent

WORDS = ("reason", "condition", "quote")  # may be let go (privacy, retention): they are not written again then
CLOSING = ("closed", "cause", "closed_by", "closed_quote")


def objection_changes(
    objections: Sequence[ObjectionLife], sent: Sequence[Sent], logged: Collection[str]
) -> list[Change]:
    records: dict[str, list[Sent]] = defaultdict(list)
    for one in sent:
        if one.subject.startswith("objection:"):
            records[one.subject].append(one)
    named = _records_of(objections, records)
    changes: list[Change] = []
    for objection in objections:
        record = named[objection.key]
        changes += _of_objection(record, objection, records.get(record, []), logged)
    for record, before in records.items():
        if record not in named.values() and shown_objection(before) is not None:
            changes.append(_change(record, before, "remove_objection", {}))
    return changes


def _records_of(objections: Sequence[ObjectionLife], records: Mapping[str, Sequence[Sent]]) -> dict[str, str]:
    """Objection -> its record in the CRM: its own, or one that was opened from a later letter of the same objection."""
    named = {o.key: o.key for o in objections if o.key in records}
    free = {record: shown for record, of in records.items() if record not in named and (shown := shown_objection(of))}
    for objection in objections:
        if objection.key in named:
            continue
        found = [r for r, shown in free.items() if _is_of(shown, objection)]
        named[objection.key] = min(found, key=lambda r: (_unlike(free[r], objection), r), default=objection.key)
        free.pop(named[objection.key], None)
    return named


def _is_of(shown: Mapping[str, Any], objection: ObjectionLife) -> bool:
    return shown["deal_id"] == objection.deal_id and shown["activity"] in objection.letters


def _unlike(shown: Mapping[str, Any], objection: ObjectionLife) -> tuple[bool, bool]:
    """The record that shows this very objection comes first, so that the same is found the next time."""
    return shown["activity"] != objection.activity, shown["type"] != objection.type


def _of_objection(
    record: str, objection: ObjectionLife, before: Sequence[Sent], logged: Collection[str]
) -> Iterator[Change]:
    """First what it is, then how it ended."""
    shown, wanted = shown_objection(before), _body(objection)
    if shown is None:
        letter = objection.activity if objection.activity in logged else ""
        first = _change(record, before, "open_objection", {"state": "open", **wanted}, letter)
    elif _differ(shown, wanted):
        first = _change(record, before, "update_objection", wanted)
    else:
        first = None
    if first is not None:
        yield first
        before = [*before, Sent(key=first.key, kind=first.kind, subject=first.subject, body=first.body)]
    if objection.closed is not None and _differ(shown_objection(before) or {}, end := _end(objection)):
        yield _change(record, before, "close_objection", end)


def _body(o: ObjectionLife) -> dict[str, object]:
    """All that is said of an objection while it stands; of a closed one its end is told apart."""
    standing: dict[str, object] = {"state": o.state, **dict.fromkeys(CLOSING)} if o.closed is None else {}
    return {
        "deal_id": o.deal_id,
        "activity": o.activity,
        "stage": o.stage,
        "type": o.type,
        "genuine": o.genuine,
        "reason": o.reason,
        "condition": o.condition,
        "quote": o.quote,
        "at": o.opened.isoformat(),
        **standing,
    }


def _end(o: ObjectionLife) -> dict[str, object]:
    return {
        "state": "closed",
        "closed": o.closed.isoformat() if o.closed else None,
        "cause": o.cause,
        "closed_by": o.closed_by,
        "closed_quote": o.closed_quote,
    }


def shown_objection(sent: Sequence[Sent]) -> dict[str, Any] | None:
    """What the CRM shows of this objection; None when it does not stand there."""
    shown: dict[str, Any] | None = None
    for one in sent:
        shown = None if one.kind == "remove_objection" else {**(shown or {}), **one.body}
    return shown


def _differ(shown: Mapping[str, Any], wanted: Mapping[str, object]) -> bool:
    return any(shown.get(name) != value and not _let_go(shown, name) for name, value in wanted.items())


def _let_go(shown: Mapping[str, Any], name: str) -> bool:
    return (name in WORDS and shown.get("quote") == "") or (name == "closed_quote" and shown.get(name) == "")


def _change(record: str, before: Sequence[Sent], kind: Any, body: dict[str, object], letter: str = "") -> Change:
    """The first change bears the record's own key; later ones are numbered and need the one that opened it."""
    number = len(before)
    opening = next((one.key for one in reversed(before) if one.kind == "open_objection"), None)
    needs = (opening,) if opening is not None and kind != "open_objection" else (f"log:{letter}",) if letter else ()
    key = f"{record}:{_named(kind, body)}:{number}" if number else record
    return Change(key=key, kind=kind, subject=record, needs=needs, body={"objection": record, **body})


def _named(kind: str, body: Mapping[str, object]) -> str:
    return str(body["cause"]) if kind == "close_objection" else kind.partition("_")[0]
