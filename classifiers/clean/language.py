"""The language of a letter, as far as the rules need it: English, Russian, or another."""

import re
from collections import Counter
from typing import Literal

_READ = 2000  # characters; a letter does not change its language later on
_WORD = re.compile(r"[^\W\d_]+")
_ENGLISH = frozenset(
    "the and to of is for we you your our with this that it in on be are have has will please thanks can not i at as"
    " from if by".split()
)
_OTHERS = tuple(
    frozenset(words.split())
    for words in (
        "der die das und ist nicht wir sie ich mit für auf ein eine zu von den im bitte wie haben",
        "le la les et est pas nous vous je avec pour sur un une de des du que merci en",
        "el la los las y es no nosotros usted con para por un una de del que en gracias lo",
        "il lo la gli e è non noi con per un una di del che in grazie sono",
        "o a os as e é não nós você com para por um uma de do da que em obrigado",
        "de het een en is niet wij u ik met voor op van dat bedankt te zijn",
        "i w na z nie jest się do że dla proszę dziękuję to jak",
        "och är inte vi ni jag med för på av en ett att tack som det",
        "og er ikke vi jeg med for på af en et at tak som det til",
    )
)


def language(text: str) -> Literal["en", "ru", "other"]:
    """Never raises; what has no letters counts as English, which has the fewest rules of its own."""
    words = text[:_READ].casefold()
    signs = Counter(words)
    cyrillic = sum(count for sign, count in signs.items() if "а" <= sign <= "я" or sign in "ёіїєґў")
    latin = sum(count for sign, count in signs.items() if "a" <= sign <= "z" or "\xdf" <= sign <= "\u017f")
    letters = sum(count for sign, count in signs.items() if sign.isalpha())
    if letters == 0:
        return "en"
    if cyrillic and cyrillic >= latin:
        foreign = sum(signs[sign] for sign in "іїєґў")
        return "other" if foreign * 100 > cyrillic else "ru"
    if latin * 2 < letters:
        return "other"
    said = set(_WORD.findall(words))
    english = len(said & _ENGLISH)
    other = max(len(said & known) for known in _OTHERS)
    return "en" if english >= other and (english or words.isascii()) else "other"
