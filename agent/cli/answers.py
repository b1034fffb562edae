"""`review` and `undo`: a person answers, and takes back; `replay`: what today's rules would say otherwise."""

import getpass
import json
from collections.abc import Sequence
from typing import Annotated

import msgspec
import typer

from agent.cli.common import (
    RUNNING,
    ConfigPath,
    Json,
    Running,
    complain,
    flow_of,
    lease,
    local,
    one_line,
    opened,
    safe_json,
    tell,
)
from agent.cli.progress import silence, watching
from agent.cli.sync import on_a_copy
from agent.config import Config
from agent.errors import NeedsHuman, Rejected, Retry
from agent.flow import utc_now
from agent.replay import Difference
from agent.replay import replay as fold_again
from agent.review import ACCEPT, BOTH, DECLINE, NONE, Case, give, keep, open_cases
from agent.store import Store
from agent.sync import settle
from agent.texts import say, word
from agent.undo import undo as take_back

SKIP, QUIT = "skip", "quit"


# -- review --------------------------------------------------------------------------------------------------------


def review(
    answer: Annotated[
        list[str] | None,
        typer.Option("--answer", help="KEY=DEAL[,DEAL], none, both, accept or decline; may be repeated."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="List the open cases, one JSON line each.")] = False,
    config: ConfigPath = None,
) -> None:
    """What waits for you, one case at a time: which deal, proposed moves and closings, doubted senders."""
    with opened(config) as (loaded, store):
        if answer:
            _give_all(loaded, store, answer)
        elif as_json:
            with store.reading() as tx:
                for case in open_cases(tx, loaded.pipelines):
                    print(safe_json(msgspec.json.encode(case).decode()))
        else:
            _ask(loaded, store)


def _give_all(config: Config, store: Store, given: Sequence[str]) -> None:
    """All of them or none: a script's slip must not leave half of its answers."""
    with store.transaction() as tx:
        for one in given:
            key, equals, said = one.rpartition("=")
            if not equals:
                raise typer.BadParameter(say("review.form", given=one), param_hint="--answer")
            give(tx, config.pipelines, key, said.strip(), getpass.getuser(), utc_now())
    tell(say("review.kept", count=len(given)))
    _follow(config, store)


def _ask(config: Config, store: Store) -> None:
    """One case after the other, as they are after the answers before; a skipped one comes again another time."""
    put_off: set[str] = set()
    answered = 0
    while True:
        with store.reading() as tx:
            cases = [c for c in open_cases(tx, config.pipelines) if c.key not in put_off]
        if not cases:
            break
        tell("")
        _show(cases[0], len(cases))
        said = _heard(cases[0])
        if said == QUIT:
            break
        if said == SKIP:
            put_off.add(cases[0].key)
            continue
        try:
            with store.transaction() as tx:
                give(tx, config.pipelines, cases[0].key, said, getpass.getuser(), utc_now())
        except Rejected as error:  # somebody else has answered meanwhile, or a deal has gone
            complain(error)
            put_off.add(cases[0].key)
            continue
        answered += 1
        _follow(config, store)
    if answered or put_off or cases:
        tell(say("review.kept", count=answered))
    else:
        tell(say("review.nothing"))


def _show(case: Case, left: int) -> None:
    who = f"  {case.client or case.deal}" if case.client or case.deal else ""
    tell(f"{word('review', case.kind)} {say('review.left', count=left)}{who}")
    tell(f"{local(case.at)}  {one_line(case.subject)}  [{case.evidence}]", indent=2)
    for place in case.seen_in:
        tell(place, indent=2)
    if case.quote:
        tell(f"“{one_line(case.quote)}”", indent=2)
    if case.kind == "which_deal":
        _show_choices(case)
    elif case.kind == "record":
        tell(say("review.new_deal", name=case.proposal, why=case.why), indent=2)
        for number, pipeline in enumerate(_options(case), 1):
            tell(f"{number}. {pipeline}", indent=2)
    elif case.kind != "spoof":
        what = word("objection", case.proposal) if case.kind == "objection" else case.proposal
        tell(say("review.proposal", deal=f"{case.deal_id} {case.deal}", what=what, why=case.why), indent=2)


