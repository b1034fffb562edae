"""Small records for the tests of the core: written as one would tell them, filled up with what does not matter."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from agent.clients import Directory
from agent.known import Client, Seen, Unknown
from agent.model import (
    Address,
    Attachment,
    Attendee,
    Company,
    Contact,
    Cut,
    Deal,
    Direction,
    HandoffRule,
    Meeting,
    Message,
    MilestoneRead,
    ObjectionRead,
    Pipeline,
    Reading,
    SettlingRead,
    Span,
    Stage,
    StageEvent,
    Takes,
)
from agent.whose import names_shown
from classifiers.clean import new_text

OUR_DOMAIN = "quayside.example"
ANNA, BORIS = f"anna@{OUR_DOMAIN}", f"boris@{OUR_DOMAIN}"
REPS = {ANNA: "anna", BORIS: "boris"}
YEAR = 2026

STAGES = (
    Stage(name="lead"),
    Stage(name="contact", reached_by=("contact_established",)),
    Stage(name="meeting", reached_by=("meeting_held",)),
    Stage(name="qualified", reached_by=("needs_identified", "proposal_requested")),
    Stage(name="proposal", reached_by=("proposal_sent", "proposal_received")),
    Stage(name="negotiation", reached_by=("negotiation",)),
    Stage(name="contract", reached_by=("contract_sent", "contract_approval")),
    Stage(name="payment", reached_by=("contract_signed", "invoice_sent")),
    Stage(name="won", reached_by=("payment_confirmed",), kind="won"),
    Stage(name="lost", reached_by=("lost",), kind="lost"),
    Stage(name="on_hold", reached_by=("postponed",), kind="hold"),
)


def day(text: str) -> datetime:
    """ "03-02" or "03-02 14:30" of the year in which everything here happens."""
    when = datetime.fromisoformat(f"{YEAR}-{text}")
    return when.replace(tzinfo=UTC) if " " in text else when.replace(hour=9, tzinfo=UTC)


def pipeline(
    mode: str = "auto",
    terminal: str = "propose",
    create_deals: str = "propose",
    name: str = "New business",
    takes: Mapping[str, Sequence[str]] | None = None,
) -> Pipeline:
    return Pipeline(
        name=name,
        stages=STAGES,
        mode="auto" if mode == "auto" else "propose",
        terminal="auto" if terminal == "auto" else "propose",
        create_deals=create_deals,  # type: ignore[arg-type]  # the tables say which words are allowed
        takes=Takes(**{key: tuple(values) for key, values in (takes or {}).items()}),
    )


def company(id_: str, name: str, *domains: str) -> Company:
    return Company(id=id_, name=name, domains=domains)


def contact(id_: str, *emails: str, of: str | None = None, name: str = "") -> Contact:
    return Contact(id=id_, name=name or id_.title(), emails=emails, company_id=of)


def deal(
    id_: str,
    name: str,
    *people: str,
    of: str | None = None,
    owner: str = "anna",
    number: str = "",
    made: str = "01-05",
    closed: str = "",
    events: Sequence[tuple[str, str]] = (),
) -> Deal:
    """`events`: (day, stage) of the moves that a person made."""
    return Deal(
        id=id_,
        name=name,
        company_id=of,
        contact_ids=people,
        owner=owner,
        pipeline="New business",
        stage="lead",
        status="open",
        created_at=day(made),
        closed_at=day(closed) if closed else None,
        external_numbers=(number,) if number else (),
        events=tuple(StageEvent(stage=stage, date=day(when), by="human") for when, stage in events),
    )


def span(quote: str, text: str) -> Span:
    """Where a quote stands; a quote that does not stand there is a slip of the test's author."""
    return Span(quote=quote, start=text.index(quote), end=text.index(quote) + len(quote))


def milestone(name: str, text: str, sure: float = 0.95) -> MilestoneRead:
    return MilestoneRead(name=name, confidence=sure, evidence=span(text, text), by="rule")


def objection(
    type_: str, text: str, *, reason: str = "", condition: str = "", quote: str = "", sure: float = 0.95
) -> ObjectionRead:
    return ObjectionRead(
        type=type_,
        genuine=bool(reason or condition),
        confidence=sure,
        evidence=span(quote or text, text),
        reason=span(reason, text) if reason else None,
        condition=span(condition, text) if condition else None,
        by="rule",
    )


def reading(
    milestones: Sequence[MilestoneRead] = (),
    objections: Sequence[ObjectionRead] = (),
    automated: str = "",
    matter: str = "",
    cuts: Sequence[Cut] = (),
    settling: Sequence[SettlingRead] = (),
) -> Reading:
    return Reading(
        cuts=tuple(cuts),
        version="test",
        language="en",
        milestones=tuple(milestones),
        objections=tuple(objections),
        settling=tuple(settling),
        automated=automated,  # type: ignore[arg-type]  # the tables say which words are allowed
        business=not matter,
        matter=matter,  # type: ignore[arg-type]
    )


