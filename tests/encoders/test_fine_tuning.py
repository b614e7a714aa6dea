"""Fine-tuning, distillation and export on tiny random encoders."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from recsys import columns
from recsys.config import EncoderSettings, TextSettings
from recsys.dataset.interactions import Interactions, Vocabulary
from recsys.dataset.split import leave_one_out
from recsys.errors import ArtifactMismatchError, ConfigError, DataError
from recsys.home import HomePaths
from recsys.jobs.encoders.data import cosine_summary, events_before_cases
from recsys.models.encoders.text_encoder import TextEncoder, load_encoder
from recsys.stores.encoders.encoder_files import FACTS, export_encoder, save_encoder
from recsys.training.encoders.distillation import distil_encoder, distillation_loss, encoder_agreement
from recsys.training.encoders.fine_tuning import in_batch_loss, train_text_encoder
from recsys.training.encoders.text_pairs import TextPairs, query_choices, text_pairs
from tests.encoders.tiny_models import save_bert, save_gpt2

ADJECTIVES = ("red", "blue", "warm", "new", "old", "soft", "hard", "small")
# Each pair of nouns is bought together, and no text says so.
NOUNS = (("tea", "cup"), ("nail", "hammer"), ("pen", "ink"), ("shoe", "lace"))
WORDS = [*ADJECTIVES, *(noun for pair in NOUNS for noun in pair)]
SETTINGS = EncoderSettings(
    epochs=6,
    batch_size=32,
    learning_rate=5e-3,
    lora_learning_rate=2e-2,
    warmup_steps=5,
    threads=1,
    patience=6,
)
ITEMS = [f"{adjective} {noun}" for pair in NOUNS for noun in pair for adjective in ADJECTIVES]


@pytest.fixture(scope="module")
def pairs() -> TextPairs:
    """Who buys a cup buys tea: 300 users who each buy six things of one pair of nouns."""
    rng = np.random.default_rng(0)
    users, items = Vocabulary.of(f"u{n:03}" for n in range(300)), Vocabulary.of(ITEMS)
    bought = [
        items.index(f"{rng.choice(ADJECTIVES)} {NOUNS[user % 4][step % 2]}")
        for user in range(300)
        for step in range(6)
    ]
    count = len(bought)
    log = Interactions(
        users,
        items,
        np.repeat(np.arange(1, 301), 6),
        np.array(bought, np.int64),
        np.full(count, columns.KIND_CODES[columns.PURCHASE]),
        np.ones(count, np.float32),
        np.arange(count, dtype=np.int64) * 1_000_000,
    )
    nothing = np.zeros((0, 2), np.int64)
    return text_pairs(log, ("", *items.ids[1:]), nothing, [], 5, 0.2, 0)


def load(folder: Path) -> TextEncoder:
    return load_encoder(TextSettings(encoder=str(folder), precision="float32"))


def test_what_is_held_back_is_in_no_pair_to_learn_from(pairs: TextPairs) -> None:
    assert not set(pairs.held_out[:, 0].tolist()) & set(pairs.pairs.ravel().tolist())
    assert len(pairs.held_out) >= 10


@pytest.mark.parametrize("save", [save_bert, save_gpt2])
def test_what_is_bought_together_comes_together_also_for_texts_that_were_held_back(
    save, pairs, tmp_path
) -> None:
    encoder = load(save(tmp_path / "base", WORDS))
    done = train_text_encoder(encoder, pairs, SETTINGS)
    assert done.after["recall@10"] > done.before["recall@10"] + 0.1
    assert done.after["recall@10"] == max(epoch["recall@10"] for epoch in done.epochs)
    tea, cup, nail = encoder.encode(["red tea", "blue cup", "blue nail"])
    assert tea @ cup > tea @ nail + 0.2


def test_only_the_chosen_layers_move_and_equal_seeds_give_equal_weights(pairs, tmp_path) -> None:
    folder = save_bert(tmp_path / "base", WORDS)
    short = SETTINGS.model_copy(update={"epochs": 1})
    encoders = [load(folder) for _ in range(2)]
    done = [train_text_encoder(encoder, pairs, short, layers=1) for encoder in encoders]
    old, new, again = (each.model.state_dict() for each in (load(folder), *encoders))
    moved = {name.split(".")[2] for name in new if not torch.equal(old[name], new[name])}
    assert moved == {"1"}
    assert all(torch.equal(new[name], again[name]) for name in new)
    assert 0 < done[0].trained < done[0].total


@pytest.mark.parametrize("save", [save_bert, save_gpt2])
def test_lora_ends_as_a_plain_folder_with_the_same_vectors(save, pairs, tmp_path) -> None:
    encoder = load(save(tmp_path / "base", WORDS))
    done = train_text_encoder(encoder, pairs, SETTINGS, lora=True)
    assert done.after["recall@10"] > done.before["recall@10"]
    assert done.trained < done.total / 2
    folder = save_encoder(HomePaths(tmp_path / "home"), "lora", encoder, {"before": done.before})
    again = load(folder)
    assert again.pooling == encoder.pooling
    np.testing.assert_allclose(again.encode(ITEMS), encoder.encode(ITEMS), atol=1e-5)
    assert "recall@10" in (folder / "README.md").read_text()


def test_more_layers_than_there_are_is_refused_with_their_number(pairs, tmp_path) -> None:
    with pytest.raises(ConfigError, match="has 2 layers"):
        train_text_encoder(load(save_bert(tmp_path / "base", WORDS)), pairs, SETTINGS, layers=3)


def test_what_belongs_together_is_no_wrong_answer() -> None:
    left = right = torch.eye(3)
    related = torch.zeros(3, 3, dtype=torch.bool)
    plain = in_batch_loss(left, right, torch.tensor(1.0), related)
    related[0, 1] = True
    # Row 0 has one wrong answer of two left, and so has column 1; e is the right one's exp(1).
    expected = (4 * np.log((np.e + 2) / np.e) + 2 * np.log((np.e + 1) / np.e)) / 6
    masked = in_batch_loss(left, right, torch.tensor(1.0), related)
    assert float(masked) == pytest.approx(expected, abs=1e-6)
    assert float(plain) == pytest.approx(np.log((np.e + 2) / np.e), abs=1e-6)


def test_choices_on_a_query_are_found_by_name_request_and_session() -> None:
    rows = [
        ("search", "u", None, "s1", "r1", "warm hat", 1),
        ("click", "u", "a", None, "r1", None, 2),
        ("purchase", "u", "b", "s1", None, None, 3),
        ("view", "u", "c", "s2", "r2", None, 4),  # of another request and session
        ("click", "v", "a", None, "r1", None, 5),  # of another user
        ("click", "v", "c", None, None, "red shoe", 6),
        ("click", "v", "gone", None, None, "red shoe", 7),  # no item of the catalog
    ]
    names = ["kind", "user_id", "item_id", "session_id", "request_id", "query", "at"]
    events = pd.DataFrame(rows, columns=names)
    events["at"] = pd.to_datetime(events["at"], unit="s", utc=True)
    choices, queries = query_choices(events, Vocabulary(("", "a", "b", "c")))
    found = {(queries[query], item) for query, item in choices.tolist()}
    assert found == {("warm hat", 1), ("warm hat", 2), ("red shoe", 3)}


def test_too_few_pairs_are_refused() -> None:
    users, items = Vocabulary.of("u"), Vocabulary.of("ab")
    one = np.ones(1, np.int64)
    log = Interactions(users, items, one, one, one, np.ones(1, np.float32), one)
    with pytest.raises(DataError, match="too few"):
        text_pairs(log, ("", "a", "b"), np.zeros((0, 2), np.int64), [], 5, 0.1, 0)


def test_a_student_comes_to_see_texts_as_its_wider_teacher_does(tmp_path) -> None:
    teacher = load(save_bert(tmp_path / "teacher", WORDS, width=32))
    student = load(save_bert(tmp_path / "student", WORDS, width=16, layers=1))
    texts = [f"{one} {two}" for one in ADJECTIVES for two in ITEMS]
    settings = SETTINGS.model_copy(update={"epochs": 8})
    done = distil_encoder(student, texts, teacher.encode(texts), settings)
    assert done.after["cosine correlation"] > done.before["cosine correlation"] + 0.1
    assert student.dimensions == 16


def test_a_perfect_student_has_no_loss_and_shares_all_neighbours() -> None:
    rows = torch.nn.functional.normalize(
        torch.randn(12, 4, generator=torch.Generator().manual_seed(0)), dim=1
    )
    assert float(distillation_loss(rows, rows, rows)) == pytest.approx(0, abs=1e-6)
    same = encoder_agreement(rows.numpy(), rows.numpy())
    assert same == pytest.approx({"cosine correlation": 1.0, "shared nearest 10": 1.0})


@pytest.mark.parametrize("save", [save_bert, save_gpt2])
@pytest.mark.parametrize(("form", "least"), [("float32", 0.99999), ("int8", 0.97), ("bfloat16", 0.995)])
def test_an_exported_encoder_gives_the_same_vectors_nearly(save, form, least, tmp_path) -> None:
    exact = load(save(tmp_path / "base", WORDS))
    folder = export_encoder(HomePaths(tmp_path / "home"), form, exact, form, {"form": form})
    other = load(folder)
    texts = [*ITEMS, "red", "warm old soft small tea cup nail"]
    assert cosine_summary(exact.encode(texts), other.encode(texts))["cosine min"] > least
    assert other.pooling == exact.pooling
    assert other.name != exact.name
    assert json.loads((folder / FACTS).read_text()) == {"form": form}
    assert (folder / "model.onnx").exists() is (form != "bfloat16")
    np.testing.assert_allclose(other.encode(["", "red tea"])[0], 0)


def test_an_onnx_encoder_is_neither_trained_nor_exported_again(pairs, tmp_path) -> None:
    home = HomePaths(tmp_path / "home")
    folder = export_encoder(home, "x", load(save_bert(tmp_path / "base", WORDS)), "float32", {})
    with pytest.raises(ConfigError, match="no layers to train"):
        train_text_encoder(load(folder), pairs, SETTINGS)
    with pytest.raises(ConfigError, match="ONNX already"):
        export_encoder(home, "y", load(folder), "int8", {})
    with pytest.raises(ConfigError, match="there already"):
        export_encoder(home, "x", load(tmp_path / "base"), "int8", {})
    with pytest.raises(ConfigError, match="'fp4'"):
        export_encoder(home, "z", load(tmp_path / "base"), "fp4", {})
    (folder / "model.onnx").write_bytes(b"no network")
    with pytest.raises(ArtifactMismatchError, match=r"model\.onnx"):
        load(folder)


def test_nothing_from_the_moment_on_that_a_user_is_asked_about_is_learned_from() -> None:
    users, items = Vocabulary.of("uv"), Vocabulary.of("abcd")
    # u: a, b, then c (validation), d (test); v: a alone, never asked about.
    log = Interactions(
        users,
        items,
        np.array([1, 1, 1, 1, 2]),
        np.array([1, 2, 3, 4, 1]),
        np.full(5, columns.KIND_CODES[columns.PURCHASE]),
        np.ones(5, np.float32),
        np.array([10, 20, 30, 40, 50], np.int64) * 1_000_000,
    )
    rows = [("u", 29), ("u", 30), ("u", 45), ("v", 60), ("stranger", 60)]
    events = pd.DataFrame(rows, columns=["user_id", "at"])
    events["at"] = pd.to_datetime(events["at"], unit="s", utc=True)
    kept = events_before_cases(events, leave_one_out(log))
    assert kept["user_id"].tolist() == ["u", "v", "stranger"]
    cut = replace(leave_one_out(log), train_end=30_000_000)
    assert events_before_cases(events, cut)["user_id"].tolist() == ["u"]
