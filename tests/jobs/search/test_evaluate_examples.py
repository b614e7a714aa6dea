"""The examples in the docstrings of the jobs of search's evaluation."""

import doctest
from typing import Any

import pytest

from recsys.jobs.search.evaluation import compare, evaluate


@pytest.mark.parametrize("module", [compare, evaluate])
def test_the_examples_in_the_docstrings_hold(module: Any) -> None:
    result = doctest.testmod(module)
    assert result.attempted
    assert result.failed == 0
