"""Letters matched a second on one core, against 10,000 contacts and 5,000 open deals.

Whose each letter is, which deal it is about, and what it proves, from the addresses to the history: all that a fold
does. Reading and storing are not in it.
"""

import argparse
import os
import random
import time
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from statistics import median

from agent.clients import Directory
from agent.history import fold
from agent.known import Client, Seen
from agent.model import Address, Company, Contact, Deal, Message, MilestoneRead, Pipeline, Reading, Span, Stage

GOAL = 2_000  # letters a second
NOW = datetime(2026, 6, 30, tzinfo=UTC)
OURS = "anna@quayside.example"
GOODS = "silo sifter conveyor hoist kiln dryer separator oven crane loader loom furnace boat mixer press pump".split()
PLACES = "Hull Whitby Leeds Derby Stroud Wells Ripon Truro Ely Bath Lincoln Durham Exeter Hythe Rye Thame".split()
TALK = (
    "please could you send the drawing again before the board meets next week and tell us whether the price still "
    "holds for the second line as well since our engineer has asked how long the works would stand still and who "
    "carries the cost of the crane if the weather turns"
).split()
PIPELINE = Pipeline(
    name="New business",
    mode="auto",
    stages=(
        Stage(name="lead"),
        Stage(name="contact", reached_by=("contact_established",)),
        Stage(name="proposal", reached_by=("proposal_sent",)),
        Stage(name="negotiation", reached_by=("negotiation",)),
        Stage(name="won", reached_by=("payment_confirmed",), kind="won"),
    ),
)


def main(arguments: list[str]) -> None:
    options = argparse.ArgumentParser(prog="python -m bench match", description=__doc__)
    options.add_argument("--contacts", type=int, default=10_000)
    options.add_argument("--deals", type=int, default=5_000)
    options.add_argument("--letters", type=int, default=20_000)
    options.add_argument("--runs", type=int, default=3)
    chosen = options.parse_args(arguments)
    people = _crm(chosen.contacts, chosen.deals)
    written = _letters(people, chosen.letters)
    speeds = [len(written) / _seconds(people, written) for _ in range(chosen.runs)]
    print(
        f"{chosen.contacts} contacts, {chosen.deals} open deals, {len(written)} letters; load {os.getloadavg()[0]:.1f}"
    )
    spread = f"spread {min(speeds):,.0f}-{max(speeds):,.0f}"
    print(f"  {median(speeds):,.0f} letters matched a second on one core ({spread}; goal {GOAL:,})")


def _seconds(people: Directory, written: Sequence[tuple[Message, int]]) -> float:
    """Processor time from the letters' addresses to the histories of all clients."""
    began = time.process_time()
    of_client: dict[str, list[Seen]] = defaultdict(list)
    for message, thread in written:
        for client in _clients(people, message):
            of_client[client].append(_seen(people, client, message, thread))
    for client, seen in of_client.items():
        companies, contacts, deals = people.members(client)
        facts = Client(
            key=client,
            companies=tuple(companies),
            contacts=tuple(contacts),
            deals=tuple(deals),
            pipelines={PIPELINE.name: PIPELINE},
            own=frozenset([OURS]),
            products=people.products,
        )
        fold(facts, seen, [], NOW)
    return time.process_time() - began


def _crm(contacts: int, deals: int) -> Directory:
    """Companies with four people and two open deals each, named by what is sold and where."""
    chance = random.Random(7)
    size = max(1, deals // 2)
    companies = [Company(id=f"c{n}", name=f"Works {n}", domains=(f"works{n}.example",)) for n in range(size)]
    people = [
        Contact(id=f"p{n}", name=f"Person {n}", emails=(f"p{n}@works{n % size}.example",), company_id=f"c{n % size}")
        for n in range(contacts)
    ]
    open_ones = [
        Deal(
            id=f"d{n}",
            name=f"{chance.choice(GOODS)} @ {chance.choice(PLACES)}",
            company_id=f"c{n % size}",
            contact_ids=(f"p{n % size}",),
            owner="anna",
            pipeline=PIPELINE.name,
            stage="lead",
            status="open",
            created_at=NOW - timedelta(days=180),
            external_numbers=(f"OF-{n:05}",),
        )
        for n in range(deals)
    ]
    return Directory.of(companies, people, open_ones)


def _letters(people: Directory, count: int) -> list[tuple[Message, int]]:
    """Letters in threads of about five, to and fro; one in three names what it is about."""
    chance = random.Random(11)
    deals = [*people.deals.values()]
    busy = deals[: max(1, count // 20)]  # with about twenty letters each, as over half a year
    about = [chance.choice(busy) for _ in range(count // 5 + 1)]
    return [(_letter(chance, about[n // 5], n), n // 5) for n in range(count)]


def _letter(chance: random.Random, deal: Deal, number: int) -> Message:
    client = f"{deal.contact_ids[0]}@works{(deal.company_id or 'c0')[1:]}.example"
    told = f" {deal.name}" if number % 3 == 0 else f" {deal.external_numbers[0]}" if number % 10 == 1 else ""
    sender, to = (client, OURS) if number % 2 else (OURS, client)
    return Message(
        key=f"m{number}",
        message_id=f"<{number}@letters.example>",
        date=NOW - timedelta(days=150) + timedelta(minutes=10 * number),
        subject="Re: our talk" if number % 5 else f"Question {number}",
        from_=(Address(email=sender),),
        to=(Address(email=to),),
        text=" ".join(chance.choices(TALK, k=60)) + told + ".",
    )


def _clients(people: Directory, message: Message) -> set[str]:
    return {c for a in (*message.from_, *message.to) if a.email != OURS for c in people.clients_of(a.email)}


def _seen(people: Directory, client: str, message: Message, thread: int) -> Seen:
    outside = [a.email for a in (*message.from_, *message.to) if a.email != OURS]
    who = [people.identify(email) for email in outside]
    inbound = message.from_[0].email != OURS
    proves = ("contact_established" if inbound else "proposal_sent",) if thread % 4 == 0 else ()
    said = Span(quote=message.text[:20], start=0, end=20)
    return Seen(
        key=message.key,
        record=message,
        direction="inbound" if inbound else "outbound",
        verified="authenticated" if inbound else "sent",
        thread=thread,
        owners=frozenset(["anna"]),
        outside=frozenset(outside),
        contact_ids=frozenset(i for w in who for i in w.contact_ids),
        company_ids=frozenset(i for w in who for i in w.company_ids),
        claims_client=inbound,
        new_text=message.text,
        reading=Reading(
            version="bench",
            language="en",
            milestones=tuple(MilestoneRead(name=name, confidence=0.9, evidence=said) for name in proves),
        ),
    )
