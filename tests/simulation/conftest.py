"""One tidy week for all tests that only look at it."""

import pytest

from tests.simulation.logs import TIDY, Log, make_log


@pytest.fixture(scope="session")
def tidy(tmp_path_factory: pytest.TempPathFactory) -> Log:
    """A log without machines, duplicates, late events and wrong clocks."""
    return make_log(tmp_path_factory.mktemp("tidy"), **TIDY)
