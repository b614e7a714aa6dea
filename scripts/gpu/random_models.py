"""Networks with seeded random weights and what they read, for a check that needs no shop."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from transformers import BertConfig, BertModel, BertTokenizerFast
from transformers.utils import logging

from recsys.arrays import FloatArray
from recsys.config import RankerSettings, RetrieverSettings, TextSettings
from recsys.dataset.batches import TrainingData, histories_of, training_data, training_windows
from recsys.dataset.interactions import Histories, Interactions, Vocabulary
from recsys.instants import SECOND
from recsys.models.ctr.impressions import Batch, Impressions, make_batch
from recsys.models.ctr.network import CtrNetwork
from recsys.models.ctr.shape import CtrShape
from recsys.models.encoders.text_encoder import TextEncoder, load_encoder
from recsys.models.ranker import Ranker, RankerShape
from recsys.models.retriever.attributes import AttributeVocabulary
from recsys.models.retriever.retriever import Retriever
from recsys.models.retriever.shape import RetrieverShape

TOKENS, ACTIONS, FIRST_SECOND = 50, 40, 1_700_000_000
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


@dataclass(frozen=True)
class Sizes:
    """How large the check is; networks have the widths that we ship, but for the encoder's layers."""

    items: int
    users: int
    candidates: int
    texts: int
    encoder_width: int
    encoder_layers: int
    steps: int
    rounds: int


SMALL = Sizes(2_000, 320, 200, 200, 64, 2, 3, 3)
LARGE = Sizes(100_000, 12_800, 500, 20_000, 384, 6, 50, 50)


def random_log(sizes: Sizes) -> Interactions:
    """ACTIONS of each user, items by Zipf's law."""
    rng = np.random.default_rng(0)
    count = sizes.users * ACTIONS
    return Interactions(
        Vocabulary(("", *(f"u{n}" for n in range(sizes.users)))),
        Vocabulary(("", *(f"i{n}" for n in range(sizes.items)))),
        np.repeat(np.arange(1, sizes.users + 1), ACTIONS),
        np.minimum(rng.zipf(1.2, count), 1 << 40) % sizes.items + 1,
        np.full(count, 8),
        np.ones(count, np.float32),
        (FIRST_SECOND + np.tile(np.arange(ACTIONS) * 600, sizes.users)) * SECOND,
    )


def random_training_data(sizes: Sizes, settings: RetrieverSettings) -> TrainingData:
    """What the retriever is trained on."""
    log = random_log(sizes)
    windows = training_windows(log, settings.history_length)
    histories = histories_of(log, windows.user_index, windows.at, settings.history_length)
    return training_data(histories, log, windows)


def random_retriever(sizes: Sizes, settings: RetrieverSettings) -> Retriever:
    """Both towers on the processor, in eval mode."""
    shape = RetrieverShape(
        items=sizes.items,
        text_dimensions=settings.text_width,
        text=settings.text_width,
        tokens=4,
        width=settings.width,
        layers=settings.layers,
        heads=settings.heads,
        history_length=settings.history_length,
        dropout=settings.dropout,
        clock=True,
        season=False,
    )
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        model = Retriever(shape, AttributeVocabulary(tuple(f"t{n}" for n in range(TOKENS)), ()))
        text = torch.randn(sizes.items + 1, settings.text_width)
        model.item_tower.text.copy_(torch.nn.functional.normalize(text, dim=-1))
        model.item_tower.tokens.random_(0, TOKENS + 1)
        model.item_tower.residual.normal_(std=0.1)
    return model.eval()


def random_histories(sizes: Sizes, settings: RetrieverSettings, count: int) -> Histories:
    """The histories of `count` requests."""
    log = random_log(sizes)
    users = np.arange(count) % sizes.users + 1
    end = np.full(count, (FIRST_SECOND + 86_400) * SECOND)
    return histories_of(log, users, end, settings.history_length)


