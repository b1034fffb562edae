"""Letters of machines, and letters that are no client's business: told from headers and words, and in doubt not told.

To take a client's letter for a machine's is the worst error here, so one sign alone is hardly ever enough: a personal
letter can bear List-Unsubscribe, a client can write that he is on leave, a school speaks of children.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from itertools import filterfalse
from operator import itemgetter
from typing import Any, Literal

from ahocorasick_rs import AhoCorasick, Implementation

from agent.model import NotBusiness
from classifiers.absence import absent_until

__all__ = ["absent_until", "automated", "bounced_address", "is_business", "mailing_list", "matter"]

Automated = Literal["", "auto_reply", "bounce", "calendar_notification", "newsletter", "notice"]

_READ = 8000  # characters; machines come to the point
_HEAD, _TAIL = 1_600, 800  # characters in which a machine says what it is
_ADDRESS = re.compile(r"[\w.+=-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,6}")
_FINAL_RECIPIENT = re.compile(r"(?:final|original)-recipient:\s{0,9}rfc822;\s{0,9}<?([^\s<>;]{3,254})", re.IGNORECASE)
_ENHANCED_STATUS = re.compile(r"(?<![\d.])[45]\.\d{1,3}\.\d{1,3}(?![\d.])")
_DATE_OR_TIME = re.compile(r"\d{1,2}:\d{2}|\d{1,2}\.\d{1,2}\.\d{2,4}|(?<!\d)20\d\d(?!\d)")
_REPLY = re.compile(r"^\W*(?:re|aw|отв|ответ|fwd?|пересл)(?:\[\d+\])?\s*:", re.IGNORECASE)
_GREETING = re.compile(
    r"(?:dear|hi|hello|good (?:morning|afternoon)),? (?!all|everyone|friend|reader|customer|subscriber|there)\w+"
    r"|(?:здравствуйте|добрый день|доброе утро|добрый вечер|привет), (?!друзья|коллеги|уважаемые)\w+"
    r"|уважаем(?:ый|ая) (?!клиент|подписчик|читатель|покупатель)\w+|\w+ \w+(?:вич|вна)[,!]"
)
_WORD = re.compile(r"[^\W\d_]{2,}")
_LETTERS = re.compile(r"[^\W\d_]+")
_STARTS = re.compile(r"\b[^\W\d_]{1,6}")
_TOKEN = re.compile(r"[\w-]+")
_FIRST_SIX = itemgetter(slice(6))
_AUTO_REPLY_HEADERS = ("x-autoreply", "x-autorespond", "x-autoresponder", "x-auto-reply", "x-vacation")
_CAMPAIGN_HEADERS = ("x-campaign", "x-campaign-id", "x-campaignid", "x-mc-user", "x-mailer-lid", "x-csa-complaints")
_LONG_ABSENCE = 90  # words: who tells more than that while away is no machine
_CALENDAR_WORDS = 45
_RECEIPT_WORDS = 6  # what is left of a read receipt where the letter that was read is cut as history
_PRIVATE_WORDS = 60


def _told(text: str) -> str:
    """Beginning and end: a machine says at the top what it is, and at the bottom how to be rid of it."""
    return _folded(text if len(text) <= _HEAD + _TAIL else f"{text[:_HEAD]}\n{text[-_TAIL:]}")


def _folded(text: str) -> str:
    """Lower case, single spaces."""
    plain = text.casefold().replace("ё", "е").replace("’", "'").replace("\n", " ")
    if not plain.isprintable():  # it holds blanks of other kinds
        return " ".join(plain.split())
    while "  " in plain:
        plain = plain.replace("  ", " ")
    return plain.strip()


def _phrases() -> dict[str, dict[str, tuple[str, ...]]]:
    data: dict[str, Any] = tomllib.loads((files("classifiers") / "data" / "automated.toml").read_text("utf-8"))
    return {
        part: {name: tuple(word.casefold().replace("ё", "е") for word in words) for name, words in lists.items()}
        for part, lists in data.items()
    }


_SAY = _phrases()


def _start(phrase: str) -> str:
    """How its longest word begins: there, and not inside of a word, the phrase must stand in a letter."""
    longest: str = max(_LETTERS.findall(phrase), key=len)
    return longest[:6]


_SEARCHED = (
    *(("auto_reply", name) for name in ("absent", "beside", "machine", "receipt")),
    *(("notice", name) for name in ("text", "read_text")),
    *((part, "text") for part in ("bounce", "calendar", "survey")),
    *(("newsletter", "unsubscribe"), ("recruit", "strong"), ("vendor", "pitch"), ("vendor", "service")),
)
_STARTS_OF = {phrase: _start(phrase) for part, name in _SEARCHED for phrase in _SAY[part][name]}


@cache
def _search() -> AhoCorasick:
    """All of these phrases in one pass over a letter."""
    return AhoCorasick(list(_STARTS_OF), implementation=Implementation.DFA)


@dataclass(frozen=True)
class Seen:
    """One letter as these rules see it."""

    signals: Mapping[str, str]  # header names and values in lower case
    subject: str
    text: str
    sender: str  # the address's local part

    @cached_property
    def found(self) -> frozenset[str]:
        """The phrases that subject and text hold."""
        whole = f"{self.subject} {self.text}"
        found = _search().find_matches_as_strings(whole, overlapping=True)
        if not found:
            return frozenset()
        starts = _starts(set(whole.split(" ")))
        return frozenset(phrase for phrase in found if _STARTS_OF[phrase] in starts)

    def says(self, part: str, name: str) -> bool:
        return bool(self.found) and any(phrase in self.text for phrase in self.found.intersection(_SAY[part][name]))

    def count(self, part: str, name: str) -> int:
        """How many of these phrases subject and text hold."""
        return len(self.found.intersection(_SAY[part][name])) if self.found else 0

    def entitled(self, part: str, name: str = "subject") -> bool:
        return self.subject.startswith(_SAY[part][name])


def _see(signals: Mapping[str, str], subject: str, text: str, sender: str) -> Seen:
    address = sender[sender.rfind("<") + 1 :].casefold()
    return Seen(
        signals={name.casefold(): value[:500].casefold() for name, value in signals.items()},
        subject=_told(subject[:500]).lstrip(" *[("),
        text=_told(text),
        sender=address.partition("@")[0].strip(),
    )


def _starts(pieces: set[str]) -> frozenset[str]:
    """How the words begin; most stand between blanks, so that only the others must be looked for among signs."""
    plain = map(_FIRST_SIX, filter(str.isalpha, pieces))
    return frozenset(plain).union(_STARTS.findall(" ".join(filterfalse(str.isalpha, pieces))))


def automated(signals: Mapping[str, str], subject: str, text: str, sender: str) -> Automated:
    """What kind of machine wrote this letter, "" if a person did. `text` is the letter without quoted history."""
    seen = _see(signals, subject, text, sender)
    if _is_bounce(seen):
        return "bounce"
    if _is_calendar(seen):
        return "calendar_notification"
    if _is_auto_reply(seen):
        return "auto_reply"
    if _is_newsletter(seen):
        return "newsletter"
    return "notice" if _is_notice(seen) else ""


def matter(signals: Mapping[str, str], subject: str, text: str, sender: str) -> NotBusiness:
    """Why this letter is no client's business, as far as its words show it; "" in doubt."""
    return _matter(_see(signals, subject, text, sender))


