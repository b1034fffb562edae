"""`check`, `import`, `export`: before the first sync, and beside other tools."""

import os
import sys
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from agent import importing
from agent.cli.common import NO, ConfigPath, opened, plain, safe_json, tell
from agent.config import Config
from agent.errors import NeedsHuman, Retry
from agent.exporting import export as export_rows
from agent.flow import house_of, open_crm, open_source, utc_now
from agent.store import Store, memberships, mirror
from agent.texts import say
from classifiers import manifest
from connectors.base import Finding, Source
from connectors.mail.authentication import is_of, parse_authentication_results, proposed_id
from connectors.mail.mime import parse

RECENT = 50  # letters whose Authentication-Results are looked at


class Format(StrEnum):
    """How rows are written."""

    jsonl = "jsonl"


def check(config: ConfigPath = None) -> None:
    """Is the configuration usable: connect to every source and the CRM, and say what was found."""
    with opened(config) as (loaded, store):
        for warning in loaded.warnings:
            tell(say("check.note", text=warning))
        if manifest.is_idle(loaded.reader.model):
            tell(say("check.note", text=say("check.idle_model", folder=loaded.reader.model)))
        failed = _check_crm(loaded, store)
        for source in loaded.sources:
            tell(say(f"check.{source.what}", name=source.name, kind=source.kind))
            opened_source = open_source(loaded, source, source.start(utc_now()), utc_now())
            try:
                failed |= _told(opened_source.check())
                if source.what == "mailbox":
                    _propose_authserv_ids(loaded, opened_source)
            except (NeedsHuman, Retry) as error:
                tell(f"  {say('check.problem', text=error)}")
                failed = True
            finally:
                opened_source.close()
    if failed:
        raise typer.Exit(NO)
    tell(say("check.ok"))


def _check_crm(config: Config, store: Store) -> bool:
    tell(say("check.crm", kind=config.crm.kind))
    try:
        return _told(open_crm(config, store).check())
    except (NeedsHuman, Retry) as error:
        tell(f"  {say('check.problem', text=error)}")
        return True


def _told(findings: Iterable[Finding]) -> bool:
    """Print what was found; is one of it a problem?"""
    failed = False
    for finding in findings:
        text = finding.text if finding.level == "ok" else say(f"check.{finding.level}", text=finding.text)
        tell(f"  {text}")
        if finding.suggest:
            tell(say("check.line", line=finding.suggest))
        failed |= finding.level == "problem"
    return failed


def _propose_authserv_ids(config: Config, source: Source) -> None:
    """Recent letters show whose verdict on senders our server writes; propose it when it is not configured."""
    recent = getattr(source, "recent_headers", None)
    if recent is None:
        return
    servers: Counter[str] = Counter()
    for raw in recent(RECENT):
        if hops := parse(raw).authentication_results:
            found = parse_authentication_results(hops[0][0])
            servers[found.authserv_id] += bool(found.results)
    servers += Counter()  # without those that found nothing out
    if servers and not any(is_of(server, config.organization.authserv_ids) for server in servers):
        best = plain(proposed_id(servers))
        tell("  " + say("check.authserv", servers=", ".join(sorted(server or '""' for server in servers))))
        tell(say("check.line", line=f'[organization] authserv_ids = ["{best}"]'))


def import_(
    files: Annotated[list[Path], typer.Argument(help="One JSON file, or CSV files named after their tables.")],
    config: ConfigPath = None,
) -> None:
    """Import companies, contacts and deals; importing again changes only what differs."""
    parsed = importing.parse(files)
    with opened(config) as (loaded, store), store.transaction() as tx:
        before = mirror.directory(tx)
        done = importing.apply(tx, parsed, datetime.now(UTC))
        memberships.regroup(tx, before, mirror.directory(tx), house_of(loaded, tx))
    for warning in done.warnings:
        tell(say("import.warning", text=warning))
    tell(say("import.done", new=done.new, changed=done.changed, same=done.same))


def export(
    format_: Annotated[Format, typer.Option("--format", help="How rows are written.")] = Format.jsonl,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A file, readable by you alone.")] = None,
    config: ConfigPath = None,
) -> None:
    """Everything that is known, one JSON line per letter, meeting, stage, objection and record."""
    with opened(config) as (_, store), store.reading() as tx:
        rows = map(safe_json, export_rows(tx))
        if output is None:
            for row in rows:
                sys.stdout.write(row + "\n")
            return
        try:
            with open(output, "w", encoding="utf-8", opener=_private) as file:
                file.writelines(row + "\n" for row in rows)
        except OSError as error:
            raise NeedsHuman(say("export.cannot", file=output, error=error.strerror)) from None


def _private(path: str, flags: int) -> int:
    """A file that only we may read, before anything is in it."""
    opened_file = os.open(path, flags, 0o600)
    os.fchmod(opened_file, 0o600)
    return opened_file
