"""What a server says of letters is read the same by the fast reader and by the library that it spares."""

from typing import Any

import pytest
from imapclient.exceptions import ProtocolError
from imapclient.response_parser import parse_fetch_response

from connectors.mail.imap_answers import fetched

USUAL = {
    "a letter's labels, arrival and size": [
        rb'1 (UID 5 FLAGS (\Seen $Forwarded 12 012 NIL) INTERNALDATE "02-Mar-2026 10:00:00 +0300" RFC822.SIZE 123)'
    ],
    "two letters, each with a text and more": [
        (b"1 (UID 5 BODY[] {5}", b"hello"),
        b")",
        (b"2 (UID 7 BODY[]<0> {2}", b"hi"),
        b")",
        rb'2 (UID 7 FLAGS () INTERNALDATE " 2-Mar-2026 23:59:59 -0330" RFC822.SIZE 0)',
    ],
    "a text before an answer that is odd": [(b"1 (UID 5 BODY[] {5}", b"hello"), b" FLAGS (x))", b"2 (UID 6 FLAGS ())"],
    "an arrival on a day that no month has": [
        rb'1 (UID 5 FLAGS () INTERNALDATE "31-Feb-2026 10:00:00 +0300" RFC822.SIZE 1)'
    ],
    "an arrival that is no date": [b'4 (UID 3 INTERNALDATE "yesterday" RFC822.SIZE 5)'],
    "labels with blanks and signs": [rb'4 (UID 3 X-GM-LABELS ("\\Inbox" work "a (b) \"c\"") RFC822.SIZE 5)'],
    "two letters, one in two pieces": [
        (b"1 (UID 5 BODY[] {5}", b"hello"),
        b")",
        (b"2 (UID 7 BODY[HEADER]<0> {3}", b"abc"),
        (b" BODY[1]<0> {2}", b"xy"),
        b" FLAGS ())",
    ],
    "the parts of a large letter": [
        b'3 (UID 9 BODYSTRUCTURE (("text" "plain" ("charset" "utf-8") NIL NIL "base64" 100 2 NIL NIL NIL NIL)'
        rb'("application" "pdf" ("name" "a \"b\".pdf") NIL NIL "base64" 900 NIL ("attachment" NIL) NIL NIL)'
        b' "mixed" ("boundary" "x") NIL NIL NIL))'
    ],
    "news of a letter that nobody asked for": [rb"4 (FLAGS (\Seen))", rb"4 (UID 3 FLAGS (\Seen))"],
    "nothing at all": [None],
}
NO_ANSWER = {
    "a list that does not end": [b"1 (UID 5 FLAGS (x)"],
    "a name without a value": [b"1 (UID 5 FLAGS)"],
    "quotes that do not end": [b'1 (UID 5 FLAGS ("x))'],
    "fewer bytes than announced": [(b"1 (UID 5 BODY[] {6}", b"hello"), b")"],
}


@pytest.mark.parametrize("by_uid", [True, False], ids=["by UID", "by number"])
@pytest.mark.parametrize("data", USUAL.values(), ids=USUAL)
def test_an_answer_is_read_as_the_library_reads_it(data: list[Any], by_uid: bool) -> None:
    assert fetched(data, by_uid) == parse_fetch_response(data, normalise_times=False, uid_is_key=by_uid)


@pytest.mark.parametrize("day", ["01-Feb-2026", "01-FEB-2026"])
def test_an_arrival_in_a_zone_that_nobody_has_is_none(day: str) -> None:
    data = [f'1 (UID 5 FLAGS () INTERNALDATE "{day} 10:00:00 +2460" RFC822.SIZE 1)'.encode()]
    assert fetched(data, True)[5][b"INTERNALDATE"] is None


@pytest.mark.parametrize("data", NO_ANSWER.values(), ids=NO_ANSWER)
def test_an_answer_that_is_broken_is_refused(data: list[Any]) -> None:
    with pytest.raises(ProtocolError):
        fetched(data, True)
