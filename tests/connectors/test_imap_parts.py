"""Large letters: what is fetched of which structure, and what is made of it."""

import email
import email.policy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from imapclient.response_types import BodyData

from connectors.mail.imap_parts import LETTER_CAP, PART_CAP, Plan, plan, rebuild

HEADER = (
    b"From: vera@client.example\r\nSubject: Offer\r\nContent-Type: multipart/mixed;\r\n boundary=x\r\n"
    b"MIME-Version: 1.0\r\nX-Last: yes\r\n\r\n"
)


def text(
    subtype: bytes = b"plain", size: int = 100, encoding: bytes = b"7bit", disposition: Any = None
) -> tuple[Any, ...]:
    return (b"text", subtype, (b"charset", b"utf-8"), None, None, encoding, size, 5, None, disposition)


def file(*params: bytes, size: int = 78_000, disposition: Any = None) -> tuple[Any, ...]:
    return (b"application", b"pdf", params or None, None, None, b"base64", size, None, disposition)


def multi(*parts: Any, subtype: bytes = b"mixed", params: Any = (b"boundary", b"x")) -> BodyData:
    return BodyData.create((*parts, subtype, params))


def answer(planned: Plan, bodies: dict[str, bytes]) -> dict[bytes, Any]:
    """What a server gives for a plan's items."""
    given: dict[bytes, Any] = {b"BODY[HEADER]<0>": HEADER}
    for leaf in planned.texts:
        given[f"BODY[{leaf.spec}.MIME]<0>".encode()] = (
            f"Content-Type: {leaf.content_type}; charset=utf-8\r\n\r\n".encode()
        )
        given[f"BODY[{leaf.spec}]<0>".encode()] = bodies[leaf.spec]
    return given


def planned(structure: Any) -> Plan:
    found = plan(structure)
    assert found is not None
    return found


def test_a_report_stays_a_report_and_nested_parts_stay_nested() -> None:
    inner = (text(), text(b"html"), b"alternative", (b"boundary", b"y"))
    structure = multi(inner, file(), subtype=b"report", params=(b"boundary", b"x", b"report-type", b"delivery-status"))
    found = planned(structure)
    raw = rebuild(found, answer(found, {"1.1": b"plain", "1.2": b"<p>html</p>"}))
    assert raw is not None
    letter = email.message_from_bytes(raw, policy=email.policy.default)
    assert letter.get_content_type() == "multipart/report"
    assert letter.get_param("report-type") == "delivery-status"
    assert [part.get_content_type() for part in letter.walk()] == [
        "multipart/report",
        "multipart/alternative",
        "text/plain",
        "text/html",
    ]
    assert (letter["Subject"], letter["X-Last"], letter["MIME-Version"]) == ("Offer", "yes", "1.0")
    assert letter.get_all("Content-Type", []) == [letter["Content-Type"]]
    assert not letter.defects


def test_a_letter_of_files_alone_is_a_letter_without_text() -> None:
    found = planned(multi(file(), file()))
    raw = rebuild(found, answer(found, {}))
    assert raw is not None
    letter = email.message_from_bytes(raw, policy=email.policy.default)
    assert [part.get_content_type() for part in letter.walk()] == ["multipart/mixed", "text/plain"]
    single = planned(BodyData.create(file(b"name", b"scan.pdf")))
    raw = rebuild(single, answer(single, {}))
    assert raw is not None
    assert email.message_from_bytes(raw).get_content_type() == "text/plain"
    assert [found.name for found in single.attachments] == ["scan.pdf"]


def test_a_text_can_not_forge_the_end_of_its_part() -> None:
    found = planned(multi(text(), text()))
    forged = b"--x--\r\n--=_0=\r\nContent-Type: text/html\r\n\r\nforged"
    raw = rebuild(found, answer(found, {"1": forged, "2": b"second"}))
    assert raw is not None
    letter = email.message_from_bytes(raw)
    assert [part.get_content_type() for part in letter.walk()] == ["multipart/mixed", "text/plain", "text/plain"]
    assert raw == rebuild(found, answer(found, {"1": forged, "2": b"second"}))


