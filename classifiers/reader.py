"""From letters to readings: cut, tell the language and the kind of letter, find the phrases, decide.

letters -> cuts (clean) -> kind and language (automated, clean) -> sentences with phrases (pipeline)
        -> milestones, objections (rules) -> the same, weighed by the trained heads where they can read (votes)
"""

from collections.abc import Sequence
from itertools import islice
from typing import Literal

import msgspec

from agent.model import Cut, Letter, MilestoneRead, NotBusiness, ObjectionRead, Reading, SettlingRead
from classifiers import votes
from classifiers.automated import automated, matter
from classifiers.clean import find_cuts, handed_over, kept, language, without_history
from classifiers.encoder import Encoder, encode_once, one_thread
from classifiers.features import Example, example
from classifiers.heads import MACHINE, Model, Scores, in_use
from classifiers.house import DEFAULT, ReaderOptions
from classifiers.manifest import Manifest, full_version
from classifiers.manifest import version as model_version
from classifiers.milestones import buying, milestones
from classifiers.objections import objections
from classifiers.rules import VERSION, HousePhrases, book
from classifiers.rules import version as rules_version
from classifiers.salutations import salutations
from classifiers.settling import settling
from classifiers.spans import Sentence

GREETINGS = 3  # sentences at the beginning that may do nothing else
MAX_TEXT = 40_000  # characters of one letter; what stands behind is not read
COVERING_NOTE = 60  # words above a letter that is passed on; more than that is an answer of its own

Tongue = Literal["en", "ru", "other"]


class Prepared(msgspec.Struct, frozen=True):
    """A letter with all that is known of it before its phrases are looked up."""

    letter: Letter
    cuts: tuple[Cut, ...]
    language: Tongue
    machine: Literal["", "auto_reply", "bounce", "calendar_notification", "newsletter", "notice", "machine"]
    matter: NotBusiness
    shown: str  # the body with blanks for all that is not read: places stay those of the body


class Ruled(msgspec.Struct, frozen=True):
    """A letter as the rules read it."""

    prepared: Prepared
    sentences: tuple[Sentence, ...]  # empty where nothing can be said
    milestones: tuple[MilestoneRead, ...] = ()
    objections: tuple[ObjectionRead, ...] = ()
    settling: tuple[SettlingRead, ...] = ()
    rules: str = VERSION  # the rules that read


def read_all(letters: Sequence[Letter], options: ReaderOptions = DEFAULT) -> list[Reading]:
    """One reading per letter, in the same order; by the rules alone where no heads can read."""
    ruled = ruled_all(letters, options.phrases)
    if not any(one.sentences for one in ruled):  # the encoder is loaded only when there is a sentence
        return [by_rules(one, model_version(options.model)) for one in ruled]
    model = in_use(options.model)
    return with_model(ruled, model) if model else [by_rules(one) for one in ruled]


def read_by_rules(letters: Sequence[Letter]) -> list[Reading]:
    """The same without the trained heads."""
    return [by_rules(one) for one in ruled_all(letters)]


def ruled_all(letters: Sequence[Letter], house: tuple[HousePhrases, ...] = ()) -> list[Ruled]:
    """What the rules see in each letter; `house` are the admin's own phrases."""
    prepared = [_prepare(letter) for letter in letters]
    named = rules_version(house)
    return [_ruled(one, some, house, named) for one, some in zip(prepared, _sentences(prepared, house), strict=True)]


def with_model(ruled: Sequence[Ruled], model: Model) -> list[Reading]:
    """The readings of rules and heads together."""
    with one_thread():
        seen = examples(ruled, model.encoder)
        scores = model.scores([one for one in seen if one is not None])
    return weighed(ruled, seen, scores, model.manifest)


def weighed(
    ruled: Sequence[Ruled], seen: Sequence[Example | None], scores: Sequence[Scores], manifest: Manifest
) -> list[Reading]:
    """The same where the heads have spoken: `scores` are of those letters in which there was something to see."""
    said = iter(scores)
    return [
        by_rules(one, manifest.version) if shown is None else _weighed(one, shown, next(said), manifest)
        for one, shown in zip(ruled, seen, strict=True)
    ]


def examples(ruled: Sequence[Ruled], encoder: Encoder) -> list[Example | None]:
    """What the heads see of each letter; None where there is nothing to see. All sentences are encoded at once."""
    texts = [[one.prepared.letter.body[some.start : some.end] for some in one.sentences] for one in ruled]
    encoded = iter(encode_once(encoder, [text for some in texts for text in some]))
    found: list[Example | None] = []
    for one, some in zip(ruled, texts, strict=True):
        own = list(islice(encoded, len(some)))
        letter = one.prepared.letter
        found.append(example(letter, one.sentences, own, one.milestones, one.objections) if some else None)
    return found