def _matter(seen: Seen) -> NotBusiness:
    if _is_bounce(seen) or _is_calendar(seen) or _is_auto_reply(seen):
        return ""
    if _is_newsletter(seen):
        return "newsletter"
    if _is_recruiting(seen):
        return "recruit"
    if _is_vendor(seen):
        return "vendor"
    return "private" if _is_private(seen) else ""


def is_business(signals: Mapping[str, str], subject: str, text: str, sender: str) -> bool:
    """Not so: private mail, newsletters, advertising, offers out of the blue, surveys.

    Suppliers who serve us, recruiters and machines that speak of work are business, though not a client's.
    """
    seen = _see(signals, subject, text, sender)
    return not (_matter(seen) in ("private", "newsletter") or _pitches(seen) or _asks_everybody(seen))


def mailing_list(signals: Mapping[str, str]) -> bool:
    """A letter to a discussion list: one can post to it, which nobody can to a newsletter."""
    return "list-id" in signals and "list-post" in signals and signals["list-post"].strip().casefold() != "no"


# -- machines -------------------------------------------------------------------------------------------------------


def _is_bounce(seen: Seen) -> bool:
    if "x-failed-recipients" in seen.signals or "report-type=delivery-status" in _content_type(seen):
        return True
    if seen.sender in _SAY["bounce"]["senders"]:
        return True
    titled = any(map(seen.subject.__contains__, _SAY["bounce"]["subject"]))
    if seen.sender in _SAY["bounce"]["keepers"]:
        return titled or _tells_of_failure(seen)
    return titled and _tells_of_failure(seen) and not _REPLY.match(seen.subject)


def _tells_of_failure(seen: Seen) -> bool:
    return seen.says("bounce", "text") or _ENHANCED_STATUS.search(seen.text) is not None


def _content_type(seen: Seen) -> str:
    return seen.signals.get("content-type", "").replace('"', "").replace(" ", "")


def _is_calendar(seen: Seen) -> bool:
    kind = _content_type(seen)
    if kind.startswith("text/calendar") or "method=reply" in kind:
        return True
    if not seen.entitled("calendar"):
        return False
    if seen.says("calendar", "text"):
        return True
    title = seen.subject.partition(":")[2].strip()
    rest = seen.text.replace(seen.subject, " ").replace(title, " ") if title else seen.text
    if _DATE_OR_TIME.search(seen.text) is None:
        return not rest.strip()
    return len(_WORD.findall(rest)) <= 12 or (_listed(seen.text) and len(rest.split()) <= _CALENDAR_WORDS)


