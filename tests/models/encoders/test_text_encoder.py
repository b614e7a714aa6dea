import json
from pathlib import Path

import numpy as np
import pytest
import torch

from recsys.config import TextSettings
from recsys.errors import ArtifactNotFoundError, ConfigError
from recsys.models.encoders.text_encoder import TextEncoder, load_encoder, pool_tokens

WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "red", "blue", "shoe", "hat", "warm", "wool", "cap")
TEXTS = ["red shoe", "blue wool hat", "warm", "red red red shoe hat cap wool warm", "cap"]


def save_bert(folder: Path) -> Path:
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    BertTokenizerFast(vocab=str(folder / "vocab.txt")).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
    )
    BertModel(config).save_pretrained(folder)
    return folder


def save_gpt2(folder: Path) -> Path:
    """A decoder whose tokenizer has neither a padding token nor an end of text."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    folder.mkdir()
    words = Tokenizer(models.WordLevel({word: place for place, word in enumerate(WORDS)}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=words, unk_token="[UNK]").save_pretrained(folder)
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=len(WORDS), n_embd=16, n_layer=2, n_head=2, n_positions=64, bos_token_id=1, eos_token_id=1
    )
    GPT2LMHeadModel(config).save_pretrained(folder)
    return folder


def load(folder: Path, **changes: object) -> TextEncoder:
    section = TextSettings(encoder=str(folder), precision="float32")
    return load_encoder(section.model_copy(update=changes))


@pytest.fixture(params=[save_bert, save_gpt2], ids=["bert", "gpt2"])
def folder(request, tmp_path) -> Path:
    return request.param(tmp_path / "model")


def test_rows_have_unit_length_and_keep_their_order(folder):
    encoder = load(folder)
    rows = encoder.encode(TEXTS)
    assert rows.shape == (5, 16) == (5, encoder.dimensions)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    for text, row in zip(TEXTS, rows, strict=True):
        np.testing.assert_allclose(encoder.encode([text])[0], row, atol=1e-5)


@pytest.mark.parametrize("size", [1, 2, 64])
def test_company_in_a_batch_does_not_change_a_row(folder, size):
    expected = load(folder).encode(TEXTS)
    np.testing.assert_allclose(load(folder, batch_size=size).encode(TEXTS), expected, atol=1e-5)


def test_a_text_without_words_gives_zeros(folder):
    rows = load(folder).encode(["", "  ", "red shoe"])
    assert np.linalg.norm(rows, axis=1).round(4).tolist() == [0, 0, 1]
    assert load(folder).encode([]).shape == (0, 16)


def test_an_encoder_is_averaged_and_a_decoder_read_at_its_last_token(tmp_path):
    bert, gpt2 = load(save_bert(tmp_path / "b")), load(save_gpt2(tmp_path / "g"))
    assert (bert.pooling, gpt2.pooling) == ("mean", "last")
    tokens = torch.tensor([[5, 7]])
    states = gpt2.model(input_ids=tokens).last_hidden_state[0, -1]
    expected = (states / states.norm()).numpy()
    np.testing.assert_allclose(gpt2.encode(["red shoe"])[0], expected, atol=1e-5)


def test_the_checkpoints_own_pooling_comes_first_and_the_setting_before_it(tmp_path):
    folder = save_bert(tmp_path / "b")
    (folder / "1_Pooling").mkdir()
    flags = {
        "pooling_mode_cls_token": True,
        "pooling_mode_mean_tokens": False,
        "word_embedding_dimension": 16,
    }
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(flags))
    assert load(folder).pooling == "cls"
    assert load(folder, pooling="mean").pooling == "mean"


@pytest.mark.parametrize("side", ["left", "right"])
def test_pooling_is_the_same_for_padding_on_either_side(side):
    real, pad = torch.tensor([[1.0, 2.0], [3.0, 6.0]]), torch.full((3, 2), 99.0)
    states = torch.cat([pad, real] if side == "left" else [real, pad])[None]
    mask = torch.tensor([[False] * 3 + [True] * 2 if side == "left" else [True] * 2 + [False] * 3])
    assert pool_tokens(states, mask, "mean").tolist() == [[2.0, 4.0]]
    assert pool_tokens(states, mask, "cls").tolist() == [[1.0, 2.0]]
    assert pool_tokens(states, mask, "last").tolist() == [[3.0, 6.0]]


def test_the_name_changes_with_whatever_changes_the_vectors(tmp_path):
    folder = save_bert(tmp_path / "model")
    names = [
        load(folder).name,
        load(folder, pooling="cls").name,
        load(folder, max_tokens=8).name,
        load(folder, prefix="query: ").name,
        load(folder, precision="bfloat16").name,
    ]
    from transformers import BertModel

    model = BertModel.from_pretrained(folder)
    with torch.no_grad():
        model.encoder.layer[1].output.dense.weight[3, 3] += 0.01
    model.save_pretrained(folder)
    names.append(load(folder).name)
    assert len(set(names)) == len(names)
    assert load(folder).name == load(folder, batch_size=2).name == names[-1]


def test_a_prefix_is_part_of_the_text(tmp_path):
    folder = save_bert(tmp_path / "model")
    prefixed = load(folder, prefix="red ").encode(["shoe"])
    np.testing.assert_allclose(prefixed, load(folder).encode(["red shoe"]), atol=1e-6)


def test_long_texts_are_cut(tmp_path):
    folder = save_gpt2(tmp_path / "model")
    encoder = load(folder, max_tokens=4)
    np.testing.assert_allclose(
        encoder.encode(["red blue shoe hat warm wool"]), encoder.encode(["red blue shoe hat cap"]), atol=1e-6
    )


def test_an_encoder_that_is_nowhere_is_named_with_the_remedy(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ArtifactNotFoundError, match=r"empty' does not load.*Set it to"):
        load(tmp_path / "empty")


def test_an_unknown_pooling_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"text.pooling is 'max'"):
        load(save_bert(tmp_path / "model"), pooling="max")


def test_minilm_knows_what_belongs_together():
    encoder = load_encoder(TextSettings())
    rows = encoder.encode(["whole milk 1 gallon", "skim milk half gallon", "AA batteries", ""])
    assert encoder.name.startswith("minilm-mean-64-")
    assert rows.shape == (4, 384)
    assert rows[0] @ rows[1] > 0.6 > 0.4 > rows[0] @ rows[2]
    assert not rows[3].any()
