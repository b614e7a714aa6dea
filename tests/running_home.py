"""A home with all that a service and a worker need: an import, features online, a bundle in production."""

from pathlib import Path

from recsys.config import Settings
from scripts.benchmarks.online.random_shop import open_shop
from tests.started_process import ROOT
from tests.streaming.real_home import imported_events, write_shop


def make_running_home(home: Path) -> Settings:
    """The settings of such a home at `home`; its Redis holds the features and is stopped."""
    settings = Settings(home=home, root=ROOT)
    with open_shop(settings, items=60, users=5):
        write_shop(settings.paths, imported_events([]))
    return settings
