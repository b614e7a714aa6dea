"""The first instant of the small worlds."""

from datetime import datetime

import pytest

from tests.features.worlds import START


@pytest.fixture
def start() -> datetime:
    return START
