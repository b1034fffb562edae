"""What is fuzzed: functions of bytes that raise when a promise is broken."""

import io
import unicodedata
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from agent.model import Cut
from classifiers import signature
from classifiers.clean import find_cuts, kept, reply_text
from connectors.calendars import ical
from connectors.mail import large
from connectors.mail.authentication import judge, parse_authentication_results
from connectors.mail.mime import parse
from connectors.mail.smime import opened
from connectors.mail.tnef import unpacked
from tests.connectors import odd_calendars
from tests.mail import odd_letters
from tests.mail.test_shells import FILES, compressed, signed, signed_in_pieces, winmail

GOLDEN = Path(__file__).parents[1] / "golden"
CASES = Path(__file__).parent / "cases"
_TURNS = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"  # characters that turn the direction of a text
WINDOW = (datetime(2025, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
VERDICTS = (
    b'mx.ours.example 1; dkim=pass (2048-bit key; secure) header.d=a.example header.b="x\\"y"; spf=none',
    b"spf=pass (sender IP is 192.0.2.1) smtp.mailfrom=a.example; dmarc=bestguesspass action=none header.from=a.example",
    b"mx.ours.example; none",
    b"mx.ours.example; arc/1=pass (i=1 (nested) dkim=pass); iprev=fail policy.iprev=192.0.2.1; auth = pass reason = ok",
)


def _in_order(cuts: Sequence[Cut], text: str) -> None:
    end = 0
    for cut in cuts:
        assert end <= cut.start < cut.end <= len(text)
        end = cut.end


def _is_harmless(line: str) -> None:
    """No terminal obeys it."""
    assert not any(unicodedata.category(char) in ("Cc", "Cs") or char in _TURNS for char in line)


def letter(data: bytes) -> None:
    message = parse(data)
    _in_order(message.cuts, message.text)
    assert message.date.tzinfo is not None
    for line in (message.subject, *(each.name for each in message.attachments), message.message_id or ""):
        _is_harmless(line)
    message.text.encode()
    judge(message, ["mx.ours.example"])


def large_letter(data: bytes) -> None:
    kept, left_out = large.shortened(io.BytesIO(data), len(data))
    assert len(kept) <= large.MOST
    parse(kept, None, len(data), left_out)


def shell(data: bytes) -> None:
    opened(data)
    packed = unpacked(data)
    for each in packed.files if packed else ():
        _is_harmless(each.name)


def calendar(data: bytes) -> None:
    for meeting in ical.parse(data, WINDOW).meetings:
        assert meeting.start.tzinfo is not None
        assert meeting.start <= meeting.end


def cuts(data: bytes) -> None:
    """The first byte says where the HTML marked something."""
    text = data[1:].decode("utf-8", "replace")
    given = [Cut(start=data[0] // 2, end=data[0], kind="quoted")] if data[:1] > b"\x01" else []
    found = find_cuts(text, given, "Re: offer")
    _in_order(found, text)
    assert all(text[start:end].strip() for start, end in kept(text, found))
    reply_text(text, given)
    for field in signature(text, found, "vera@harbour.example"):
        assert text[field.start : field.end] == field.quote


def verdicts(data: bytes) -> None:
    found = parse_authentication_results(data.decode("utf-8", "replace"))
    assert found.authserv_id == found.authserv_id.lower()
    assert all(each.method and each.method == each.method.lower() for each in found.results)


TARGETS: dict[str, Callable[[bytes], None]] = {
    "letter": letter,
    "large letter": large_letter,
    "shell": shell,
    "calendar": calendar,
    "cuts": cuts,
    "verdicts": verdicts,
}


def seeds(name: str) -> list[bytes]:
    """Where a target's fuzzing begins: the golden files, as this target takes them."""
    letters = [path.read_bytes() for path in sorted((GOLDEN / "letters").glob("*.eml"))]
    if name in ("letter", "large letter"):
        return [*letters, *(raw for raw, _ in odd_letters.ODD.values())]
    if name == "calendar":
        golden = [path.read_bytes() for path in sorted((GOLDEN / "calendars").rglob("*.ics"))]
        return [*golden, *(raw for raw, _ in odd_calendars.ODD.values())]
    if name == "shell":
        return [*(make(raw) for make in (signed, signed_in_pieces, compressed) for raw in letters[:2]), winmail(*FILES)]
    messages = [parse(raw) for raw in letters]
    if name == "cuts":
        return [b"\0" + message.text.encode() for message in messages]
    return [
        *VERDICTS,
        *(value.encode() for message in messages for hop in message.authentication_results for value in hop),
    ]


def cases(name: str) -> list[Path]:
    return sorted((CASES / name).glob("*"))
