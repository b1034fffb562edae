"""New text apart from old: golden letters of many mail programs and languages, and the promises around them."""

import os
import time
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.model import Cut
from classifiers.clean import find_cuts, handed_over, kept, language, new_text, reply_text, without_history
from classifiers.clean.measure import measure, measure_folder
from classifiers.clean.words import DISCLAIMER, FOOTER, NOTICE_STARTS, starts_of

GOLDEN = Path(__file__).parent.parent / "golden" / "replies"
SECTION = "---8<--- "


def golden() -> dict[str, dict[str, str]]:
    """Every case: SUBJECT, LETTER, NEW, and where they differ or exist REPLY and HANDED OVER."""
    cases = {}
    for path in sorted(GOLDEN.glob("*.txt")):
        head, *sections = path.read_bytes().decode().split(SECTION)
        case = {"SUBJECT": head.removeprefix("SUBJECT").strip(), "HANDED OVER": ""}
        case |= {name: body.removesuffix("\n") for name, _, body in (part.partition("\n") for part in sections)}
        cases[path.stem] = {"REPLY": case["NEW"]} | case
    return cases


CASES = golden()


def folded(text: str) -> str:
    return " ".join(text.split())


def spans(text: str, places: list[tuple[int, int]]) -> str:
    return "\n".join(text[start:end] for start, end in places)


@pytest.mark.parametrize("name", CASES)
def test_only_what_the_letter_says_now_is_read(name: str) -> None:
    case = CASES[name]
    cuts = find_cuts(case["LETTER"], subject=case["SUBJECT"])
    assert folded(new_text(case["LETTER"], cuts)) == folded(case["NEW"])
    assert folded(spans(case["LETTER"], handed_over(case["LETTER"], cuts))) == folded(case["HANDED OVER"])


@pytest.mark.parametrize("name", [name for name in CASES if "forward" not in name or "REPLY" in CASES[name]])
def test_a_reply_is_shown_as_a_mail_program_would_show_it(name: str) -> None:
    case = CASES[name]
    assert folded(reply_text(case["LETTER"], subject=case["SUBJECT"])) == folded(case["REPLY"])


def test_there_are_many_golden_letters_and_many_of_them_russian() -> None:
    assert len(CASES) >= 80
    assert sum(name.startswith("ru-") for name in CASES) >= 30


def test_a_public_set_of_replies_is_parsed_where_one_is_at_hand() -> None:
    folder = os.environ.get("DEALSCRIBE_REPLIES")
    results = measure_folder(Path(folder)) if folder else [measure("own", "Yes.\n\n> Really?\n", "Yes.")]
    assert sum(result.exact for result in results) >= 0.95 * len(results)
    russian = [result for result in results if "russian" in result.name or "ukrainian" in result.name]
    assert all(result.exact for result in russian)


def test_leakage_and_loss_are_counted_apart() -> None:
    leaking = measure("leaking", "Yes.\n\nReally? he asked.\n", "Yes.")
    losing = measure("losing", "Yes.\n\n> No.\n", "Yes. No.")
    assert (leaking.exact, leaking.leaked, leaking.lost) == (False, 3, 0)
    assert (losing.exact, losing.leaked, losing.lost) == (False, 0, 1)


# -- places ---------------------------------------------------------------------------------------------------------


def kinds(text: str, subject: str = "", cuts: tuple[Cut, ...] = ()) -> list[tuple[str, str]]:
    return [(cut.kind, text[cut.start : cut.end].strip()) for cut in find_cuts(text, cuts, subject)]


def test_every_cut_says_what_it_is() -> None:
    text = (
        "Fine.\n\nKind regards,\nOla Strand\n\nThis e-mail is intended for the named recipient only.\n\n"
        "On Tue, 3 Feb 2026 at 14:05, Marta Ilves <marta@pumps.example> wrote:\n> Fine?\n"
    )
    assert [kind for kind, _ in kinds(text)] == ["signature", "disclaimer", "quoted"]


def test_a_quote_is_found_again_at_its_place_in_the_letter() -> None:
    text = "  \r\nДвух хватит.\r\n\r\n> Сколько?\r\nДва.\r\n"
    assert [text[start:end] for start, end in kept(text, find_cuts(text))] == ["Двух хватит.", "Два."]


def test_what_the_html_marks_is_cut_with_the_line_that_introduces_it() -> None:
    text = "Yes.\n\nOn Tue, 3 Feb 2026 at 14:05, Marta Ilves <m@pumps.example> wrote:\nShall we?\n\nAnd a last word.\n"
    quoted = Cut(start=text.index("Shall"), end=text.index("And"), kind="quoted")
    assert new_text(text, find_cuts(text, (quoted,))) == "Yes.\nAnd a last word."


def test_what_a_reader_cannot_see_is_hidden_even_inside_a_forward() -> None:
    text = "FYI\n\n---------- Forwarded message ---------\nFrom: A <a@b.example>\nSubject: x\n\nDear all,\nwe paid.\n"
    hidden = Cut(start=text.index("we paid"), end=len(text), kind="hidden")
    cuts = find_cuts(text, (hidden,), "Fwd: x")
    assert [cut.kind for cut in cuts] == ["forwarded", "hidden"]
    assert spans(text, handed_over(text, cuts)) == "Dear all,"


def test_a_forward_inside_a_quotation_of_the_html_is_a_forward() -> None:
    text = "See below.\n\n---------- Forwarded message ---------\nFrom: A <a@b.example>\n\nToo loud.\n"
    cuts = find_cuts(text, (Cut(start=text.index("-----"), end=len(text), kind="quoted"),), "Fwd: fan")
    assert [cut.kind for cut in cuts] == ["forwarded"]
    assert spans(text, handed_over(text, cuts)) == "Too loud."


