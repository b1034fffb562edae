"""The trained heads: what they see, how sure they are, and that they read only with their own encoder."""

from pathlib import Path

import numpy as np
import pytest

from agent.model import Letter
from classifiers import PROPOSE, WRITE, heads, manifest
from classifiers.encoder import Encoder, encode_once, packaged
from classifiers.features import Vocabulary
from classifiers.heads import LETTER_HEADS, SENTENCE_HEADS, Model, Weights
from classifiers.manifest import Limits, Manifest
from classifiers.reader import examples, read_by_rules, ruled_all, with_model

DEAR = Letter(direction="inbound", subject="", body="Your quotation is 40 percent above what we paid last year.")
LIMITS = Limits(propose=0.3, write=0.9)


def encoder() -> Encoder:
    found = packaged()
    assert found is not None
    return found


def untrained(lean: float) -> Model:
    """A model without any knowledge, which leans to say everything (above 0) or nothing (below)."""
    wide = 3 * 512 + 4
    about = 6
    weights = Weights(
        sentence=np.zeros((wide, len(LETTER_HEADS))),
        letter=np.zeros((about, len(LETTER_HEADS))),
        bias=np.full(len(LETTER_HEADS), lean),
        scale=np.ones(len(LETTER_HEADS)),
        shift=np.zeros(len(LETTER_HEADS)),
        kinds=np.zeros((wide, len(SENTENCE_HEADS))),
        kinds_bias=np.eye(len(SENTENCE_HEADS))[0],
    )
    about_it = Manifest(
        format=manifest.FORMAT,
        version="",
        encoder=encoder().name,
        encoder_sha256=encoder().fingerprint(),
        data_sha256={},
        rules="",
        milestones=LIMITS,
        objections=LIMITS,
        metrics={},
        baseline={},
    )
    return Model(about_it, weights, Vocabulary(terms=(), weights=()))


def test_the_encoder_finds_a_sentence_near_its_translation() -> None:
    price, translated, weather = encode_once(
        encoder(), ["The price is too high for us.", "Цена для нас слишком высокая.", "It will rain on Sunday."]
    )
    assert price @ translated > price @ weather + 0.2
    assert np.linalg.norm(price) == pytest.approx(1, abs=1e-3)


def test_the_same_sentence_twice_is_encoded_once() -> None:
    class Counting:
        """The packaged encoder, counting what it is given."""

        name, size, given = encoder().name, encoder().size, 0

        def fingerprint(self) -> str:
            return encoder().fingerprint()

        def encode(self, texts):  # type: ignore[no-untyped-def]
            Counting.given += len(texts)
            return encoder().encode(texts)

    vectors = encode_once(Counting(), ["Yes.", "No.", "Yes."])
    assert Counting.given == 2
    assert (vectors[0] == vectors[2]).all()


def test_a_probability_at_its_limit_is_proposed_or_written() -> None:
    assert LIMITS.confidence(0.2999, 0.2999) < PROPOSE
    assert PROPOSE <= LIMITS.confidence(0.3, 0.3) < WRITE
    assert PROPOSE <= LIMITS.confidence(0.8999, 0.8999) < WRITE
    assert WRITE <= LIMITS.confidence(0.9, 0.9) <= LIMITS.confidence(1.0, 1.0) < 1


def test_an_objection_of_unsure_type_is_proposed_and_not_written() -> None:
    assert PROPOSE <= LIMITS.confidence(0.99, 0.4) < WRITE


def test_a_saved_model_reads_as_before(tmp_path: Path) -> None:
    model = untrained(2.0)
    named = heads.save(tmp_path, model.manifest, model.weights, model.known)
    again = heads.load(tmp_path)
    assert named.version.startswith("heads-")
    assert again.manifest == named
    (seen,) = examples(ruled_all([DEAR]), encoder())
    assert seen is not None
    assert again.scores(seen) == model.scores(seen)


def test_a_milestone_of_the_other_side_is_never_read() -> None:
    (inbound,) = with_model(ruled_all([DEAR]), untrained(5.0), encoder())
    names = {read.name for read in inbound.milestones}
    assert "proposal_received" in names
    assert not names & {"proposal_sent", "invoice_sent"}


def test_an_objection_that_only_the_heads_see_still_has_its_quote() -> None:
    (one,) = with_model(ruled_all([DEAR]), untrained(5.0), encoder())
    (held,) = one.objections
    assert held.reason is not None
    assert DEAR.body[held.reason.start : held.reason.end] == held.reason.quote


def test_a_rule_stands_in_a_short_letter_and_falls_in_a_long_one_that_the_heads_doubt() -> None:
    long = Letter(
        direction="inbound", subject="", body=f"{DEAR.body} {'The garden is green and the sky is blue. ' * 4}"
    )
    short_read, long_read = with_model(ruled_all([DEAR, long]), untrained(-9.0), encoder())
    assert [held.type for held in short_read.objections] == ["price"]
    assert (long_read.milestones, long_read.objections) == ((), ())


@pytest.mark.parametrize(
    "letter",
    [
        Letter(direction="internal", subject="", body="They say that we are too expensive."),
        Letter(direction="inbound", subject="", body=""),
        Letter(
            direction="inbound",
            subject="Out of office",
            body="I am out of the office until Monday.",
            signals={"auto-submitted": "auto-replied"},
        ),
    ],
)
def test_where_nothing_can_be_said_the_heads_are_not_asked(letter: Letter) -> None:
    ruled = ruled_all([letter])
    assert examples(ruled, encoder()) == [None]
    (one,) = with_model(ruled, untrained(5.0), encoder())
    assert (one.milestones, one.objections) == ((), ())


def test_a_reading_names_rules_and_heads() -> None:
    (with_heads,) = with_model(ruled_all([DEAR]), untrained(5.0), encoder())
    (alone,) = read_by_rules([DEAR])
    assert alone.version == manifest.full_version("")
    assert with_heads.version == manifest.full_version("")  # an unsaved model has no version yet
    assert manifest.full_version("heads-1") == f"{alone.version}+heads-1"


def test_without_its_encoder_the_heads_are_silent_and_it_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = untrained(1.0)
    heads.save(tmp_path, model.manifest, model.weights, model.known)
    monkeypatch.setattr(heads, "room", lambda: tmp_path)
    monkeypatch.setattr(heads, "version", lambda: "")
    for installed, said in (("", "not installed"), ("another", "not the one")):
        monkeypatch.setattr(heads, "installed", lambda installed=installed: installed)
        heads.shipped.cache_clear()
        assert heads.shipped() is None
        assert said in caplog.text
    heads.shipped.cache_clear()
