"""Columns of any kind as numbers."""

import numpy as np
import pytest

from recsys.errors import DataError
from recsys.evaluation.off_policy.context import MOST_VALUES, context_features


def test_a_number_stays_and_what_is_missing_is_the_mean_and_said() -> None:
    assert context_features({"age": np.array([1.0, np.nan, 3.0])}).tolist() == [[1, 0], [2, 1], [3, 0]]
    assert context_features({"age": np.array([1.0, 2.0])}).tolist() == [[1], [2]]


def test_a_text_is_a_column_for_each_value_the_commonest_first() -> None:
    found = context_features({"device": ["phone", None, "phone", "tablet"]})
    assert found.tolist() == [[1, 0, 0], [0, 1, 0], [1, 0, 0], [0, 0, 1]]


def test_rare_texts_count_as_one() -> None:
    values = [f"v{i}" for i in range(MOST_VALUES)] * 2 + ["rare", "rarer"]
    found = context_features({"shop": values})
    assert found.shape == (len(values), MOST_VALUES)
    assert not found[-2:].any()


@pytest.mark.parametrize("column", [[None, None], np.array([np.nan, np.nan])], ids=["texts", "numbers"])
def test_an_empty_column_is_refused(column: list[None]) -> None:
    with pytest.raises(DataError, match=r"'empty' is empty in every row\. Leave it out of --features"):
        context_features({"empty": column})