def test_a_signature_that_the_html_marks_is_taken_over() -> None:
    text = "Yes.\n\nOla, the roofer\n"
    cut = Cut(start=6, end=len(text), kind="signature")
    assert find_cuts(text, (cut,)) == (cut,)
    assert reply_text(text, (cut,)) == "Yes."


def test_a_block_is_passed_on_by_the_words_over_it_and_answered_by_its_subject() -> None:
    block = "\n\nFrom: A <a@b.example>\nSent: 3 February 2026 10:31\nTo: B\nSubject: fan\n\nToo loud.\n"
    assert kinds("See below." + block, "Fwd: fan")[0][0] == "forwarded"
    assert kinds("See below." + block, "Re: fan")[0][0] == "quoted"
    assert kinds("We take it, but in blue." + block, "Fwd: fan")[0][0] == "quoted"
    assert kinds(block)[0][0] == "forwarded"


def test_footers_are_kept_where_only_history_is_unwanted() -> None:
    text = "Ferns from 3.\n\nUnsubscribe here\n\nOn 3 Feb 2026, at 16:20, A B <a@b.example> wrote:\n> Hi\n"
    assert without_history(text, find_cuts(text)) == "Ferns from 3.\n\nUnsubscribe here"


def test_every_phrase_of_a_notice_passes_the_quick_test_before_it() -> None:
    assert [phrase for phrase in DISCLAIMER + FOOTER if NOTICE_STARTS.isdisjoint(starts_of(phrase))] == []
    assert NOTICE_STARTS.isdisjoint(
        starts_of("Спасибо, договор получили, письмо передал. Please send the message again.")
    )


# -- language -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "tongue"),
    [
        ("The offer is fine with us, please send the contract.", "en"),
        ("OK", "en"),
        ("", "en"),
        ("Смету получили, согласовываем.", "ru"),
        ("Пришлите invoice на ООО «Причал»", "ru"),
        ("Надішліть, будь ласка, кошторис для їхньої гімназії.", "other"),
        ("Bitte schicken Sie uns das Angebot für die Pumpen.", "other"),
        ("Merci de nous envoyer le devis pour les pompes.", "other"),
        ("两台就够了。", "other"),
    ],
)
def test_english_and_russian_are_told_from_the_rest(text: str, tongue: str) -> None:
    assert language(text) == tongue


# -- hostile letters ------------------------------------------------------------------------------------------------

PIECES = [
    ">", "> ", "|", "\n", "\r\n", "-- \n", "--\n", "On Tue, 3 Feb 2026 at 14:05, A <a@b.example> wrote:\n",
    "From: A <a@b.example>\nSent: 3 Feb 2026 10:00\n", "От:", "Тема: x\n", "---------- Forwarded message ---------\n",
    "-------- Конец пересылаемого сообщения --------\n", "Regards,\n", "С уважением,\n", "Sent from my iPhone\n",
    "word ", "слово ", "________________\n", "<", "@", ":", "intended recipient\n\n", "+7 000 555-01-01\n",
    "Ann Berg\n", "\x00", "&gt;", "：", "在 2026年", "Thanks,\n",
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join), st.data())
@settings(max_examples=300, deadline=None)
def test_no_letter_breaks_the_reader_and_its_cuts_stay_in_order(text: str, data: st.DataObject) -> None:
    places = st.integers(-3, len(text) + 3)
    cut_kinds = st.sampled_from(["quoted", "forwarded", "signature", "disclaimer", "footer", "hidden"])
    given_cuts = data.draw(st.lists(st.builds(Cut, start=places, end=places, kind=cut_kinds), max_size=4))
    cuts = find_cuts(text, given_cuts)
    assert all(0 <= cut.start < cut.end <= len(text) for cut in cuts)
    assert all(one.end <= other.start for one, other in pairwise(cuts))
    assert new_text(text, cuts) == spans(text, kept(text, cuts))
    reply_text(text, given_cuts)
    handed_over(text, cuts)


HOSTILE = {
    "angles": lambda size: ">" * size,
    "angles and blanks": lambda size: "> " * (size // 2),
    "on on on": lambda size: "On On On wrote:\n" * (size // 16),
    "one line": lambda size: "word " * (size // 5),
    "open angles": lambda size: "On 3 Feb 2026 at 10:00 <\n" * (size // 25),
    "headers": lambda size: "From: a@b.example\nTo: c\n" * (size // 24),
    "delimiters": lambda size: "--\nx\n\n" * (size // 6),
    "rules": lambda size: "-----\n" * (size // 6),
    "answers": lambda size: "> q\nown\n" * (size // 8),
    "forwards": lambda size: "-- Forwarded message --\nFrom: a\n\nx\n-- End of forwarded message --\n" * (size // 66),
    "mobile": lambda size: "Sent from my iPhone\n" * (size // 20),
    "notices": lambda size: "intended recipient\n\n" * (size // 20),
    "sign-offs": lambda size: "Best regards,\n" * (size // 14),
}


def seconds(text: str) -> float:
    best = float("inf")
    for _ in range(3):
        start = time.process_time()
        cuts = find_cuts(text)
        reply_text(text)
        handed_over(text, cuts)
        new_text(text, cuts)
        best = min(best, time.process_time() - start)
    return best


@pytest.mark.parametrize("shape", HOSTILE)
def test_a_hostile_letter_of_twice_the_size_takes_about_twice_the_time(shape: str) -> None:
    small, large = seconds(HOSTILE[shape](40_000)), seconds(HOSTILE[shape](160_000))
    assert large <= 8 * small + 0.05


def test_a_line_of_a_million_signs_is_read_at_once() -> None:
    assert seconds("a " * 500_000) < 1