@pytest.mark.parametrize(
    ("params", "name"),
    [
        ((b"name", b"offer.pdf"), "offer.pdf"),
        ((b"NAME", b"=?utf-8?B?0JTQvtCz0L7QstC+0YA=?= 12.pdf"), "Договор 12.pdf"),
        ((b"name*", b"utf-8''%D0%94%D0%BE%D0%B3.pdf"), "Дог.pdf"),
        ((b"name*0*", b"utf-8''%D0%94%D0", b"name*1*", b"%BE.pdf"), "До.pdf"),
        ((b"name*0", b"a", b"name*1", b"b.pdf"), "ab.pdf"),
        ((b"name*", b"no-such-charset''%FF.pdf"), None),
        ((b"name", b"=?no-such-charset?B?////?="), None),
        ((b"name", b"a\x00b\x1b[31m.pdf"), "ab[31m.pdf"),
        ((b"name", "счёт.pdf".encode()), "счёт.pdf"),
        ((b"name", b"x" * 100_000), "x" * 255),
    ],
)
def test_a_file_has_its_name_however_it_is_encoded(params: tuple[bytes, ...], name: str | None) -> None:
    (found,) = planned(multi(text(), file(*params))).attachments
    assert found.name == name if name is not None else found.name
    assert found.name.isprintable()
    assert found.size == 57_000


def test_a_text_that_is_attached_is_a_file_and_an_invitation_never_is() -> None:
    attached = (b"attachment", (b"filename", b"log.txt"))
    found = planned(multi(text(), text(disposition=attached), text(b"calendar", disposition=attached)))
    assert [leaf.spec for leaf in found.texts] == ["1", "3"]
    assert [one.name for one in found.attachments] == ["log.txt"]


def test_a_letter_of_endless_texts_is_bounded() -> None:
    found = planned(multi(*[text(size=50_000_000) for _ in range(400)]))
    assert found.cost <= LETTER_CAP
    assert all(leaf.take <= PART_CAP for leaf in found.texts)
    small = planned(multi(*[text(size=100) for _ in range(400)]))
    assert len(small.texts) <= 30


def test_a_text_cut_short_ends_with_a_whole_line() -> None:
    found = planned(multi(text(size=5_000_000, encoding=b"base64")))
    body = b"QUJD" * 19 + b"\r\n"
    raw = rebuild(found, answer(found, {"1": body * 3 + b"QU"}))
    assert raw is not None
    assert body * 3 + b"\r\n--" in raw


@pytest.mark.parametrize(
    "structure",
    [
        None,
        (),
        b"text",
        BodyData(()),
        BodyData.create((b"text", b"plain")),
        multi(text(size=-1)),
        7,
        BodyData(([], b"x")),
    ],
)
def test_an_absurd_structure_is_no_structure(structure: Any) -> None:
    assert plan(structure) is None


def test_a_structure_without_end_is_no_structure() -> None:
    nested: Any = text()
    for _ in range(2000):
        nested = BodyData(([nested], b"mixed", None))
    assert plan(nested) is None
    assert plan(multi(*[text() for _ in range(5000)])) is None


_atoms = st.none() | st.integers(-5, 10**12) | st.binary(max_size=12)
_structures = st.recursive(_atoms, lambda inner: st.lists(inner, max_size=12).map(tuple), max_leaves=60)


@given(_structures, st.binary(max_size=200))
def test_whatever_a_server_says_a_plan_is_made_or_refused(structure: Any, header: bytes) -> None:
    try:
        found = plan(BodyData.create(structure)) if isinstance(structure, tuple) and structure else plan(structure)
    except (TypeError, IndexError, AttributeError):  # the library itself refuses it
        return
    if found is not None:
        bodies = {leaf.spec: b"\xff\r\n" for leaf in found.texts}
        assert rebuild(found, {**answer(found, bodies), b"BODY[HEADER]<0>": header}) is not None
        assert rebuild(found, {}) is None
