"""A signature without a delimiter: "Best regards" and the lines under it, or a name with its telephones."""

import re

from classifiers.clean.lines import Page
from classifiers.clean.words import SIGN_OFF, SIGN_OFF_PHRASES, THANKS

SIGNATURE_LINES = 15  # a longer text under "--" is a part of the letter
_CONTACT_LINES = 9
_SIGNATURE_WIDTH = 90
_NAME = re.compile(r"[A-ZА-ЯЁ][\w'’.-]*(?:\s+[A-ZА-ЯЁ(][\w'’.)-]*){1,3},?")
_FIRST_NAME = re.compile(r"[A-ZА-ЯЁ][\w'’.-]*(?:\s+[A-ZА-ЯЁ(][\w'’.)-]*){0,3}[,.]?")
_CONTACT = re.compile(
    r"\+?\d[\d\s()-]{7,20}\d|www\.|https?://|[\w.+-]{1,64}@[\w-]{1,63}\.|(?<!\w)(?:тел|моб|tel|mob|phone|fax|факс)[.:]",
    re.IGNORECASE,
)
_CLOSING_SIGNS = " ,.!;:–-—*\xa0"


def sign_off_at(page: Page, first: int, last: int) -> int | None:
    """The line from which "Best regards" and the lines under it run to the end."""
    lines = [at for at in range(first, last) if page.said[at]]
    start = None
    for below, at in enumerate(reversed(lines[-SIGNATURE_LINES:])):
        said = page.said[at]
        if is_sign_off(said):
            # one word on top of a letter greets or answers rather than closes
            if at != lines[0] or " " in _bare(said):
                start = at
        elif _bare(said) in THANKS:
            if start is None and 0 < below <= 8 and _FIRST_NAME.fullmatch(page.said[lines[len(lines) - below]]):
                start = at + 1
        elif not may_sign(said):
            break
    return start


def _bare(line: str) -> str:
    return line[:60].strip(_CLOSING_SIGNS).casefold()


def is_sign_off(line: str) -> bool:
    if len(line) > 80:
        return False
    bare = _bare(line)
    if bare in SIGN_OFF:
        return True
    phrase, comma, _ = bare.partition(",")
    if comma and phrase.strip() in SIGN_OFF:
        return _FIRST_NAME.fullmatch(line.partition(",")[2].strip(_CLOSING_SIGNS)) is not None
    if bare.startswith(SIGN_OFF_PHRASES):
        phrase = next(words for words in SIGN_OFF_PHRASES if bare.startswith(words))
        rest = line.strip(_CLOSING_SIGNS)[len(phrase) :].strip(_CLOSING_SIGNS)
        return _FIRST_NAME.fullmatch(rest) is not None
    return False


def may_sign(line: str) -> bool:
    """Can this line stand in a signature? A sentence cannot."""
    if len(line) > _SIGNATURE_WIDTH or line.casefold().startswith(("p.s", "ps", "п.с", "p. s", "з.ы")):
        return False
    if line[-1] in ".!?:" and len(line.split()) > 4:
        return _CONTACT.search(line) is not None
    return True


def contact_block_at(page: Page, first: int, last: int) -> int | None:
    """Last lines that open with a name and hold a telephone number, an address or a site.

    Made from HTML they may stand apart: every line a paragraph.
    """
    lines = [at for at in range(first, last) if page.said[at]]
    start, contact = None, False
    for below, at in enumerate(reversed(lines[1:][-_CONTACT_LINES:])):
        said = page.said[at]
        if len(said.split()) > 8 or not may_sign(said):
            break
        if below >= 2 and contact and _NAME.fullmatch(said) and not page.said[at - 1]:
            start = at
        contact = contact or _CONTACT.search(said) is not None
    return start