def _prepare(letter: Letter) -> Prepared:
    cuts = find_cuts(letter.body, letter.cuts, letter.subject)
    stretches = kept(letter.body, cuts)
    own = sum(len(letter.body[start:end].split()) for start, end in stretches)
    if own <= COVERING_NOTE:
        stretches = sorted([*stretches, *handed_over(letter.body, cuts)])
    shown = _shown(letter.body, stretches)
    sent = without_history(letter.body[:MAX_TEXT], cuts)
    asked = (letter.signals, letter.subject, sent, letter.signals.get("from", ""))
    inbound = letter.direction == "inbound"
    return Prepared(
        letter=letter,
        cuts=cuts,
        language=language(shown),
        machine=automated(*asked) if inbound else "",
        matter=matter(*asked) if inbound else "",
        shown=shown,
    )


def _shown(body: str, stretches: Sequence[tuple[int, int]]) -> str:
    parts: list[str] = []
    at = 0
    for start, end in stretches:
        start, end = max(start, at), min(end, MAX_TEXT)
        if start < end:
            parts += ["\n" * (start - at), body[start:end]]
            at = end
    return "".join(parts)


def _sentences(prepared: Sequence[Prepared], house: tuple[HousePhrases, ...]) -> list[tuple[Sentence, ...]]:
    """The sentences of every letter that can say anything, found in batches of one language."""
    found: list[tuple[Sentence, ...]] = [()] * len(prepared)
    for tongue in ("en", "ru"):
        some = [number for number, one in enumerate(prepared) if _tongue(one) == tongue and _telling(one)]
        if some:
            from classifiers.pipeline import sentences  # spaCy is loaded only when something is to be read

            read = sentences(tongue, [prepared[number].shown for number in some], house)
            for number, result in zip(some, read, strict=True):
                texts = [prepared[number].shown[one.start : one.end] for one in result[:GREETINGS]]
                found[number] = result[salutations(texts) :]
    return found


def _telling(one: Prepared) -> bool:
    """Whether the letter can prove or hold anything: not between ourselves, not in what is no client's business."""
    return (
        one.letter.direction != "internal"
        and not one.matter
        and one.machine not in ("newsletter", "bounce", "auto_reply")
    )


def _tongue(one: Prepared) -> str:
    """A letter too short to tell its language is tried by its alphabet."""
    if one.language != "other":
        return one.language
    return "ru" if any("а" <= letter <= "я" for letter in one.shown.lower()) else "en"


def _ruled(one: Prepared, some: tuple[Sentence, ...], house: tuple[HousePhrases, ...], rules: str) -> Ruled:
    if not some or buying(one.letter, some):
        return Ruled(one, (), rules=rules)
    proven = milestones(one.letter, some, book(_tongue(one), house).lists)
    held = () if one.machine else objections(one.letter, some, {read.name for read in proven})
    return Ruled(one, some, proven, held, () if one.machine else settling(one.letter, some), rules)


def _weighed(one: Ruled, seen: Example, scores: Scores, manifest: Manifest) -> Reading:
    prepared = one.prepared
    heard = votes.Heard(prepared.letter, one.sentences, seen, scores, manifest)
    proven = votes.milestones(heard, one.milestones)
    if not prepared.machine and scores.labels[MACHINE].probability >= manifest.machine:
        one = msgspec.structs.replace(one, prepared=msgspec.structs.replace(prepared, machine="machine"), settling=())
    held = () if one.prepared.machine else votes.objections(heard, one.objections)
    return _reading(one, proven, held, full_version(manifest.version, one.rules))


def by_rules(one: Ruled, model: str = "") -> Reading:
    """What the rules say; `model` names the heads that had nothing to see in it."""
    return _reading(one, one.milestones, one.objections, full_version(model, one.rules))


def _reading(ruled: Ruled, proven: tuple[MilestoneRead, ...], held: tuple[ObjectionRead, ...], named: str) -> Reading:
    one = ruled.prepared
    return Reading(
        version=named,
        language=one.language,
        cuts=one.cuts,
        milestones=proven,
        objections=held,
        settling=ruled.settling,
        automated=one.machine,
        business=one.matter in ("", "recruit") and one.machine != "newsletter",
        matter=one.matter,
    )
