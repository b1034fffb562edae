"""What is told of hand-offs, to whom: the CRM, a webhook, a file; never what a backfill finds in the past; pure."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence

from agent.model import Change, ChangeKind, Handoff, HandoffRule, History
from agent.sent import Sent

CHANNELS = ("crm", "webhook", "file")


def handoff_changes(
    said: History, rules: Sequence[HandoffRule], sent: Sequence[Sent], may_write: Collection[str]
) -> list[Change]:
    """What falls due now is handed off, once; what was handed off and holds no more is taken back, once."""
    told: dict[str, dict[str, Sent]] = defaultdict(dict)
    for one in sent:
        if one.kind in ("hand_off", "notify", "take_back"):
            told[str(one.body["handoff"])][one.key] = one
    by_name = {rule.name: rule for rule in rules}
    changes: list[Change] = []
    for handoff in said.handoffs:
        rule = by_name.get(handoff.rule)
        if handoff.key not in told and rule is not None and _falls_due_now(handoff, rule):
            changes += _hand_off(handoff, rule, may_write)
        elif handoff.key in told and handoff.ended is not None:
            changes += _take_back(told[handoff.key], handoff)
    still = {handoff.key for handoff in said.handoffs}
    for key, of in told.items():
        if key not in still:  # a letter that came late shows that the client had written
            changes += _take_back(of, None)
    return changes


def _falls_due_now(handoff: Handoff, rule: HandoffRule) -> bool:
    return handoff.ended is None and rule.since is not None and handoff.at >= rule.since


def _hand_off(handoff: Handoff, rule: HandoffRule, may_write: Collection[str]) -> Iterator[Change]:
    body: dict[str, object] = {
        "handoff": handoff.key,
        "event": "handed_off",
        "rule": handoff.rule,
        "deal_id": handoff.deal_id,
        "stage": handoff.stage,
        "owner": rule.owner,
        "tag": rule.tag,
        "at": handoff.at.isoformat(),
        "evidence": handoff.evidence,
    }
    wanted: Mapping[str, bool] = {
        "crm": bool(rule.owner or rule.tag) and "handoffs" in may_write,
        "webhook": rule.webhook,
        "file": rule.file,
    }
    for channel in CHANNELS:
        if wanted[channel]:
            kind: ChangeKind = "hand_off" if channel == "crm" else "notify"
            yield _change(f"{handoff.key}:{channel}", kind, handoff.deal_id, {**body, "channel": channel})


def _take_back(of: Mapping[str, Sent], handoff: Handoff | None) -> Iterator[Change]:
    """By each way by which it was told."""
    for key, one in list(of.items()):
        back = f"{key}:back"
        if one.body["event"] == "handed_off" and back not in of:
            body: dict[str, object] = {
                **one.body,
                "event": "taken_back",
                "at": handoff.ended.isoformat() if handoff and handoff.ended else one.body["at"],
                "why": handoff.ended_why if handoff else "client",
                "evidence": handoff.ended_by if handoff else "",
            }
            kind: ChangeKind = "take_back" if one.kind == "hand_off" else "notify"
            yield _change(back, kind, str(one.body["deal_id"]), body, needs=(key,))


def _change(key: str, kind: ChangeKind, deal_id: str, body: dict[str, object], needs: tuple[str, ...] = ()) -> Change:
    return Change(key=key, kind=kind, subject=f"handoff:{deal_id}", body=body, needs=needs)
