"""A made-up company in a few lines: its CRM, its mailboxes and calendars, and a clock that the test turns."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Table, select

from agent import importing
from agent import reconcile as proving
from agent.config import Config, Exclude, SourceConfig, load
from agent.deliver import CrmUnreachable
from agent.exporting import export
from agent.flow import Flow, house_of, open_crm
from agent.model import Company, Contact, Deal, Pipeline, Rep
from agent.store import Store, memberships, mirror
from agent.store.tables import metadata
from agent.sync import sync
from agent.workers import InProcess, Workers
from connectors.base import Crm, Scope
from connectors.crm.memory import MemoryCrm
from connectors.mail.memory import MemoryMailbox

MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # for stores that need not survive: no disk is waited for
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)  # a Monday
ANNA, BORIS = "anna@ours.example", "boris@ours.example"
VERA, OLEG = "vera@harbour.example", "oleg@mill.example"
SERVER = "mx.ours.example"

STAGES = (
    ("lead", ()),
    ("contact", ("contact_established",)),
    ("meeting", ("meeting_held",)),
    ("qualified", ("needs_identified", "proposal_requested")),
    ("proposal", ("proposal_sent", "proposal_received")),
    ("negotiation", ("negotiation",)),
    ("contract", ("contract_sent", "contract_approval")),
    ("payment", ("contract_signed", "invoice_sent")),
    ("won", ("payment_confirmed",)),
    ("lost", ("lost",)),
    ("on_hold", ("postponed",)),
)

CRM: dict[str, Any] = {
    "as_of": "2026-03-01T00:00:00+00:00",
    "own_domains": ["ours.example"],
    "reps": [
        {"id": "anna", "name": "Anna Berg", "email": ANNA, "tz": "UTC"},
        {"id": "boris", "name": "Boris Lind", "email": BORIS, "tz": "UTC"},
    ],
    "pipelines": [{"name": "New business", "stages": [name for name, _ in STAGES]}],
    "companies": [
        {"id": "harbour", "name": "Harbour Foods", "domains": ["harbour.example"]},
        {"id": "mill", "name": "Mill Bakery", "domains": ["mill.example"]},
    ],
    "contacts": [
        {"id": "vera", "name": "Vera Pole", "emails": [VERA], "company_id": "harbour"},
        {"id": "oleg", "name": "Oleg Stein", "emails": [OLEG], "company_id": "mill"},
    ],
    "deals": [
        {
            "id": "freezer",
            "name": "Freezer room",
            "company_id": "harbour",
            "contact_ids": ["vera"],
            "owner": "anna",
            "pipeline": "New business",
            "stage": "lead",
            "created_at": "2026-02-20T00:00:00+00:00",
        },
        {
            "id": "ovens",
            "name": "Deck ovens",
            "company_id": "mill",
            "contact_ids": ["oleg"],
            "owner": "boris",
            "pipeline": "New business",
            "stage": "lead",
            "created_at": "2026-02-20T00:00:00+00:00",
        },
    ],
}

CONFIG = """
[organization]
domains = ["ours.example"]
authserv_ids = ["mx.ours.example"]

