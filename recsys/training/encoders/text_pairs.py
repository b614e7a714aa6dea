"""Texts that belong together by what people did: items that go together, and queries with what was chosen."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

from recsys import columns
from recsys.arrays import IntArray
from recsys.dataset.interactions import Interactions, Vocabulary
from recsys.errors import DataError
from recsys.progress import Progress, silent
from recsys.retrieval.neighbours import co_occurrence


@dataclass(frozen=True)
class TextPairs:
    """P pairs of texts to learn from and Q held back, on T distinct texts.

    Attributes:
        texts: distinct and not blank.
        pairs: (P, 2) int64 places in `texts`. held_out: (Q, 2), a query text and what belongs to it; no
            query text of these is in a pair of `pairs`.
        related: (T, T) bool, both ways: all pairs that are known. None of them is a negative.
        candidates: (C,) places in `texts` of items' texts, among which the partner is looked for.
    """

    texts: tuple[str, ...]
    pairs: IntArray
    held_out: IntArray
    related: sparse.csr_matrix
    candidates: IntArray


def text_pairs(
    interactions: Interactions,
    item_texts: Sequence[str],
    searches: IntArray,
    queries: Sequence[str],
    neighbours: int,
    held_out_share: float,
    seed: int,
    progress: Progress = silent,
) -> TextPairs:
    """The pairs of a shop: each item with the items that go with it, each query with what was chosen on it.

    A share of the items and of the queries is held back as a whole, so that the encoder is measured on texts
    whose behaviour it has not seen, as it will be used for new items.

    Args:
        item_texts: (N + 1) texts by item index.
        searches: (S, 2) places in `queries` and item indexes.

    Raises:
        DataError: there are too few pairs.
    """
    found, _ = co_occurrence(interactions, neighbours, progress=progress)
    rows, places = np.nonzero(found)
    pairs_found = np.stack([rows, found[rows, places]], axis=1)
    together = [(item_texts[i], item_texts[j]) for i, j in pairs_found.tolist()]
    chosen = [(queries[query], item_texts[item]) for query, item in searches.tolist()]
    kept = [(left.strip(), right.strip()) for left, right in (*together, *chosen)]
    kept = sorted({pair for pair in kept if pair[0] and pair[1] and pair[0] != pair[1]})
    texts = sorted({text for pair in kept for text in pair} | {text.strip() for text in item_texts} - {""})
    place = {text: number for number, text in enumerate(texts)}
    pairs = np.array([(place[left], place[right]) for left, right in kept], np.int64).reshape(-1, 2)
    rng = np.random.default_rng(seed)
    lefts = np.unique(pairs[:, 0])
    held = (
        rng.choice(lefts, max(1, round(held_out_share * len(lefts))), replace=False) if len(lefts) else lefts
    )
    is_held = np.isin(pairs, held)
    train, held_out = pairs[~is_held.any(1)], pairs[is_held[:, 0]]
    if len(train) < 2 or not len(held_out):
        raise DataError(
            f"{len(pairs)} pairs of texts are too few to train an encoder on. Import more events, or "
            "choose a dataset whose items are bought or viewed one after another."
        )
    both = np.concatenate([pairs, pairs[:, ::-1]])
    ones = np.ones(len(both), bool)
    related = sparse.csr_matrix((ones, (both[:, 0], both[:, 1])), shape=(len(texts), len(texts)))
    candidates = np.unique([place[text.strip()] for text in item_texts if text.strip()]).astype(np.int64)
    return TextPairs(tuple(texts), train, held_out, related, candidates)


def query_choices(events: pd.DataFrame, items: Vocabulary) -> tuple[IntArray, list[str]]:
    """(S, 2) query and item index of each distinct choice on a search, and the queries by place.

    A choice is an action that names its query, or that follows a search of the same user within the same
    request or session.

    Args:
        events: kind, user_id, item_id, session_id, request_id, query and at, in the order of time.
    """
    actions = events[events[columns.KIND].isin(columns.ACTION_KINDS)]
    searches = events[(events[columns.KIND] == columns.SEARCH) & events[columns.QUERY].notna()]
    named = actions[actions[columns.QUERY].notna()][[columns.QUERY, columns.ITEM_ID]]
    parts = [named]
    unnamed = actions[actions[columns.QUERY].isna()]
    for key in (columns.REQUEST_ID, columns.SESSION_ID):
        keys = [columns.USER_ID, key]
        left = unnamed[unnamed[key].notna()][[*keys, columns.ITEM_ID, columns.AT]]
        right = searches[searches[key].notna()][[*keys, columns.QUERY, columns.AT]]
        if len(left) and len(right):
            # The latest search before the action counts.
            joined = pd.merge_asof(
                left.sort_values(columns.AT), right.sort_values(columns.AT), on=columns.AT, by=keys
            )
            parts.append(joined[joined[columns.QUERY].notna()][[columns.QUERY, columns.ITEM_ID]])
    choices = pd.concat(parts).drop_duplicates()
    index = items.indexes(choices[columns.ITEM_ID].astype(str).tolist())
    choices, index = choices[index > 0], index[index > 0]
    codes, queries = pd.factorize(choices[columns.QUERY].astype(str), sort=True)
    return np.stack([codes.astype(np.int64), index], axis=1), [str(query) for query in queries]