def _listed(text: str) -> bool:
    """ "When: ... Where: ...", as calendars write it."""
    return any(label in text for label in ("when:", "where:", "когда:", "место:", "начало:", "wann:"))


def _is_auto_reply(seen: Seen) -> bool:
    if seen.signals.get("auto-submitted", "").startswith("auto-replied"):
        return True
    if any(name in seen.signals for name in _AUTO_REPLY_HEADERS):
        return True
    if seen.signals.get("precedence", "").strip() in ("auto_reply", "auto-reply"):
        return True
    if "all" in seen.signals.get("x-auto-response-suppress", "") and seen.says("auto_reply", "absent"):
        return True
    if seen.entitled("auto_reply", "answers"):
        return True
    if seen.says("auto_reply", "machine") or (seen.says("auto_reply", "receipt") and "?" not in seen.text):
        return True
    if seen.text.count(" ") >= _LONG_ABSENCE:
        return False
    absent = seen.says("auto_reply", "absent")
    if seen.entitled("auto_reply"):
        return absent or seen.says("auto_reply", "beside")
    return absent and "?" not in seen.text and seen.says("auto_reply", "beside")


def _is_newsletter(seen: Seen) -> bool:
    if mailing_list(seen.signals):
        return False
    listed = "list-unsubscribe" in seen.signals
    bulk = seen.signals.get("precedence", "").strip() in ("bulk", "junk")
    campaign = _of_a_campaign(seen)
    if listed and (bulk or campaign):
        return True
    if _REPLY.match(seen.subject):
        return False
    to_many = listed or bulk or campaign or not _addresses_somebody(seen.text)
    return to_many and seen.says("newsletter", "unsubscribe")


def _of_a_campaign(seen: Seen) -> bool:
    if any(name in seen.signals for name in _CAMPAIGN_HEADERS):
        return True
    mailer = seen.signals.get("x-mailer", "") + seen.signals.get("user-agent", "")
    return bool(mailer) and any(name in mailer for name in _SAY["newsletter"]["mailers"])


def _addresses_somebody(text: str) -> bool:
    """A letter that begins with a greeting to one person, though a footer of its sender's mail program follows."""
    return _GREETING.match(text) is not None


def _is_notice(seen: Seen) -> bool:
    submitted = seen.signals.get("auto-submitted", "no").strip()
    if submitted.startswith("auto-") or "report-type=disposition-notification" in _content_type(seen):
        return True
    if seen.entitled("notice", "read") and (seen.says("notice", "read_text") or seen.text.count(" ") < _RECEIPT_WORDS):
        return True
    if seen.sender in _SAY["notice"]["senders"] or seen.sender.startswith(("noreply", "no-reply", "donotreply")):
        return True
    return seen.says("notice", "text") and not _REPLY.match(seen.subject)


# -- no client's business -------------------------------------------------------------------------------------------


def _is_recruiting(seen: Seen) -> bool:
    strong = seen.count("recruit", "strong")
    whole = f"{seen.subject} {seen.text}"
    return strong >= 2 or (strong == 1 and _count(whole, _SAY["recruit"]["weak"]) >= 1)


def _is_vendor(seen: Seen) -> bool:
    return _pitches(seen) or (seen.count("vendor", "service") >= 2 and not _REPLY.match(seen.subject))


def _pitches(seen: Seen) -> bool:
    """Somebody unknown sells to us."""
    return not _REPLY.match(seen.subject) and seen.count("vendor", "pitch") >= 2


def _asks_everybody(seen: Seen) -> bool:
    return not _REPLY.match(seen.subject) and seen.says("survey", "text")


def _is_private(seen: Seen) -> bool:
    whole = f"{seen.subject} {seen.text}"
    if len(whole.split()) > _PRIVATE_WORDS or _count(whole, _SAY["private"]["business"]):
        return False
    kin, home = _count(whole, _SAY["private"]["kin"]), _count(whole, _SAY["private"]["home"])
    return kin >= 1 and kin + home >= 2


def _count(text: str, words: tuple[str, ...]) -> int:
    """How many of these stand in the text as whole words."""
    padded = f" {' '.join(_TOKEN.findall(text))} "
    return sum(f" {word} " in padded for word in words)


# -- what such letters tell -----------------------------------------------------------------------------------------


def bounced_address(text: str, signals: Mapping[str, str]) -> str:
    """The address that a bounce says could not be reached, "" if it names none."""
    for name, value in signals.items():
        if name.casefold() == "x-failed-recipients" and (found := _ADDRESS.search(value)):
            return found[0].casefold()
    body = text[:_READ]
    named = _FINAL_RECIPIENT.search(body)
    addresses = [named[1]] if named else _ADDRESS.findall(body)
    for address in addresses:
        local = address.casefold().partition("@")[0]
        if local not in _SAY["bounce"]["senders"] and local not in _SAY["bounce"]["keepers"]:
            return str(address).casefold().rstrip(".")
    return ""
