"""DKIM signatures checked by ourselves (RFC 6376), with keys that an admin wrote down: nothing is looked up anywhere.

For servers that write no Authentication-Results. A signature counts for the whole letter only, as it was sent: what a
reader goes by is signed and stands there once, and no byte of the body is left out.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from connectors.mail.fields import BLOCK, Fields, read_fields

__all__ = ["signers"]

_MOST = 5 << 20  # bytes of a letter that is checked; hashing takes it in copies
_HEADER = 64 << 10
_SIGNATURES = 5
_BLANKS = re.compile(rb"[ \t]{100}|\A[ \t]")  # dkimpy takes the square of a run of blanks, and stumbles over the last
_READ_BY_ALL = ("from", "subject", "date")
_ONCE = (*_READ_BY_ALL, "to", "content-type", "content-transfer-encoding", "mime-version")


def signers(raw: bytes, keys: Sequence[str]) -> Iterator[str]:
    """The domains of the signatures that hold. `keys`: "selector._domainkey.client.example v=DKIM1; k=rsa; p=..."."""
    if not keys or len(raw) > _MOST or _BLANKS.search(raw):
        return
    fields = read_fields(raw, 0, min(len(raw), BLOCK))
    signatures = fields.all("dkim-signature")
    if fields.body > _HEADER or len(signatures) > _SIGNATURES or any(len(fields.all(name)) > 1 for name in _ONCE):
        return
    known = _by_name(tuple(keys))
    for number, value in enumerate(signatures):
        tags = _tags(value.decode("ascii", "replace"))
        domain = tags.get("d", "").lower()
        name = f"{tags.get('s', '').lower()}._domainkey.{domain}"
        if name in known and _covers(tags, fields) and _holds(raw, number, known[name]):
            yield domain


def _covers(tags: Mapping[str, str], fields: Fields) -> bool:
    """Whether it is said of the whole body, and of all that tells a reader whose letter this is and what of."""
    signed = {name.strip().lower() for name in tags.get("h", "").split(":")}
    return (
        "l" not in tags
        and tags.get("a") == "rsa-sha256"
        and signed.issuperset(name for name in _READ_BY_ALL if fields.all(name))
    )


def _holds(raw: bytes, number: int, key: str) -> bool:
    import dkim  # half a second, for those who have written keys down

    try:
        return bool(dkim.DKIM(raw).verify(number, dnsfunc=lambda name, timeout=0: key))
    except (dkim.DKIMException, ValueError, LookupError, TypeError):
        return False


@lru_cache(maxsize=4)
def _by_name(keys: tuple[str, ...]) -> dict[str, str]:
    return {name: record for name, _, record in (key.partition(" ") for key in keys)}


def _tags(value: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in value[:_HEADER].split(";"))
    return {name.strip(): "".join(content.split()) for name, _, content in pairs}
