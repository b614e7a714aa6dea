"""Labelled impressions with all that was known when they were answered: what a click model learns from."""

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from recsys import columns
from recsys.arrays import FloatArray, IntArray
from recsys.dataset.click_log import LabelledImpressions
from recsys.dataset.interactions import Histories, histories_from_features
from recsys.features.item_age import item_ages
from recsys.instants import SECOND
from recsys.models.bundle import Bundle
from recsys.models.ctr.impressions import Impressions
from recsys.models.ctr.shape import CtrShape
from recsys.models.ctr.shop_model import LOGARITHM, ClickCodes
from recsys.progress import Progress, silent
from recsys.training.feature_reads import TrainingFeatures, instant_column

MOST_SLOTS = 20  # a later one counts as the last
MIN_AT_PLACE = 100  # impressions at a place, or at a slot, for a code or an examination of its own
MIN_CONVERSIONS = 50
_MOST_NAMES = 5000  # categories, and brands
_REQUESTS_AT_ONCE = 4096  # histories are as long as the feature view has them

EncodeQuery = Callable[[str], FloatArray]


def learn_codes(labels: LabelledImpressions, bundle: Bundle) -> ClickCodes:
    """The names that get codes: places with enough impressions, and the most common categories and brands."""
    places = Counter(labels.places.tolist())
    items = bundle.items
    return ClickCodes(
        places=tuple(sorted(name for name, count in places.items() if count >= MIN_AT_PLACE)),
        categories=_most_common(items.categories),
        brands=_most_common(items.brands),
    )


def shape_for(
    labels: LabelledImpressions, codes: ClickCodes, bundle: Bundle, history: int, query: int
) -> CtrShape:
    """What a network for these impressions reads.

    Args:
        history: actions that the attention looks at. query: width of query vectors, 0 = no queries.
    """
    at_slot = np.bincount(np.clip(labels.slot, 0, MOST_SLOTS), minlength=2)
    enough = np.flatnonzero(at_slot >= MIN_AT_PLACE)
    return CtrShape(
        numbers=columns.CLICK_NUMBERS,
        logarithm=LOGARITHM,
        categories=codes.sizes,
        items=len(bundle.items) - 1,
        vector=bundle.item_vectors.shape[1],
        kinds=len(columns.KINDS) + 1,
        history=history,
        query=query,
        surfaces=len(codes.places) + 1,
        slots=max(int(enough.max(initial=1)), 1),
        conversion=bool(labels.converted[labels.mature].sum() >= MIN_CONVERSIONS),
    )


def click_impressions(
    labels: LabelledImpressions,
    features: TrainingFeatures,
    bundle: Bundle,
    codes: ClickCodes,
    history: int,
    encode_query: EncodeQuery | None = None,
    progress: Progress = silent,
) -> Impressions:
    """The arrays of `labels`: features of `ads_v1` strictly before each answer, and vectors of that instant.

    Args:
        bundle: whose retriever and item vectors; it should know nothing of what came after the answers.
        history: actions of a user to keep. encode_query: None = without queries.
    """
    with progress("join click features", None):
        found = features.training_set(_asked(labels), columns.ADS_SERVICE)
    first = np.unique(labels.request, return_index=True)[1]
    users, kept, kinds = _user_sides(found, first, labels.at[first], bundle, history, progress)
    item = bundle.items.vocabulary.indexes(labels.item_id.tolist())
    return Impressions(
        request=labels.request,
        item=item,
        slot=labels.slot,
        numbers=_numbers(found, labels.at),
        categories=codes.item_codes(bundle.items)[item],
        clicked=labels.clicked,
        converted=labels.converted,
        user=labels.unit[first],
        surface=codes.place_codes(labels.places[first].tolist()),
        user_vectors=users,
        item_vectors=bundle.item_vectors,
        query_vectors=_query_vectors(labels.query[first].tolist(), encode_query),
        history=kept,
        history_kinds=kinds,
        mature=labels.mature,
    )


def _asked(labels: LabelledImpressions) -> pd.DataFrame:
    return pd.DataFrame(
        {
            columns.USER_ID: labels.user_id,
            columns.ITEM_ID: labels.item_id,
            columns.AT: instant_column(labels.at),
        }
    )


def _numbers(found: pd.DataFrame, at: IntArray) -> FloatArray:
    """(I, F) float32 in the order of CLICK_NUMBERS, NaN = missing."""
    out = np.empty((len(found), len(columns.CLICK_NUMBERS)), np.float32)
    for place, name in enumerate(columns.CLICK_NUMBERS):
        if name == columns.ITEM_AGE:
            first = found[columns.FIRST_AT].to_numpy(np.float64, na_value=np.nan)
            out[:, place] = item_ages(np.nan_to_num(first), at)
        else:
            out[:, place] = found[name].to_numpy(np.float32, na_value=np.nan)
    return out


def _user_sides(
    found: pd.DataFrame, first: IntArray, at: IntArray, bundle: Bundle, length: int, progress: Progress
) -> tuple[FloatArray, IntArray, IntArray]:
    """(R, D) P_u at each request, and the latest `length` actions: (R, length) items and kinds."""
    users = np.zeros((len(first), bundle.item_vectors.shape[1]), np.float32)
    items, kinds = (np.zeros((len(first), length), np.int64) for _ in range(2))
    with progress("user vectors", len(first)) as advance:
        for start in range(0, len(first), _REQUESTS_AT_ONCE):
            part = slice(start, start + _REQUESTS_AT_ONCE)
            histories = _histories(found.iloc[first[part]], at[part], bundle)
            users[part] = bundle.retriever.user_vectors(histories, bundle.item_vectors)
            items[part], kinds[part] = histories.items[:, -length:], histories.kinds[:, -length:]
            advance(len(histories))
    return users, items, kinds


def _histories(rows: pd.DataFrame, at: IntArray, bundle: Bundle) -> Histories:
    return histories_from_features(
        rows[columns.HISTORY_ITEMS].tolist(),
        rows[columns.HISTORY_KINDS].tolist(),
        rows[columns.HISTORY_AT].tolist(),
        at // SECOND,
        bundle.items.vocabulary,
        columns.HISTORY_LENGTH,
    )


def _query_vectors(queries: Sequence[str], encode: EncodeQuery | None) -> FloatArray:
    if encode is None:
        return np.zeros((len(queries), 0), np.float32)
    distinct, place = np.unique(np.asarray(queries, object), return_inverse=True)
    # A blank query is encoded as zeros: there is none.
    return np.stack([np.asarray(encode(query), np.float32) for query in distinct.tolist()])[place]


def _most_common(names: Sequence[str]) -> tuple[str, ...]:
    found = Counter(name for name in names if name)
    return tuple(sorted(name for name, _ in found.most_common(_MOST_NAMES)))