[store]
url = "sqlite:///{folder}/store.db"
{sources}
[[pipeline]]
name = "New business"
mode = "auto"
terminal = "auto"
{stages}
"""


@dataclass
class Clock:
    """The time; it moves only when the test turns it."""

    at: datetime = START + timedelta(days=60)

    def __call__(self) -> datetime:
        return self.at

    def turn(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)

    def seconds(self) -> float:
        return self.at.timestamp()


def letter(
    sender: str,
    to: str | Sequence[str],
    subject: str,
    text: str,
    *,
    at: datetime = START,
    name: str | None = None,
    answers: str | None = None,
    cc: Sequence[str] = (),
    verdict: str = "dmarc=pass",
    headers: Sequence[tuple[str, str]] = (),
    attachment: str | None = None,
) -> bytes:
    """A letter as bytes. `name`: of its Message-ID; `answers`: the name of the letter to which it is an answer."""
    message = EmailMessage()
    if verdict:
        message["Authentication-Results"] = f"{SERVER}; {verdict} header.from={sender.partition('@')[2]}"
    message["From"] = sender
    message["To"] = to if isinstance(to, str) else ", ".join(to)
    if cc:
        message["Cc"] = ", ".join(cc)
    message["Subject"] = subject
    message["Date"] = format_datetime(at)
    message["Message-ID"] = message_id(name or f"{subject} {at:%d%H%M%S}")
    if answers:
        message["In-Reply-To"] = message["References"] = message_id(answers)
    for key, value in headers:
        message[key] = value
    message.set_content(text + "\n")
    if attachment:
        message.add_attachment(b"made-up", maintype="application", subtype="pdf", filename=attachment)
    return message.as_bytes()


def dated(raw: bytes) -> datetime:
    """A letter arrives when it was written."""
    return parsedate_to_datetime(message_from_bytes(raw)["Date"])


def message_id(name: str) -> str:
    return f"<{name.replace(' ', '.').replace(':', '')}@letters.example>"


def event(
    uid: str,
    title: str,
    start: datetime,
    *,
    hours: float = 1,
    guests: Sequence[str] = (VERA,),
    organizer: str = ANNA,
    answers: dict[str, str] | None = None,
    sequence: int = 0,
    lines: Iterable[str] = (),
    more: str = "",
) -> str:
    """A calendar file with one event; `lines` go into it as they are, `more` are further VEVENTs."""
    attendees = [
        f"ATTENDEE;PARTSTAT={(answers or {}).get(email, 'NEEDS-ACTION')}:mailto:{email}" for email in (ANNA, *guests)
    ]
    body = [
        "BEGIN:VEVENT",
        f"UID:{uid}",
        f"SEQUENCE:{sequence}",
        "DTSTAMP:20260301T000000Z",
        f"LAST-MODIFIED:20260301T{sequence:06d}Z",
        f"SUMMARY:{title}",
        f"DTSTART:{_ical(start)}",
        f"DTEND:{_ical(start + timedelta(hours=hours))}",
        f"ORGANIZER:mailto:{organizer}",
        *attendees,
        *lines,
        "END:VEVENT",
    ]
    head = ("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//made up//EN")
    return "\r\n".join((*head, *body, *([more] if more else []), "END:VCALENDAR", ""))


def _ical(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


class CompanyWorld:
    """The company and all that dealscribe knows of it; `sync` runs the flow once."""

    def __init__(
        self,
        folder: Path,
        mailboxes: Sequence[str] = ("anna", "boris"),
        calendars: Sequence[str] = (),
        hosted: bool = False,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.clock = Clock()
        self.config = _config(folder, mailboxes, calendars, self.clock())
        self.store = Store(self.config.store.url)
        self.hosted = MemoryCrm(now=self.clock.seconds) if hosted else None
        self.parsers: Workers = InProcess()

    # -- what people do -------------------------------------------------------------------------------------------

    def mailbox(self, name: str) -> MemoryMailbox:
        """A mailbox with its verbs; every call gives the same box."""
        found = self.source(name)
        return MemoryMailbox(name, found.owner, found.options, Scope(since=START - timedelta(days=60)))

    def receive(self, name: str, raw: bytes, *, folder: str = "INBOX", labels: Sequence[str] = ()) -> str:
        """A letter arrives in a mailbox; gives its ref."""
        return self.mailbox(name).deliver(raw, folder, received=dated(raw), labels=labels)

    def send(self, name: str, raw: bytes) -> str:
        """A rep's own letter lies in his folder of sent mail."""
        return self.receive(name, raw, folder="Sent")

    def enter(self, name: str, uid: str, text: str) -> None:
        """An event is entered into a calendar, or changed."""
        (self.folder / name / f"{uid}.ics").write_text(text, encoding="utf-8", newline="")

    def strike(self, name: str, uid: str) -> None:
        """An event is deleted."""
        (self.folder / name / f"{uid}.ics").unlink()

    def import_crm(self, rows: dict[str, Any] = CRM) -> importing.Imported:
        """What people typed into their CRM."""
        path = self.folder / "crm.json"
        path.write_text(json.dumps(rows), encoding="utf-8")
        return self.import_files(path)

    def import_files(self, *paths: Path) -> importing.Imported:
        parsed = importing.parse(paths)
        with self.store.transaction() as tx:
            before = mirror.directory(tx)
            done = importing.apply(tx, parsed, self.clock())
            memberships.regroup(tx, before, mirror.directory(tx), house_of(self.config, tx))
        return done

    def exclude(self, **rules: Any) -> None:
        """The admin adds to [exclude]."""
        self.config = replace(self.config, exclude=Exclude(**rules))

    # -- what dealscribe does -------------------------------------------------------------------------------------

    def source(self, name: str) -> SourceConfig:
        return next(s for s in self.config.sources if s.name == name)

    def flow(self, **parts: Any) -> Flow:
        crm: Crm = self.hosted or open_crm(self.config, self.store)
        made = {"config": self.config, "store": self.store, "crm": crm, "now": self.clock} | parts
        return Flow(**({"parsers": self.parsers, "readers": InProcess()} | made))

    def sync(self, *names: str) -> int:
        """Sync these sources, or all, and wait for a CRM that asks for patience; gives what the last run wrote."""
        wanted: Sequence[SourceConfig] = [self.source(n) for n in names] if names else self.config.sources
        return until_delivered(self.flow(), lambda flow: sync(flow, wanted).written, self.clock)

    def prove(self, name: str, *, repair: bool = False) -> proving.Proof:
        return proving.prove(self.flow(), self.source(name), repair=repair)

    # -- what can be seen -----------------------------------------------------------------------------------------

    def export(self) -> list[str]:
        """The export's lines, sorted: what is known, in whatever order it was learned."""
        with self.store.reading() as tx:
            return sorted(export(tx))

    def rows(self, kind: str) -> list[dict[str, Any]]:
        """The export's rows of one kind: message, meeting, stage, objection, deal, ..."""
        return [row for line in self.export() if (row := json.loads(line))["kind"] == kind]

    def message(self, name: str) -> dict[str, Any]:
        """The one exported row of the letter with this name."""
        (found,) = [row for row in self.rows("message") if row["message_id"] == message_id(name)]
        return found

    def meeting(self, uid: str) -> dict[str, Any]:
        (found,) = [row for row in self.rows("meeting") if row["uid"] == uid]
        return found

    def stages(self, deal_id: str = "freezer", state: str = "written") -> list[str]:
        """The stages that dealscribe gave a deal, in the order of time."""
        found = [r for r in self.rows("stage") if r["deal_id"] == deal_id and (r["by"], r["state"]) == ("agent", state)]
        return [r["stage"] for r in sorted(found, key=lambda r: r["date"])]

    def deal(self, deal_id: str = "freezer") -> dict[str, Any]:
        return next(row for row in self.rows("deal") if row["id"] == deal_id)

    def table(self, table: Table) -> list[Any]:
        with self.store.reading() as tx:
            return list(tx.execute(select(table)))

    def dump(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every row of every table."""
        return {t.name: sorted((tuple(row) for row in self.table(t)), key=repr) for t in metadata.sorted_tables}

    def bytes_on_disk(self) -> bytes:
        """Everything in the store's files, the write-ahead log too."""
        return b"".join(path.read_bytes() for path in sorted(self.folder.glob("store.db*")))


def until_delivered(flow: Flow, run: Callable[[Flow], int], clock: Clock) -> int:
    """Run, and come back to a CRM that asks for patience for as long as it does."""
    written = 0
    for _ in range(1_000):
        try:
            return written + run(flow)
        except CrmUnreachable as error:
            clock.turn(error.after if error.after is not None else 600)
    raise AssertionError("the CRM never took everything")


def fill(crm: MemoryCrm, rows: dict[str, Any] = CRM) -> None:
    """Type the same facts into a hosted CRM."""
    tables: Sequence[tuple[str, type[Any]]] = (
        ("reps", Rep),
        ("companies", Company),
        ("contacts", Contact),
        ("deals", Deal),
    )
    crm.add(*load_pipelines())
    for table, model in tables:
        defaults: dict[str, Any] = {"closed_at": None, "status": "open"} if model is Deal else {}
        crm.add(*(msgspec.convert(defaults | row, model) for row in rows[table]))


def load_pipelines() -> tuple[Pipeline, ...]:
    stages = [{"name": n, "reached_by": by, "kind": n if n in ("won", "lost") else "open"} for n, by in STAGES]
    return (msgspec.convert({"name": "New business", "stages": stages}, Pipeline),)


def replace(record: Any, **values: Any) -> Any:
    """The same record with other values."""
    return msgspec.structs.replace(record, **values)


def in_batches(config: Config, size: int, kind: str = "memory") -> Config:
    """The mailboxes hand over so many letters at once; `kind`: the connector that does."""
    boxes = [replace(m, kind=kind, options=m.options.model_copy(update={"batch": size})) for m in config.mailboxes]
    return replace(config, mailboxes=tuple(boxes))


def _config(folder: Path, mailboxes: Sequence[str], calendars: Sequence[str], now: datetime) -> Config:
    tables = [
        f'[[mailbox]]\nname = "{n}"\nowner = "{_owner(n)}"\nkind = "memory"\nsince = "2026-01-01"' for n in mailboxes
    ]
    for name in calendars:
        (folder / name).mkdir()
        begin = f'[[calendar]]\nname = "{name}"\nowner = "{_owner(name)}"\n'
        tables.append(f'{begin}kind = "ics"\npath = "{name}"\nsince = "2026-01-01"')
    stages = [f'[[pipeline.stage]]\nname = "{n}"\nreached_by = {json.dumps(by)}' for n, by in STAGES]
    path = folder / "config.toml"
    text = CONFIG.format(folder=folder, sources="\n".join(tables), stages="\n".join(stages))
    path.write_text(text, encoding="utf-8")
    return load(path, env={}, now=now)


def _owner(source: str) -> str:
    return BORIS if source.startswith("boris") else ANNA
