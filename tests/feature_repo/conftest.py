"""One home with the repository applied to it, for all tests of this folder."""

from pathlib import Path

import pytest

from recsys.config import Settings, load_settings
from recsys.stores.features.offline import OfflineFeatures
from tests.feature_repo.worlds import write_world

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of a home with random feature rows; the repository was applied as `feast apply` does."""
    settings = load_settings({"RECSYS_HOME": str(tmp_path_factory.mktemp("home"))}, start=ROOT)
    write_world(settings.paths, seed=1)
    OfflineFeatures(settings).apply()
    return settings
