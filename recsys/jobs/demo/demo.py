"""The whole way on the demo shop: import, features, training, evaluation, serving, events, searches, ads."""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from recsys.config import Settings
from recsys.documents import JsonObject
from recsys.errors import RecsysError
from recsys.jobs.data.demo import DEMO_MAPPING, demo_folder
from recsys.jobs.demo.ads import DemoAds, try_ads
from recsys.jobs.demo.households import USUAL, Household, sample_households
from recsys.jobs.demo.live import SlateChange, before_and_after, unfamiliar_items
from recsys.jobs.demo.processes import (
    run_command,
    running_charge_worker,
    running_redis,
    running_service,
    running_worker,
)
from recsys.jobs.demo.searches import DemoSearches, try_searches
from recsys.jobs.preconditions import check_before_training, check_port_free, check_program
from recsys.stores.lake.dataset_files import load_info
from recsys.stores.registry.registry import Registry

# Two passes over 1.2 million purchases are enough to show the way in minutes; `recsys train` makes ten.
DEMO_SETTINGS = {"RECSYS_RETRIEVER__EPOCHS": "2"}


@dataclass(frozen=True)
class DemoEvaluation:
    """The evaluation table of the bundle that serves, and the folder of its report."""

    bundle_id: str
    folder: Path
    rows: Sequence[JsonObject]


@dataclass(frozen=True)
class DemoReport:
    """Everything that the demo found; the service answers at `address`."""

    address: str
    evaluation: DemoEvaluation
    households: tuple[Household, ...]
    change: SlateChange
    searches: DemoSearches
    ads: DemoAds

    def to_json(self) -> JsonObject:
        """What `recsys demo --json` prints."""
        return {
            "address": self.address,
            "evaluation": self.evaluation.rows,
            "households": [household.to_json() for household in self.households],
            "live": self.change.to_json(),
            "searches": self.searches.to_json(),
            "ads": self.ads.to_json(),
        }


class DemoScreen(Protocol):
    """Shows what the demo finds as soon as it is found."""

    def show_evaluation(self, evaluation: DemoEvaluation) -> None:
        """The table of the evaluation."""
        ...

    def show_households(self, households: Sequence[Household]) -> None:
        """What each household did and what is recommended to it."""
        ...

    def show_change(self, change: SlateChange) -> None:
        """A slate before and after five events."""
        ...

    def show_searches(self, searches: DemoSearches) -> None:
        """What search finds, for anybody and for two of the households."""
        ...

    def show_ads(self, ads: DemoAds) -> None:
        """A page with sponsored items, their prices, and what a click cost."""
        ...


@contextmanager
def open_demo(settings: Settings, screen: DemoScreen | None) -> Iterator[DemoReport]:
    """Goes the whole way, each step only if it was not done; the service runs as long as the block does.

    Args:
        screen: without one nothing is shown, the output of the commands included.

    Raises:
        RecsysError: the home holds another shop, or a command failed.
        StoreUnavailableError: the service or the stream did not get ready in time.
    """
    quiet = screen is None
    _check_before_demo(settings)
    with running_redis(settings, quiet):
        _prepare_shop(settings, quiet)
        evaluation = _evaluated_bundle(settings, _production_bundle(settings, quiet))
        if screen:
            screen.show_evaluation(evaluation)
        with (
            running_service(settings) as address,
            running_worker(settings),
            running_charge_worker(settings),
        ):
            households = sample_households(settings, address)
            if screen:
                screen.show_households(households)
            usual = households[USUAL].user_id
            change = before_and_after(settings, address, usual, unfamiliar_items(settings, usual))
            if screen:
                screen.show_change(change)
            two = (households[0].user_id, households[-1].user_id)
            searches = try_searches(settings, address, two, usual)
            if screen:
                screen.show_searches(searches)
            ads = try_ads(settings, address, usual)
            if screen:
                screen.show_ads(ads)
            yield DemoReport(address, evaluation, households, change, searches, ads)


def _check_before_demo(settings: Settings) -> None:
    """Makes sure of what the last step needs before the first one is done."""
    demo_folder(settings.paths)
    if _is_imported(settings) and (name := load_info(settings.paths).name) != DEMO_MAPPING:
        raise RecsysError(
            f"{settings.paths.home} holds the shop {name!r}. Set RECSYS_HOME to another folder for the demo."
        )
    check_program("bentoml")
    check_port_free(settings.serving.host, settings.serving.port)
    check_before_training(settings)


def _is_imported(settings: Settings) -> bool:
    return (settings.paths.data / "dataset.json").exists()


def _prepare_shop(settings: Settings, quiet: bool) -> None:
    """Brings the shop up to date in one process: its import unless that was done, its features, Redis."""
    files = {
        "RECSYS_IMPORT__MAPPING": DEMO_MAPPING,
        "RECSYS_IMPORT__SOURCE": str(demo_folder(settings.paths)),
    }
    run_command(["recsys", "refresh"], quiet, environment=os.environ | files)


def _production_bundle(settings: Settings, quiet: bool) -> str:
    """The bundle that serves; trains one if there is none."""
    with Registry.open(settings) as registry:
        production = registry.production()
    if production is None:
        run_command(["recsys", "train"], quiet, DEMO_SETTINGS)
        with Registry.open(settings) as registry:
            production = registry.production()
    if production is None:
        raise RecsysError("training left no bundle in production. `recsys models list` shows what there is.")
    return production.bundle_id


def _evaluated_bundle(settings: Settings, bundle_id: str) -> DemoEvaluation:
    """The evaluation table of the bundle, measured now or, if that was done, read from its report."""
    stored = settings.paths.reports / bundle_id / "table.json"
    if not stored.exists():
        run_command(["recsys", "evaluate"], True)
    return DemoEvaluation(bundle_id, stored.parent, json.loads(stored.read_text("utf-8")))
