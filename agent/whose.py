"""To whom a letter or a meeting belongs: by its people's addresses, by the names that they show, by its thread."""

from collections.abc import Callable, Iterable, Sequence, Set

from msgspec.structs import replace

from agent.clients import Directory, stranger
from agent.known import Seen
from agent.model import Meeting, Message

ACTS_FOR = 3  # clients of one thread at most: a greeting to all of them makes nobody their consultant
MAX_SHOWN = 50  # people of one letter whose names are looked at


def whose(own: set[str], of_thread: set[str], strangers: set[str]) -> set[str]:
    """To whom a letter belongs: by its own people; without a known one, by its thread; else it is a stranger's.

    Whoever belongs to no company may act for one: his letter in a client's thread is that client's too.
    """
    if own and all(client.startswith("contact:") for client in own) and len(own | of_thread) <= ACTS_FOR:
        return own | of_thread
    return own or of_thread or strangers


def clients_of_people(directory: Directory, outside: Sequence[str]) -> tuple[set[str], set[str]]:
    """The known clients of some outside addresses, and those who are strangers."""
    known: set[str] = set()
    strangers: set[str] = set()
    for email in outside:
        if found := directory.clients_of(email):
            known |= found
        else:
            strangers.add(stranger(email))
    return known, strangers


def names_shown(record: Message | Meeting, verified: str, is_ours: Callable[[str], bool]) -> dict[str, str]:
    """Address -> name of those outside who show one: who writes to us, or to whom we write, or whom we meet.

    What a letter calls somebody whom our server does not vouch for tells nothing.
    """
    if isinstance(record, Meeting):
        people: Iterable[tuple[str, str]] = ((a.email, a.name) for a in record.attendees[:MAX_SHOWN])
    elif any(is_ours(a.email) for a in record.from_):
        people = ((a.email, a.name) for a in (*record.to, *record.cc)[:MAX_SHOWN])
    else:
        people = ((a.email, a.name) for a in record.from_ if verified != "failed")
    return {email: name for email, name in people if name and not is_ours(email)}


def clients_by_record(
    directory: Directory, record: Message | Meeting, verified: str, is_ours: Callable[[str], bool]
) -> set[str]:
    """The clients of an activity whose addresses nobody knows: by its people's names; a meeting by its title too."""
    shown = names_shown(record, verified, is_ours)
    found = {c for email, name in shown.items() for c in directory.clients_behind(directory.recognize(email, name))}
    return found or (directory.clients_named(record.title) if isinstance(record, Meeting) else set())


def doubted(letters: Sequence[Seen], directory: Directory) -> list[Seen]:
    """Who is known by the name alone that he shows may be anybody, until one of us has written to that address."""
    heard = {email for one in letters if one.direction == "outbound" for email in one.outside}
    return [replace(one, verified="unknown") if _by_name_alone(one, directory, heard) else one for one in letters]


def _by_name_alone(one: Seen, directory: Directory, heard: Set[str]) -> bool:
    if one.verified != "authenticated" or not one.contact_ids or not isinstance(one.record, Message):
        return False
    return not any(directory.identify(a.email).how or a.email in heard for a in one.record.from_)
