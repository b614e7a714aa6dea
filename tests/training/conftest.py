"""Trainings of tests draw no learning curves: with a shop this small that would be most of their time."""

from collections.abc import Iterator

import pytest

from recsys.training.curves import Curves


@pytest.fixture(autouse=True, scope="module")
def without_pictures(request: pytest.FixtureRequest) -> Iterator[None]:
    """Leaves `Curves.draw` to the tests that look at what it drew."""
    with pytest.MonkeyPatch.context() as patch:
        if request.path.stem not in ("test_curves", "test_loop"):
            patch.setattr(Curves, "draw", lambda curves, folder: None)
        yield
