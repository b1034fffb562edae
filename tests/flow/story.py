"""Two clients' spring in letters: requests, offers, objections, a contract; some of it in several mailboxes."""

from datetime import timedelta
from typing import NamedTuple

from tests.flow.company import ANNA, BORIS, OLEG, START, VERA, CompanyWorld, letter

KATE = "kate@harbour.example"  # nobody has typed her into the CRM


class Post(NamedTuple):
    """One delivery: into which mailbox, into which folder, what."""

    mailbox: str
    folder: str
    raw: bytes

    def arrive(self, world: CompanyWorld) -> None:
        world.receive(self.mailbox, self.raw, folder=self.folder)


def _days(days: float) -> timedelta:
    return timedelta(days=days)


def story() -> list[Post]:
    """In the order of its own time."""
    ask = letter(VERA, ANNA, "Freezer room", "Could you send us a quotation for a freezer room of 40 m2?", name="ask")
    both = letter(
        KATE,
        (ANNA, BORIS),
        "Plans of the hall",
        "Here are the plans of the hall for the freezer room. The ceiling is 4 m high.",
        at=START + _days(1),
        name="plans",
    )
    offer = letter(
        ANNA,
        VERA,
        "Re: Freezer room",
        "Please find attached our offer for the freezer room.",
        at=START + _days(2),
        name="offer",
        answers="ask",
        cc=(BORIS,),
        attachment="Offer_4471.pdf",
    )
    dear = letter(
        VERA,
        ANNA,
        "Re: Freezer room",
        "Thank you for the offer. It is too expensive for us: a competitor asks 31 a metre, you want 44.",
        at=START + _days(3),
        name="dear",
        answers="offer",
    )
    order = letter(
        VERA,
        ANNA,
        "Re: Freezer room",
        "The signed contract is attached.",
        at=START + _days(9),
        name="order",
        answers="dear",
        attachment="Contract_signed.pdf",
    )
    ovens = letter(
        OLEG, BORIS, "Ovens", "Please send us an offer for three deck ovens.", at=START + _days(4), name="ovens"
    )
    reply = letter(
        BORIS,
        OLEG,
        "Re: Ovens",
        "Attached is our quotation for the three ovens.",
        at=START + _days(5),
        name="ovens offer",
        answers="ovens",
        cc=(ANNA,),
    )
    later = letter(
        OLEG,
        BORIS,
        "Re: Ovens",
        "We'll think about it.",
        at=START + _days(6),
        name="thinking",
        answers="ovens offer",
    )
    stranger = letter(
        "pia@quay.example", ANNA, "Cold store", "Could you send us a price list?", at=START + _days(7), name="pia"
    )
    inside = letter(BORIS, ANNA, "Lunch", "Shall we have lunch at one?", at=START + _days(8), name="lunch")
    return [
        Post("anna", "INBOX", ask),
        Post("anna", "INBOX", both),
        Post("boris", "INBOX", both),
        Post("anna", "Sent", offer),
        Post("boris", "INBOX", offer),
        Post("anna", "INBOX", dear),
        Post("boris", "INBOX", ovens),
        Post("boris", "Sent", reply),
        Post("anna", "INBOX", reply),
        Post("boris", "INBOX", later),
        Post("anna", "INBOX", stranger),
        Post("boris", "Sent", inside),
        Post("anna", "INBOX", inside),
        Post("anna", "INBOX", order),
    ]
