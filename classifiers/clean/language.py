"""The language of a letter, as far as the rules need it: English, Russian, or another."""

from typing import Literal

_READ = 4000  # characters; a letter does not change its language later on
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
    cyrillic = sum("а" <= sign <= "я" or sign in "ёіїєґў" for sign in words)
    latin = sum("a" <= sign <= "z" or "\xdf" <= sign <= "\u017f" for sign in words)
    letters = sum(map(str.isalpha, words))
    if letters == 0:
        return "en"
    if cyrillic * 2 >= cyrillic + latin and cyrillic:
        foreign = sum(words.count(sign) for sign in "іїєґў")
        return "other" if foreign * 100 > cyrillic else "ru"
    if latin * 2 < letters:
        return "other"
    said = [word.strip(".,;:!?()\"'") for word in words.split()]
    english = sum(word in _ENGLISH for word in said)
    other = max(sum(word in known for word in said) for known in _OTHERS)
    return "en" if english >= other and (english or words.isascii()) else "other"