def _show_choices(case: Case) -> None:
    for number, one in enumerate(case.choices, 1):
        reasons = ", ".join(f"{r.name} {r.weight:+g}" + (f" ({r.detail})" if r.detail else "") for r in one.reasons)
        deal = f"{one.deal_id} {one.name}"
        tell(say("explain.candidate", mark=f"{number}.", deal=deal, score=one.score, reasons=reasons), indent=2)
    if case.letters > 1:
        tell(say("review.whole_thread", count=case.letters), indent=2)


def _options(case: Case) -> list[str]:
    """The deals, or the pipelines of a new deal, between which a person chooses by number."""
    return [one for one in case.answers if one not in (NONE, BOTH, ACCEPT, DECLINE)]


def _heard(case: Case) -> str:
    """What a person types, as an answer; whatever is no answer is asked again; the end of the input is quit."""
    offered = [NONE, BOTH] if case.kind == "which_deal" else [a for a in (ACCEPT, DECLINE) if a in case.answers]
    offered += [SKIP, QUIT]
    names = {name.casefold(): one for one in offered for name in (one, one[0], *say(f"answer_key.{one}").split("/"))}
    names |= {str(n): option for n, option in enumerate(_options(case), 1)}
    words = [f"1-{len(_options(case))}"] if _options(case) else []
    words += [say(f"answer.{one}", key=say(f"answer_key.{one}").partition("/")[0]) for one in offered]
    while True:
        tell(", ".join(words) + "?")
        try:
            said = input().strip().casefold()
        except EOFError:
            return QUIT
        if said in names:
            return names[said]


# -- undo ----------------------------------------------------------------------------------------------------------


def undo(
    key: Annotated[str, typer.Argument(help="A key, as `explain`, `export` and `status` show it, or a Message-ID.")],
    redo: Annotated[bool, typer.Option("--redo", help="Let it stand after all.")] = False,
    config: ConfigPath = None,
) -> None:
    """Take back one write, what followed from it, and nothing else; it is not made again."""
    with opened(config) as (loaded, store):
        with store.transaction() as tx:
            keep(tx, take_back(tx, key, redo=redo), getpass.getuser(), utc_now())
        tell(say("undo.redone" if redo else "undo.done", key=key))
        _follow(loaded, store)


def _follow(config: Config, store: Store) -> None:
    """What follows from an answer is written now, if the flow is free; else whoever runs it does it."""
    try:
        with lease(store), flow_of(config, store) as flow:
            settle(flow)
    except Running:
        complain(say("review.daemon"))
    except (Retry, NeedsHuman) as error:
        complain(say("review.later", error=error))


# -- replay --------------------------------------------------------------------------------------------------------


def replay(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be said otherwise; change nothing.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Without progress.")] = False,
    as_json: Json = False,
    config: ConfigPath = None,
) -> None:
    """Fold every client again with today's rules, weights, model and config; tell and deliver what differs."""
    watch = silence if quiet else watching
    with opened(config) as (loaded, store):
        try:
            if dry_run:
                with on_a_copy(loaded, store, watch) as flow:
                    found = fold_again(flow)
            else:
                with lease(store), watch() as show, flow_of(loaded, store) as flow:
                    flow.tell = show
                    found = fold_again(flow)
                    settle(flow)
        except Running as error:
            complain(error)
            raise typer.Exit(RUNNING) from None
    if as_json:
        print(safe_json(json.dumps([msgspec.to_builtins(d) for d in found], ensure_ascii=False)))
        return
    tell(say("replay.would_differ" if dry_run else "replay.differs", count=len(found)))
    for one in found:
        _tell_difference(one)


def _tell_difference(one: Difference) -> None:
    before, after = (text or say("replay.nothing") for text in (one.before, one.after))
    why = f" ({one_line(one.why)})" if one.why else ""
    tell(f"{word('replay', one.kind)} {one.key}: {before} -> {after}{why}", indent=2)
