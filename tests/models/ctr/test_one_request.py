"""Many items of one request are scored as the network scores them one by one."""

from dataclasses import replace

import numpy as np
import pytest

from recsys.models.ctr.impressions import Impressions
from recsys.models.ctr.model import predict_raw
from recsys.models.ctr.one_request import ClickRequest, RequestScorer
from tests.models.ctr.ctr_cases import SHAPE, impressions, trained_looking

CODES = np.array([[0], [1], [2], [3], [1], [0]])


def of_one_request(length: int) -> Impressions:
    """All items, for one request with a history of so many actions."""
    given, items = impressions(), np.arange(6)
    history, kinds = np.array([[2, 5, 1, 3]]), np.array([[1, 2, 2, 1]])
    kinds = np.where(np.arange(4) >= 4 - length, kinds, 0)
    return replace(
        given,
        request=np.zeros(6, np.int64),
        item=items,
        slot=np.ones(6, np.int64),
        numbers=given.numbers[:6],
        categories=CODES,
        clicked=given.clicked[:6],
        converted=given.converted[:6],
        mature=given.mature[:6],
        user=given.user[:1],
        surface=np.array([1]),
        user_vectors=given.user_vectors[:1],
        query_vectors=given.query_vectors[:1],
        history=np.where(kinds > 0, history, 0),
        history_kinds=kinds,
    )


@pytest.mark.parametrize("length", [0, 1, 4])
@pytest.mark.parametrize("conversion", [True, False])
@pytest.mark.parametrize("query", [0, 3])
def test_log_odds_are_those_of_the_network(length: int, conversion: bool, query: int):
    network = trained_looking(replace(SHAPE, conversion=conversion, query=query))
    rows = of_one_request(length)
    rows = replace(rows, query_vectors=rows.query_vectors[:, :query])
    known = rows.history_kinds[0] > 0
    request = ClickRequest(
        rows.user_vectors[0], rows.history[0][known], rows.history_kinds[0][known], 1, rows.query_vectors[0]
    )
    scorer = RequestScorer(network, rows.item_vectors, CODES)
    attraction, bought = scorer.log_odds(request, rows.item, rows.numbers)
    raw = predict_raw(network, rows)
    np.testing.assert_allclose(attraction, raw.log_odds, atol=1e-5)
    if conversion:
        np.testing.assert_allclose(1 / (1 + np.exp(-bought)), raw.conversion, atol=1e-6)
    else:
        assert np.isnan(bought).all()


def test_an_item_that_training_did_not_know_is_scored_by_its_vector_and_as_an_unknown_item():
    network = trained_looking()
    rows = of_one_request(2)
    more = np.concatenate([rows.item_vectors, rows.item_vectors[3:4]])  # a sixth item, like the third
    scorer = RequestScorer(network, more, np.concatenate([CODES, CODES[3:4]]))
    request = ClickRequest(rows.user_vectors[0], np.array([2]), np.array([1]), 0, rows.query_vectors[0])
    found, _ = scorer.log_odds(request, np.array([6]), rows.numbers[:1])
    with_zero = trained_looking()
    with_zero.items.weight.data[3] = with_zero.items.weight.data[0]
    expected, _ = RequestScorer(with_zero, more, np.concatenate([CODES, CODES[3:4]])).log_odds(
        request, np.array([3]), rows.numbers[:1]
    )
    np.testing.assert_allclose(found, expected, atol=1e-6)
