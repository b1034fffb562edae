"""A signature without a delimiter: "Best regards" and the lines under it, or a name with its telephones."""

import re

from classifiers.clean.lines import Page
from classifiers.clean.words import FORMAL, SIGN_OFF, SIGN_OFF_PHRASES, THANKS, WISHES

SIGNATURE_LINES = 15  # a longer text under "--" is a part of the letter
_CONTACT_LINES = 9
_SIGNATURE_WIDTH = 90
_NAME = re.compile(r"[A-ZА-ЯЁ][\w'’.-]*(?:\s+[A-ZА-ЯЁ(][\w'’.)-]*){1,3},?")
_FIRST_NAME = re.compile(r"[A-ZА-ЯЁ][\w'’.-]*(?:\s+[A-ZА-ЯЁ(][\w'’.)-]*){0,3}[,.]?")
_CONTACT = re.compile(
    r"\+?\d[\d\s()-]{7,20}\d|www\.|https?://|[\w.+-]{1,64}@[\w-]{1,63}\.|(?<!\w)(?:тел|моб|tel|mob|phone|fax|факс)[.:]",
    re.IGNORECASE,
)
# "Best regards / Mit freundlichen Grüßen", "Many thanks and best regards"
_JOINED = re.compile(r" ?[/|&,;] ?| (?:and|und|et|y|e|en|i|и|та) ")
# "Kind regards from Oslo", "С уважением, команда Клиента"
_WHENCE = re.compile(r"(?:from|aus|из|depuis|desde|uit|från|fra)\s+", re.IGNORECASE)
_TEAM = re.compile(
    r"(?:(?:[Yy]our|[Tt]he|Ihr|Euer) )?(?:[\w&-]{1,30} ){0,2}[Tt]eam"
    r"|(?:[Кк]оманда|[Кк]оллектив|[Оо]тдел)(?: [а-яё]{1,20}){0,2} [«\"A-ZА-ЯЁ][^.!?:;]{0,50}"
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
    bare = _bare(line)
    if bare.startswith(FORMAL) and len(line) <= 200:
        return any(wish in line.casefold() for wish in WISHES)
    if len(line) > 80:
        return False
    if bare in SIGN_OFF:
        return True
    phrase, comma, _ = bare.partition(",")
    if comma and phrase.strip() in SIGN_OFF and _signs(line.partition(",")[2].strip(_CLOSING_SIGNS)):
        return True
    if bare.startswith(SIGN_OFF_PHRASES):
        phrase = next(words for words in SIGN_OFF_PHRASES if bare.startswith(words))
        if _signs(line.strip(_CLOSING_SIGNS)[len(phrase) :].strip(_CLOSING_SIGNS)):
            return True
    parts = _JOINED.split(bare)
    return (
        len(parts) > 1 and not SIGN_OFF.isdisjoint(parts) and all(part in SIGN_OFF or part in THANKS for part in parts)
    )


def _signs(words: str) -> bool:
    """What can stand behind the closing in its line: a name, a town, a team."""
    whence = _WHENCE.match(words)
    return _FIRST_NAME.fullmatch(words, whence.end() if whence else 0) is not None or _TEAM.fullmatch(words) is not None


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
        if below >= 2 and contact and _NAME.fullmatch(said.strip("*_")) and not page.said[at - 1]:
            start = at
        contact = contact or _CONTACT.search(said) is not None
    return start
