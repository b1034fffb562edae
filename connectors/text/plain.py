"""Decoded text made fit to be kept: no control characters, nothing that turns or hides what is read; pure, linear."""

import re

__all__ = ["flowed", "one_line", "paragraphs", "visible"]

# C0, C1, DEL; soft hyphen, zero width, marks and overrides of direction, fillers, tags, halves of characters
_UNSEEN = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f"
    "\u202a-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff\ud800-\udfff]+"
)
_BREAKS = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
_BLANKS = re.compile("[\t\xa0\u1680\u2000-\u200a\u202f\u205f\u3000\x1c-\x1f]")
_SPACES = re.compile(r"\s+")
_EMPTY_LINES = re.compile(r"\n{4,}")


def one_line(text: str, unseen: str = "") -> str:
    """For a subject, a name, a file name: one line, visible characters, single spaces.

    `unseen` takes the place of what nobody sees, where a text must not come to equal another one by losing it.
    """
    if not text.isprintable():
        text = _UNSEEN.sub(unseen, _SPACES.sub(" ", text))
    return (text if "  " not in text else _SPACES.sub(" ", text)).strip()


def visible(text: str) -> str:
    """The same text without what nobody sees; line breaks stay, every other blank is a space."""
    if text.replace("\n", "").isprintable():
        return text
    usual = text.replace("\r\n", "\n").replace("\t", " ").replace("\xa0", " ")
    if usual.replace("\n", "").isprintable():
        return usual
    return _UNSEEN.sub("", _BLANKS.sub(" ", _BREAKS.sub("\n", text)))


def paragraphs(text: str) -> str:
    """A body: lines without trailing blanks, at most two empty ones in a row, none around the whole."""
    seen = visible(text).rstrip()
    lines = "\n".join(map(str.rstrip, seen.split("\n"))) if " \n" in seen else seen
    return (_EMPTY_LINES.sub("\n\n\n", lines) if "\n\n\n\n" in lines else lines).strip("\n")


def flowed(text: str, delsp: bool) -> str:
    """Soft line breaks of format=flowed undone (RFC 3676): a paragraph is one line, quote marks stay."""
    result: list[str] = []
    open_depth = -1  # the quote depth of a paragraph that goes on, -1 for none
    for line in visible(text).split("\n"):
        content = line.lstrip(">")
        depth = len(line) - len(content)
        content = content.removeprefix(" ")  # space-stuffing
        goes_on = content.endswith(" ") and content != "-- "
        if goes_on and delsp:
            content = content[:-1]
        if depth == open_depth and content != "-- ":
            result.append(content)
        else:
            result.append(("\n" if result else "") + (">" * depth + " " if depth else "") + content)
        open_depth = depth if goes_on else -1
    return "".join(result)