def random_ranker() -> Ranker:
    """The second stage, with a last layer that says something."""
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(1)
        ranker = Ranker(RankerShape(hidden=RankerSettings().hidden))
        ranker.layers[-1].weight.normal_()  # type: ignore[operator]
    ranker.fit_statistics(random_features(1_000))
    return ranker.eval()


def random_features(rows: int) -> FloatArray:
    """(rows, F) features of candidates, a tenth of them missing."""
    rng = np.random.default_rng(2)
    features = rng.lognormal(0.0, 2.0, (rows, len(RankerShape().features))).astype(np.float32)
    features[rng.random(features.shape) < 0.1] = np.nan
    return features


def random_click_network(sizes: Sizes, width: int) -> CtrNetwork:
    """The click model's network, in eval mode."""
    names = tuple(f"n{n}" for n in range(12))
    shape = CtrShape(
        names, (("category", 30),), sizes.items, width, 9, 20, logarithm=names[:6], slots=10, conversion=True
    )
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(3)
        network = CtrNetwork(shape)
        network.attraction.weight.normal_(std=0.1)
    return network.eval()


def random_impressions(sizes: Sizes, item_vectors: FloatArray) -> Batch:
    """Ten impressions of each of some requests, for `random_click_network`."""
    rng, requests = np.random.default_rng(4), 50
    count = requests * 10
    users = rng.standard_normal((requests, item_vectors.shape[1])).astype(np.float32)
    impressions = Impressions(
        request=np.repeat(np.arange(requests), 10),
        item=rng.integers(1, sizes.items + 1, count),
        slot=np.tile(np.arange(1, 11), requests),
        numbers=rng.lognormal(0.0, 1.0, (count, 12)).astype(np.float32),
        categories=rng.integers(0, 30, (count, 1)),
        clicked=np.zeros(count, bool),
        converted=np.zeros(count, bool),
        user=np.arange(requests),
        surface=np.zeros(requests, np.int64),
        user_vectors=users / np.linalg.norm(users, axis=1, keepdims=True),
        item_vectors=item_vectors,
        query_vectors=np.zeros((requests, 0), np.float32),
        history=rng.integers(1, sizes.items + 1, (requests, 20)),
        history_kinds=rng.integers(1, 9, (requests, 20)),
    )
    return make_batch(impressions, np.arange(count))


def random_texts(sizes: Sizes) -> tuple[list[str], list[str]]:
    """Texts of 6 to 16 words, ten of each topic, and all the words; a topic has four words of its own."""
    rng = np.random.default_rng(5)
    words = [f"word{n}" for n in range(4 * sizes.texts // 10 + 4)]
    topics = [words[4 * (place // 10) :][:4] for place in range(sizes.texts)]
    return [" ".join(rng.choice(topic, rng.integers(6, 17))) for topic in topics], words


def open_encoder(sizes: Sizes, folder: Path, path: str | None) -> TextEncoder:
    """The encoder in `path`; without one a random network of MiniLM's kind, which is written to `folder`."""
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    if path is None:
        _, words = random_texts(sizes)
        (folder / "vocab.txt").write_text("\n".join([*SPECIAL, *words]), "utf-8")
        BertTokenizerFast(vocab=str(folder / "vocab.txt")).save_pretrained(folder)
        config = BertConfig(
            vocab_size=len(SPECIAL) + len(words),
            hidden_size=sizes.encoder_width,
            num_hidden_layers=sizes.encoder_layers,
            num_attention_heads=sizes.encoder_width // 32,
            intermediate_size=4 * sizes.encoder_width,
            initializer_range=0.2 * (64 / sizes.encoder_width) ** 0.5,  # so that texts do not look alike
        )
        with torch.random.fork_rng(), torch.no_grad():
            torch.manual_seed(6)
            model = BertModel(config, add_pooling_layer=False)
            model.embeddings.position_embeddings.weight.mul_(0.1)  # words say more than their places
        model.save_pretrained(folder)
    return load_encoder(TextSettings(encoder=path or str(folder), precision="float32"))
