"""Whatever a sender writes: the parser does not raise, does not slow down, and lets no control character through."""

import time
import unicodedata
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.model import Message
from connectors.mail.authentication import judge, parse_authentication_results
from connectors.mail.mime import parse
from connectors.text.html import to_text
from tests.mail.hostile import HOSTILE, Letter

GOLDEN = [each.read_bytes() for each in sorted((Path(__file__).parent.parent / "golden" / "letters").glob("*.eml"))]
RECEIVED = datetime(2026, 4, 14, 8, 0, tzinfo=UTC)
SIZE = 50_000


def is_fit(message: Message) -> bool:
    """No control characters, nothing that turns the direction of the text, cuts within the text and in order."""
    lines = [message.subject, *(each.name for each in message.attachments), *message.signals.values()]
    lines += [part for each in (*message.from_, *message.to, *message.cc) for part in (each.name, each.email)]
    lines += [*message.problems, *chain(*message.authentication_results), *message.references, message.message_id or ""]
    for text in (*lines, message.text.replace("\n", "")):
        assert not any(unicodedata.category(char) in ("Cc", "Cs") for char in text), text[:200]
        assert not any("\u202a" <= char <= "\u202e" or "\u2066" <= char <= "\u2069" for char in text)
    end = 0
    for cut in message.cuts:
        assert end <= cut.start < cut.end <= len(message.text)
        end = cut.end
    return message.date.tzinfo is not None and message.key.startswith("m:")


def seconds(letter: bytes) -> float:
    start = time.process_time()
    message = parse(letter)
    judge(message, ["mx.ours.example"])
    return time.process_time() - start


@pytest.mark.parametrize("letter", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_letter_is_read_like_any_other(letter: Letter) -> None:
    message = parse(letter(SIZE), RECEIVED)
    assert is_fit(message)
    assert len(message.text) <= 1_000_100
    assert len(message.to) <= 1_000


@pytest.mark.parametrize("letter", HOSTILE.values(), ids=HOSTILE.keys())
def test_twice_the_hostility_takes_at_most_about_twice_the_time(letter: Letter) -> None:
    small, large = letter(SIZE), letter(4 * SIZE)
    for _ in range(3):  # a busy machine can spoil one measurement, not three
        if seconds(large) <= max(0.1, 7 * min(seconds(small) for _ in range(2))):
            return
    raise AssertionError(f"{seconds(small):.3f} s became {seconds(large):.3f} s")


def test_there_are_hostile_letters_of_many_kinds() -> None:
    assert len(HOSTILE) >= 40


@settings(max_examples=400, deadline=None)
@given(st.binary(max_size=2_000))
def test_any_bytes_are_a_letter(raw: bytes) -> None:
    assert is_fit(parse(raw))


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_a_letter_damaged_on_its_way_is_still_a_letter(data: st.DataObject) -> None:
    raw = bytearray(data.draw(st.sampled_from(GOLDEN)))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(raw)))
        end = data.draw(st.integers(at, min(len(raw), at + 40)))
        raw[at:end] = data.draw(st.binary(max_size=12) | st.sampled_from([b"", b"\n", b"\n\n", b'"', b"=?", b"--"]))
    assert is_fit(parse(bytes(raw), RECEIVED))


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            """<div> </div> <p> <p&nbsp; <b> </b> <table> <td> </td> </table> <blockquote> </blockquote> <li> <ul> </ul>
            <style>.x{display:none}</style> <!-- --> <div~class=x> <div~class=gmail_quote> </p> &amp; &#0; &#x202e; x
            <span~style="display:none"> </span> <pre> </pre> <br> <hr> <div~id=appendonsend> <a> </a> < > " ' = ~"""
            "".split()
        )
        | st.text(max_size=5),
        max_size=40,
    )
)
def test_any_jumble_of_tags_gives_a_text_and_cuts_within_it(pieces: list[str]) -> None:
    text, cuts = to_text("".join(pieces).replace("~", " "))
    end = 0
    for cut in cuts:
        assert end <= cut.start < cut.end <= len(text)
        end = cut.end
    assert not any(unicodedata.category(char) == "Cc" and char != "\n" for char in text)


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet='abc=;()"\\/. \t1', max_size=200))
def test_any_text_is_an_authentication_result(value: str) -> None:
    parse_authentication_results(value)
