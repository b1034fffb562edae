"""`status` and `explain`: is everything fresh, and why is it as it is."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated

import msgspec
import typer
from sqlalchemy import Connection

from agent import explain as explaining
from agent import story as stories
from agent.cli.common import NO, ConfigPath, Json, complain, local, one_line, opened, safe_json, tell, tell_table
from agent.cli.stories import print_story
from agent.model import Link
from agent.status import Status, look
from agent.store import mirror
from agent.texts import say, span, word


def status(as_json: Json = False, config: ConfigPath = None) -> None:
    """Is everything fresh? Per source: phase, done, last success, last proof, last error, next try."""
    with opened(config) as (loaded, store), store.reading() as tx:
        found = look(tx, loaded, datetime.now(UTC))
    if as_json:
        print(safe_json(msgspec.json.encode(found).decode()))
    else:
        _print_status(found)
    if not found.green:
        raise typer.Exit(NO)


def _print_status(found: Status) -> None:
    now = datetime.now(UTC)
    heads = [say(f"status.{name}") for name in ("source", "phase", "done", "polled", "proved")]
    rows = []
    for s in found.sources:
        done = f"{s.done}/{s.total}" if s.total is not None else str(s.done)
        rows.append((s.name, word("phase", s.phase), done, _ago(s.last_success, now), _ago(s.last_proof, now)))
    tell_table(heads, rows, texts=2)
    for s in found.sources:
        if s.next_try is not None:
            tell(f"{s.name}: {say('status.again', span=span(s.next_try - now))}")
    counts = ", ".join(f"{word('outcome', outcome)} {count}" for outcome, count in sorted(found.outcomes.items()))
    tell(say("status.outcomes", counts=counts) if counts else say("status.nothing"))
    tell(say("status.outbox", **found.outbox))
    for note in found.notes:
        tell(note)
    tell(say("status.green") if found.green else say("status.not_green"))
    for problem in found.problems:
        tell(f"- {problem}")


def _ago(at: datetime | None, now: datetime) -> str:
    return say("status.ago", span=span(now - at)) if at else say("status.never")


def explain(
    key: Annotated[str, typer.Argument(help="A key, a Message-ID, a UID, a record's id or address.")],
    as_json: Json = False,
    config: ConfigPath = None,
) -> None:
    """Why: of a letter or meeting, or the whole story of a deal, a contact, a company, a move or an objection."""
    with opened(config) as (_, store), store.reading() as tx:
        found = explaining.explain(tx, key)
        story = None if found else stories.tell(tx, key)
        names = _names(tx)
    if story is not None:
        if as_json:
            print(safe_json(msgspec.json.encode(story).decode()))
        else:
            print_story(story, names)
        return
    if not found:
        complain(say("explain.unknown", key=key))
        raise typer.Exit(NO)
    if as_json:
        print(safe_json(msgspec.json.encode(found).decode()))
        return
    for place, one in enumerate(found):
        if place:
            tell("")
        _print_explanation(one, names)


def _names(tx: Connection) -> dict[str, str]:
    """Deals, companies and contacts by id, as they are called."""
    return {r.id: f"{r.id} {r.name}" for of in (mirror.companies, mirror.contacts, mirror.deals) for r in of(tx)}


def _print_explanation(one: explaining.Explanation, names: Mapping[str, str]) -> None:
    who = f"{word('direction', one.direction)}, {word('verified', one.verified)}"
    tell(f"{word('explain', one.kind)} {one.key}  {local(datetime.fromisoformat(one.date))}  {who}")
    tell(one.subject if one.subject is not None else say("explain.gone"), indent=2)
    for s in one.sightings:
        tell(say("explain.seen_in_folder" if s["folder"] else "explain.seen", **s), indent=2)
    if one.skipped:
        tell(say("explain.skipped", reason=_reason(one.skipped)), indent=2)
    for link in one.links:
        _print_link(link, names)
    _print_reading(one)
    for m in one.proposed:
        deal = names.get(m.deal_id, m.deal_id)
        tell(say("explain.proposed", deal=deal, stage=m.stage, why=m.why), indent=2)
    for change in one.changes:
        body = change["body"]
        values = {name: one_line(str(body.get(name, ""))) for name in ("stage", "name")}
        values["deal"] = body.get("deal_id", "")
        what = say(f"change.{change['kind']}", **values)
        tell(say("explain.written", what=what, state=word("state", change["state"]), key=change["key"]), indent=2)


def _reason(code: str) -> str:
    meaning = word("because", code)
    return code if meaning == code else f"{code} ({meaning})"


def _print_link(link: Link, names: Mapping[str, str]) -> None:
    outcome = word("outcome", link.outcome) + (f": {_reason(link.reason)}" if link.reason else "")
    client = link.company_id or next(iter(link.contact_ids), "-")
    tell(say("explain.decided", client=names.get(client, client), outcome=outcome), indent=2)
    for c in link.candidates:
        mark = "=>" if c.deal_id in link.deal_ids else " ?" if c.deal_id in link.ambiguous else "  "
        reasons = ", ".join(f"{r.name} {r.weight:+g}" + (f" ({r.detail})" if r.detail else "") for r in c.reasons)
        deal = names.get(c.deal_id, c.deal_id)
        tell(say("explain.candidate", mark=mark, deal=deal, score=c.score, reasons=reasons), indent=4)
    if link.ambiguous:
        tell(say("explain.ambiguous", deals=", ".join(link.ambiguous)), indent=4)


def _print_reading(one: explaining.Explanation) -> None:
    if one.reading is None:
        return
    for m in one.reading.milestones:
        quote = one_line(m.evidence.quote)
        tell(say("explain.proves", name=m.name, confidence=m.confidence, quote=quote), indent=2)
    for o in one.reading.objections:
        sort = say("explain.genuine") if o.genuine else say("explain.stalling")
        values = {"type": word("objection", o.type), "sort": sort, "quote": one_line(o.evidence.quote)}
        tell(say("explain.objects", confidence=o.confidence, **values), indent=2)
