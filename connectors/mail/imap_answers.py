"""FETCH answers as dictionaries: the usual ones read by one expression, odd ones left to the library; pure, linear.

The library reads an answer sign by sign, which for a mailbox of small letters costs more than all the rest.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import Any

from imapclient.datetime_util import parse_to_datetime
from imapclient.response_parser import parse_fetch_response
from imapclient.response_types import BodyData

__all__ = ["fetched"]

_BLANKS = b" \t\r\n"
# a word begins behind a blank or a bracket only, so that one which fails is not tried again inside
_TOKEN = re.compile(
    rb"""(?<![ \t\r\n])[ \t\r\n]*+(?:[()]|(?<![^ \t\r\n()])"""
    rb"""(?:"(?:[^"\\]++|\\.)*+"|(?:[^\x00-\x20()%"\[]++|\[[^\[\]]*+\])++(?=[ \t\r\n()]|\Z)))""",
    re.DOTALL,
)
# the two that a first import consists of, as most servers give them
_LOOKED = re.compile(
    rb"""([1-9][0-9]{0,9}) \(UID ([1-9][0-9]{0,9}) FLAGS \(([ !#$&'*-Z\\^-z|}~]*+)\) INTERNALDATE ("[^"\\]*+") """
    rb"""RFC822\.SIZE (0|[1-9][0-9]{0,9})\)"""
)
_TAKEN = re.compile(rb"([1-9][0-9]{0,9}) \(UID ([1-9][0-9]{0,9}) (BODY\[\](?:<0>)?) \{(0|[1-9][0-9]{0,9})\}")
_ARRIVAL = re.compile(
    rb"([ 0-3][0-9])-([A-Z][a-z]{2})-([0-9]{4}) ([0-9]{2}):([0-9]{2}):([0-9]{2}) ([+-][0-9]{2})([0-9]{2})"
)
_MONTHS = {name: number for number, name in enumerate(b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1)}
_ESCAPED = re.compile(rb'\\(["\\])')
_DEPTH = 200


def fetched(data: Sequence[Any], uid_is_key: bool) -> Mapping[int, dict[bytes, Any]]:
    """What is said of each letter, by UID or by number in the folder. Raises ValueError and the like for no answer."""
    answer = _commonest(data, uid_is_key) or _usual(data, uid_is_key)
    return parse_fetch_response(list(data), normalise_times=False, uid_is_key=uid_is_key) if answer is None else answer


def _commonest(data: Sequence[Any], uid_is_key: bool) -> dict[int, dict[bytes, Any]] | None:
    answer: dict[int, dict[bytes, Any]] = {}
    opened = False  # a letter's text was given, and its bracket is not closed yet
    for record in data:
        if opened:
            if record != b")":
                return None
            opened = False
            continue
        text, literal = record if isinstance(record, tuple) else (record, None)
        match = (_LOOKED if literal is None else _TAKEN).fullmatch(text or b"")
        if match is None:
            return None
        number, uid = int(match[1]), int(match[2])
        found: dict[bytes, Any] = {b"SEQ": number} if uid_is_key else {b"SEQ": number, b"UID": uid}
        if literal is None:
            found[b"FLAGS"] = tuple(map(_atom, match[3].split()))
            found[b"INTERNALDATE"] = _meant(b"INTERNALDATE", match[4][1:-1])
            found[b"RFC822.SIZE"] = int(match[5])
        elif int(match[4]) == len(literal):
            found[match[3]] = literal
            opened = True
        else:
            return None
        answer.setdefault(uid if uid_is_key else number, {}).update(found)
    return None if opened else answer


def _usual(data: Sequence[Any], uid_is_key: bool) -> dict[int, dict[bytes, Any]] | None:
    values = _values(data)
    if values is None or len(values) % 2:
        return None
    answer: dict[int, dict[bytes, Any]] = {}
    for number, pairs in zip(values[::2], values[1::2], strict=True):
        if not isinstance(number, int) or not isinstance(pairs, tuple) or len(pairs) % 2:
            return None
        found: dict[bytes, Any] = {b"SEQ": number}
        key = number
        for name, value in zip(pairs[::2], pairs[1::2], strict=True):
            if not isinstance(name, bytes) or name.upper() == b"ENVELOPE":
                return None
            word = name.upper()
            if word == b"UID" and not isinstance(value, int):
                return None
            if word == b"UID" and uid_is_key:
                key = value
            else:
                found[word] = _meant(word, value)
        answer.setdefault(key, {}).update(found)
    return answer


def _meant(word: bytes, value: Any) -> Any:
    if word == b"INTERNALDATE":
        try:
            return _arrival(value) if value is not None else None
        except ValueError:
            return None
    return BodyData.create(value) if word in (b"BODY", b"BODYSTRUCTURE") else value


def _arrival(value: Any) -> datetime:
    """An INTERNALDATE; the library, which takes every kind of date, is ten times slower. ValueError when it is none."""
    if isinstance(value, bytes) and (found := _ARRIVAL.fullmatch(value)) and found[2] in _MONTHS:
        day, year, hour, minute, second = map(int, found.group(1, 3, 4, 5, 6))
        return datetime(year, _MONTHS[found[2]], day, hour, minute, second, tzinfo=_zone(found[7], found[8]))
    arrived: datetime = parse_to_datetime(value, normalise=False)
    arrived.utcoffset()  # raises for a zone that is none
    return arrived


@lru_cache(maxsize=256)
def _zone(hours: bytes, minutes: bytes) -> timezone:
    ahead = timedelta(hours=int(hours[1:]), minutes=int(minutes))
    return timezone(-ahead if hours.startswith(b"-") else ahead)


def _values(data: Sequence[Any]) -> list[Any] | None:
    """All that the answers hold, lists as tuples; None when something in them is beyond the usual."""
    stack: list[list[Any]] = [[]]
    for record in data:
        text, literal = record if isinstance(record, tuple) else (record, None)
        if not isinstance(text, bytes) or (literal is not None and not text.endswith(b"}")):
            return None
        tokens = _TOKEN.findall(text)
        if sum(map(len, tokens)) != len(text.rstrip(_BLANKS)):
            return None
        if literal is not None and (not tokens or tokens.pop().lstrip(_BLANKS) != b"{%d}" % len(literal)):
            return None
        for token in tokens:
            sign = token.lstrip(_BLANKS)
            if sign == b"(":
                stack.append([])
            elif sign == b")" and len(stack) > 1:
                stack[-2].append(tuple(stack.pop()))
            elif sign == b")" or sign.startswith(b"{"):
                return None
            else:
                stack[-1].append(_atom(sign))
        if len(stack) > _DEPTH:
            return None
        if literal is not None:
            stack[-1].append(literal)
    return stack[0] if len(stack) == 1 else None


def _atom(sign: bytes) -> bytes | int | None:
    if sign.startswith(b'"'):
        return _ESCAPED.sub(rb"\1", sign[1:-1]) if b"\\" in sign else sign[1:-1]
    if sign == b"NIL":
        return None
    return int(sign) if sign.isdigit() and len(sign) < 19 and (sign[:1] != b"0" or len(sign) == 1) else sign
