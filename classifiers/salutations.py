"""Salutations: "Dear Mr Holm," says nothing of a deal, and what says nothing is not read."""

from itertools import takewhile

_OPENERS = frozenset(
    "hi hiya hello hallo hey greetings morning afternoon evening "
    "здравствуйте здравствуй приветствую привет коллеги господа друзья".split()
)
_BEFORE_A_NAME = frozenset(
    "dear уважаемый уважаемая уважаемые дорогой дорогая дорогие многоуважаемый многоуважаемая".split()
)
_WISHES = frozenset("good happy добрый доброго доброе день".split())
_TIMES = frozenset("morning afternoon evening day день дня вечер вечера утро утра времени суток ночи добрый".split())
_BESIDE_A_NAME = frozenset(
    "mr mrs ms mx miss dr prof professor sir sirs madam all both team everyone colleagues friends there again and "
    "my г-н г-жа господин госпожа коллеги господа друзья все всем вам вас снова и".split()
)
_ANSWERS = frozenset("yes no ok okay sure thanks agreed done so well да нет ок хорошо ладно спасибо".split())
_MOST = 8  # words of a salutation
_NAMES = 3  # words of a name that stands alone before a comma
_MARKS = ".,!:;–—-()\"'«» "


def salutations(texts: list[str]) -> int:
    """How many of the first sentences of a letter only greet."""
    return sum(1 for _ in takewhile(is_salutation, texts))


def is_salutation(text: str) -> bool:
    """Is it nothing but a greeting, or a name before a comma?"""
    parts = text.split()
    words = [word for part in parts[: _MOST + 1] if (word := part.strip(_MARKS))]
    if not words or len(words) > _MOST:
        return False
    comma = parts[-1].endswith(",")
    if len(words) > 1 and parts[0].endswith(",") and _are_names(words[:1]) and _greets(words[1:], comma):
        return True  # "Anna, good morning."
    alone = comma and len(words) <= _NAMES and _are_names(words) and words[0].lower() not in _ANSWERS
    return alone or _greets(words, comma)


def _greets(words: list[str], comma: bool) -> bool:
    """Does it begin with a greeting and hold names else? A small letter begins a name only before a comma."""
    first, *rest = words
    opens = first.lower()
    if opens == "my" and rest[:1] == ["dear"]:
        opens, rest = "dear", rest[1:]
    if opens in _WISHES:
        return bool(rest) and rest[0].lower() in _TIMES and _are_names(rest[1:])
    if opens in _OPENERS:
        return _are_names(rest) or (comma and len(rest) == 1)
    return opens in _BEFORE_A_NAME and bool(rest) and (_are_names(rest) or (comma and len(rest) <= 2))


def _are_names(words: list[str]) -> bool:
    """Names and what stands beside them, further greetings too."""
    return all(
        word[:1].isupper() or word.lower() in _BESIDE_A_NAME | _OPENERS | _BEFORE_A_NAME | _WISHES | _TIMES
        for word in words
    )
