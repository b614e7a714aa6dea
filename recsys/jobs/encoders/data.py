"""What encoders are trained on and measured by: a shop's texts and the pairs that its people made of them."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from recsys import columns
from recsys.arrays import FloatArray
from recsys.catalog import is_titled
from recsys.config import Settings
from recsys.dataset.interactions import Vocabulary
from recsys.dataset.split import Split
from recsys.errors import DataError
from recsys.progress import Progress, silent
from recsys.stores.encoders.text_vectors import Encoder, TextVectors
from recsys.stores.lake.dataset_files import load_items
from recsys.stores.lake.event_lake import open_lake
from recsys.stores.lake.shop import open_shop
from recsys.training.encoders.text_pairs import TextPairs, query_choices, text_pairs

_NEEDED = (
    columns.KIND,
    columns.USER_ID,
    columns.ITEM_ID,
    columns.SESSION_ID,
    columns.REQUEST_ID,
    columns.QUERY,
    columns.AT,
)


def shop_texts(settings: Settings) -> list[str]:
    """The distinct texts of the catalog, sorted; blank ones are left out.

    Raises:
        DataError: nothing was imported, or no item has a text.
    """
    texts = load_items(settings.paths)[columns.TEXT].to_pylist()
    distinct = sorted({text.strip() for text in texts if text and text.strip()})
    if not distinct:
        raise DataError(
            f"none of {len(texts)} items has a text, so there is nothing that an encoder could read. "
            "Name a title or a text under [items] in the mapping and import again."
        )
    return distinct


def shop_vectors(
    settings: Settings, encoder: Encoder, items: Vocabulary, progress: Progress = silent
) -> tuple[list[str], FloatArray]:
    """Titles, N + 1, and text vectors, (N + 1, E), by item index; "" and zeros where there is none.

    Raises:
        DataError: nothing was imported.
    """
    table = load_items(settings.paths)
    ids, titles, texts = (table[name].to_pylist() for name in (columns.ITEM_ID, columns.TITLE, columns.TEXT))
    index = items.indexes(ids)
    by_index = [""] * len(items)
    for place, item_id, title, text in zip(index.tolist(), ids, titles, texts, strict=True):
        by_index[place] = title if is_titled(item_id, title, text) else ""
    vectors = np.zeros((len(items), encoder.dimensions), np.float32)
    vectors[index] = TextVectors(settings.paths.text_vectors).vectors(
        encoder, [text or "" for text in texts], progress
    )
    by_index[0], vectors[0] = "", 0  # items that came after the shop's actions were read
    return by_index, vectors


def shop_pairs(settings: Settings, protocol: str | None = None, progress: Progress = silent) -> TextPairs:
    """The pairs of the shop's training part: nothing that a protocol tests is in them.

    Args:
        protocol: whose training part; by default the stricter one that the data allows.

    Raises:
        DataError: nothing was imported, the protocol does not fit, or there are too few pairs.
    """
    shop = open_shop(settings.paths, progress)
    split = shop.split(protocol or shop.default_protocol, settings.evaluation)
    train = split.train
    items = load_items(settings.paths)
    texts = dict(zip(items[columns.ITEM_ID].to_pylist(), items[columns.TEXT].to_pylist(), strict=True))
    by_index = [texts.get(identifier) or "" for identifier in train.items.ids]
    events = open_lake(settings.paths).read(columns=list(_NEEDED)).to_pandas()
    searches, queries = query_choices(events_before_cases(events, split), train.items)
    chosen = settings.encoder
    return text_pairs(
        train, by_index, searches, queries, chosen.neighbours, chosen.held_out_share, chosen.seed, progress
    )


def events_before_cases(events: pd.DataFrame, split: Split) -> pd.DataFrame:
    """The events, of any kind, from before the first validation or test case of their user."""
    latest = np.iinfo(np.int64).max
    ends = np.full(len(split.train.users), latest if split.train_end is None else split.train_end)
    for cases in (split.validation, split.test):
        ends[cases.user_index] = np.minimum(ends[cases.user_index], cases.at)
    user = split.train.users.indexes(events[columns.USER_ID].tolist())
    at = events[columns.AT].astype("datetime64[us, UTC]").astype(np.int64).to_numpy()
    return events[at < ends[user]]


def cosine_summary(exact: FloatArray, other: FloatArray) -> dict[str, float]:
    """Mean and lowest cosine of rows that should be the same."""
    found = np.einsum("ne,ne->n", exact, other)
    return {"cosine mean": float(found.mean()), "cosine min": float(found.min())}


def sample_texts(texts: Sequence[str], most: int, seed: int) -> list[str]:
    """At most `most` of the texts, by a seeded draw."""
    if len(texts) <= most:
        return list(texts)
    rows = np.random.default_rng(seed).choice(len(texts), most, replace=False)
    return [texts[row] for row in np.sort(rows)]
