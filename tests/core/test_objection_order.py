"""An objection's life does not depend on what arrived first, in whatever portions."""

from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.changes import difference
from agent.history import fold
from agent.known import Seen
from agent.model import Change, ObjectionLife
from agent.sent import Sent
from tests.core.situation import Situation, situation, situations

LIVES = [told for name, told in situations() if name.startswith("objection")]
QUICK = settings(max_examples=150, deadline=None, derandomize=True, database=None)


@cache
def played(number: int) -> Situation:
    return situation(LIVES[number])


@QUICK
@given(st.data())
def test_letters_in_any_order_give_the_same_objections_and_the_crm_shows_them(data: st.DataObject) -> None:
    this = played(data.draw(st.integers(0, len(LIVES) - 1)))
    for client, seen in this.clients.items():
        shuffled = data.draw(st.permutations(seen))
        parts = data.draw(st.sets(st.integers(1, max(1, len(seen) - 1)), max_size=3))
        sent: list[Sent] = []
        for known in [*sorted(parts), len(seen)]:
            sent += as_sent(written(this, client, shuffled[:known], sent))
        assert objections(this, client, shuffled) == objections(this, client, seen)
        assert written(this, client, shuffled, sent) == []
        assert shown(sent) == shown(as_sent(written(this, client, seen, [])))


def objections(this: Situation, client: str, seen: list[Seen]) -> tuple[ObjectionLife, ...]:
    return fold(this.facts(client), seen, this.answers, this.now).objections


def written(this: Situation, client: str, seen: list[Seen], sent: list[Sent]) -> list[Change]:
    said = fold(this.facts(client), seen, this.answers, this.now)
    return difference(said, {}, seen, sent, ("objections",))


def as_sent(changes: list[Change]) -> list[Sent]:
    return [Sent(key=c.key, kind=c.kind, subject=c.subject, body=c.body) for c in changes]


def shown(sent: list[Sent]) -> set[str]:
    """The records that stand in the CRM, whatever their keys."""
    records: dict[str, dict[str, object]] = {}
    for one in sent:
        if one.kind == "remove_objection":
            del records[one.subject]
        else:
            records[one.subject] = records.get(one.subject, {}) | one.body
    return {repr(sorted((k, v) for k, v in r.items() if k != "objection" and v is not None)) for r in records.values()}