def letter(
    key: str,
    on: str,
    from_: str,
    *to: str,
    cc: Sequence[str] = (),
    subject: str = "",
    text: str = "",
    files: Sequence[str] = (),
    name: str = "",
    signs: str = "",
) -> Message:
    """`name`: as the sender's mail program shows it; `signs`: the lines of his signature."""
    return Message(
        key=key,
        message_id=f"<{key}@mail.example>",
        date=day(on),
        subject=subject,
        from_=(Address(email=from_, name=name),),
        to=tuple(Address(email=email) for email in to),
        cc=tuple(Address(email=email) for email in cc),
        text=f"{text}\n\n{signs}" if signs else text,
        attachments=tuple(Attachment(name=name, content_type="application/pdf", size=1) for name in files),
    )


def meeting(
    key: str,
    on: str,
    title: str,
    *guests: str,
    host: str = ANNA,
    hours: float = 1,
    answers: Mapping[str, str] | None = None,
    status: str = "confirmed",
    text: str = "",
    series: bool = False,
    all_day: bool = False,
) -> Meeting:
    said = answers or {}
    return Meeting(
        key=key,
        uid=key,
        recurrence_id=day(on).isoformat() if series else None,
        sequence=0,
        title=title,
        start=day(on),
        end=day(on) + timedelta(hours=hours),
        status=status,  # type: ignore[arg-type]
        description=text,
        all_day=all_day,
        organizer=Attendee(email=host),
        attendees=tuple(
            Attendee(email=email, answer=said.get(email, "accepted"))  # type: ignore[arg-type]
            for email in dict.fromkeys((host, *guests))
        ),
    )


def is_ours(email: str) -> bool:
    return email.endswith("@" + OUR_DOMAIN)


def addresses(record: Message | Meeting) -> list[str]:
    if isinstance(record, Message):
        found = [a.email for a in (*record.from_, *record.to, *record.cc)]
    else:
        found = [a.email for a in record.attendees]
    return list(dict.fromkeys(found))


def seen(
    record: Message | Meeting,
    people: Directory,
    client: str,
    *,
    thread: int = 0,
    sender: str = "",
    mailbox: str = "",
    read: Reading | None = None,
    gone: bool = False,
) -> Seen:
    """One activity as the fold sees it: who takes part in it, as the CRM knows them."""
    read = read or reading()
    everybody = addresses(record)
    outside = [email for email in everybody if not is_ours(email)]
    shown = names_shown(record, sender, is_ours)
    who = [people.recognize(email, shown.get(email, "")) for email in outside]
    first = record.from_[0].email if isinstance(record, Message) else everybody[0]
    direction: Direction = "outbound" if is_ours(first) else "inbound"
    sent = direction == "outbound" or isinstance(record, Meeting)
    return Seen(
        key=record.key,
        record=record,
        direction=direction,
        verified=sender or ("sent" if sent else "authenticated"),
        thread=thread,
        owners=(owners := frozenset([mailbox] if mailbox else [REPS[e] for e in everybody if e in REPS])),
        sources=owners,
        outside=frozenset(outside),
        contact_ids=frozenset(i for w in who for i in w.contact_ids),
        company_ids=frozenset(i for w in who for i in w.company_ids),
        claims_client=client in people.clients_of(first),
        new_text=new_text(record.text, read.cuts) if isinstance(record, Message) else record.description,
        reading=read,
        gone=gone,
    )


def client_of(
    key: str,
    people: Directory,
    mode: str = "auto",
    terminal: str = "propose",
    letters: Mapping[str, Sequence[Seen]] | None = None,
    pipelines: Sequence[Pipeline] = (),
    rules: Sequence[HandoffRule] = (),
) -> Client:
    """The CRM's facts on one client, and the one pipeline that there is; `letters` of all clients."""
    companies, contacts, deals = people.members(key)
    return Client(
        key=key,
        companies=tuple(companies),
        contacts=tuple(contacts),
        deals=tuple(deals),
        pipelines={p.name: p for p in pipelines or [pipeline(mode, terminal)]},
        own=frozenset(REPS),
        products=people.products,
        reps=REPS,
        handoffs=tuple(rules),
        unknown=unknown(key, people, letters or {}),
        nameless=people.nameless,
    )


def unknown(client: str, people: Directory, letters: Mapping[str, Sequence[Seen]]) -> dict[str, Unknown]:
    told = people.unknown(client, {email for one in letters.get(client, ()) for email in one.outside})
    elsewhere: dict[str, datetime] = {}
    for other, seen_ones in letters.items():
        for one in seen_ones if other != client else ():
            for email in one.outside:
                elsewhere[email] = min(elsewhere.get(email, one.at), one.at)
    return {email: Unknown(company_id=told[email], elsewhere=elsewhere.get(email)) for email in told}
