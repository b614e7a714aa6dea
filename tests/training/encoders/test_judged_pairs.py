import numpy as np
import pytest
import torch

from recsys.config import EncoderSettings
from recsys.errors import DataError
from recsys.training.encoders.judged_pairs import JudgedPair, order_loss, tune_on_judgments
from tests.models.encoders.test_text_encoder import load, save_bert

WORDS = ("red", "blue", "shoe", "hat", "warm", "wool", "cap")


def judged(count: int = 400) -> list[JudgedPair]:
    """An item is relevant where it has the query's word, and more so where it stands first."""
    rng = np.random.default_rng(0)
    pairs = []
    for _ in range(count):
        query = str(rng.choice(WORDS))
        text = [str(word) for word in rng.choice(WORDS, 3, replace=False)]
        pairs.append(JudgedPair(query, " ".join(text), 1.0 + (query in text) + (query == text[0])))
    return pairs


def test_relevant_pairs_come_nearer_than_others(tmp_path):
    encoder = load(save_bert(tmp_path / "model"))

    def difference() -> float:
        pairs = judged()
        left = encoder.encode([pair.query for pair in pairs])
        right = encoder.encode([pair.text for pair in pairs])
        cosines, grades = (left * right).sum(1), np.array([pair.grade for pair in pairs])
        return float(cosines[grades > 1].mean() - cosines[grades == 1].mean())

    before = difference()
    settings = EncoderSettings(epochs=4, batch_size=32, learning_rate=5e-3, warmup_steps=5, threads=1)
    tune_on_judgments(encoder, judged(), settings, relevant=2.0)
    assert difference() > before + 0.05
    assert not encoder.model.training
    assert not any(weight.requires_grad for weight in encoder.model.parameters())


def test_order_loss_is_small_where_cosines_have_the_order_of_the_grades():
    grades = torch.tensor([3.0, 2.0, 1.0])
    right, wrong = torch.tensor([0.9, 0.5, 0.1]), torch.tensor([0.1, 0.5, 0.9])
    assert order_loss(right, grades) < 0.01
    # Three pairs in the wrong order, the farthest by .8: log(1 + e^(20 * .8) + 2 e^(20 * .4)) is about 16.
    assert order_loss(wrong, grades) == pytest.approx(16.0, abs=0.01)
    assert order_loss(wrong, torch.ones(3)) == 0


@pytest.mark.parametrize("pairs", [judged(20), [JudgedPair("red", "hat", 1.0)] * 200])
def test_too_few_pairs_or_grades_are_refused(tmp_path, pairs):
    encoder = load(save_bert(tmp_path / "model"))
    with pytest.raises(DataError, match="too few to tune"):
        tune_on_judgments(encoder, pairs, EncoderSettings(), relevant=2.0)
