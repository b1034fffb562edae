"""The single values of config.toml: what is accepted, and one sentence with the fix for what is not.

No sentence repeats the value itself: it may be an address, or a password in the wrong place.
"""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from difflib import get_close_matches
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, PlainValidator

from agent.model import MILESTONES, OBJECTION_TYPES

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400, "y": 365 * 86400}
_DURATION = re.compile(r"(-?\d{1,9}) ?([smhdwy])")
_DOMAIN = re.compile(r"[\w-]+(\.[\w-]+)+")
_REP_ID = re.compile(r"\w[\w.:-]{0,63}")


def parse_duration(value: object) -> timedelta:
    """ "60s", "5m", "1h", "90d", "12w", "3y". ValueError says what is wrong."""
    if isinstance(value, timedelta):
        return value
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError('must be a number and a unit in quotes, e.g. "60s", "5m", "1h", "90d", "3y"')
    seconds = int(match[1]) * _UNITS[match[2]]
    if seconds <= 0:
        raise ValueError('must be more than zero, e.g. "60s"')
    if seconds > 200 * _UNITS["y"]:
        raise ValueError('is longer than 200 years; write e.g. "3y"')
    return timedelta(seconds=seconds)


def parse_since(value: object) -> timedelta | datetime:
    """ "90d" (counted back from now) or a day, "2026-01-01". ValueError says what is wrong."""
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, date):
        return datetime.combine(value, time(), UTC)
    if isinstance(value, str) and _DURATION.fullmatch(value.strip()):
        return parse_duration(value)
    try:
        return parse_since(datetime.fromisoformat(str(value).strip()))
    except ValueError:
        raise ValueError('must be a span or a day, e.g. "90d" or "2026-01-01"') from None


def domain(value: str) -> str:
    if "@" in value or "/" in value or ":" in value:
        raise ValueError('must be a bare domain, e.g. "ours.example": without @, https:// or a path')
    if "*" in value:
        raise ValueError("must be without *: subdomains belong to a domain anyway")
    if not _DOMAIN.fullmatch(value.strip(".")):
        raise ValueError('is no domain; write e.g. "ours.example"')
    return value.strip(".").lower()


def email(value: str) -> str:
    if not is_email(value):
        raise ValueError('is no e-mail address; write e.g. "anna@ours.example"')
    return value.lower()


def is_email(value: str) -> bool:
    """Looks like name@domain."""
    before, _, after = value.rpartition("@")
    one_word = value.isprintable() and not any(c.isspace() for c in value)
    return bool(before) and "@" not in before and one_word and bool(_DOMAIN.fullmatch(after))


def owner(value: str) -> str:
    if not is_email(value) and not _REP_ID.fullmatch(value):
        raise ValueError('must be the rep\'s address, e.g. "anna@ours.example", or his id in the CRM')
    return value.lower() if "@" in value else value


def name(value: str) -> str:
    if not value.strip() or not value.isprintable() or len(value) > 100:
        raise ValueError('must be a short name on one line, e.g. "anna"')
    return value.strip()


def some(value: tuple[str, ...]) -> tuple[str, ...]:
    if not value:
        raise ValueError('must not be empty; list our own mail domains, e.g. ["ours.example"]')
    return value


def dkim_key(value: str) -> str:
    """A DKIM key as DNS gives it: its name, a blank, and its record, which `dig` writes in quoted pieces."""
    where, _, record = value.strip().partition(" ")
    where = where.rstrip(".").lower()
    record = "".join(piece for piece in record.split('"') if piece.strip()) if '"' in record else record.strip()
    tags = {tag.strip(): text.strip() for tag, _, text in (part.partition("=") for part in record.split(";"))}
    selector, middle, of_domain = where.partition("._domainkey.")
    if not (selector and middle and _DOMAIN.fullmatch(of_domain)) or not tags.get("p"):
        raise ValueError('is no DKIM key; write e.g. "mail._domainkey.client.example v=DKIM1; k=rsa; p=MIIBIj..."')
    if tags.get("k", "rsa") != "rsa":
        raise ValueError("is no RSA key, and no other kind is checked")
    return f"{where} {record}"


def milestone(value: str) -> str:
    if value not in MILESTONES:
        raise ValueError(f"is no milestone; {suggest(value, MILESTONES)}")
    return value


def objection_type(value: str) -> str:
    if value not in OBJECTION_TYPES:
        raise ValueError(f"is no type of objection; {suggest(value, OBJECTION_TYPES)}")
    return value


def web_address(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise ValueError('must be an address, e.g. "https://hooks.ours.example/handoff", or a reference to one')
    if parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        raise ValueError("must begin with https://; plain http is for this machine only")
    return value


def parse_retention(value: object) -> timedelta | None:
    return None if value == "forever" or value is None else parse_duration(value)


def store_url(value: str) -> str:
    scheme, colon, rest = value.partition(":")
    if not colon or scheme.partition("+")[0] not in ("sqlite", "postgresql"):
        raise ValueError('must be "sqlite:///FILE" or "postgresql+psycopg://USER@HOST/DATABASE"')
    if scheme.startswith("sqlite") and not rest.startswith("///"):
        raise ValueError('needs three slashes, e.g. "sqlite:///dealscribe.db" (four for an absolute path)')
    if scheme.startswith("postgresql") and (urlsplit(value).password is not None or "password=" in value):
        raise ValueError("a plain password is refused; leave it out and keep it in ~/.pgpass (or set $PGPASSFILE)")
    return value


Name = Annotated[str, AfterValidator(name)]
Domain = Annotated[str, AfterValidator(domain)]
Email = Annotated[str, AfterValidator(email)]
Owner = Annotated[str, AfterValidator(owner)]
Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
Since = Annotated[timedelta | datetime, PlainValidator(parse_since)]
Kind = Literal["open", "won", "lost", "hold"]


def suggest(word: str, known: Sequence[str]) -> str:
    near = get_close_matches(word.lower(), known, n=1, cutoff=0.6)
    return f'did you mean "{near[0]}"?' if near else f"known are: {', '.join(known)}"
