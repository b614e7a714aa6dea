"""Simulated searches over the shop's catalog: judgments from their clicks, and interleaving, by the truth."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from recsys.config import Settings
from recsys.documents import JsonObject
from recsys.errors import ConfigError
from recsys.evaluation.search.rows import SearchRow
from recsys.instants import utc_now
from recsys.jobs.recommend.answers import ask_storefront
from recsys.jobs.search.evaluation.evaluation_rows import RowSetting, open_row
from recsys.jobs.search.evaluation.served_row import PRODUCTION, open_served_row
from recsys.jobs.search.judged_files.searched_items import shop_items
from recsys.jobs.search.simulation.interleaving import (
    Ranking,
    Turned,
    repeat_interleaving,
)
from recsys.jobs.search.simulation.judgments import TruthOfClicks, judge_clicks
from recsys.jobs.search.simulation.pages import RowPages, SearcherPages
from recsys.progress import Progress, silent
from recsys.simulation.habits import Habits
from recsys.simulation.needs import Needs, open_needs
from recsys.simulation.page_events import Names
from recsys.simulation.search_visits import simulate_searches
from recsys.simulation.searches import SearchService, ShopperSearches
from recsys.simulation.truth import TruthWriter, read_truth
from recsys.simulation.world import World, open_world
from recsys.stores.lake.dataset_files import load_items


@dataclass(frozen=True)
class SearchShop:
    """A shop in which simulated people search; `items` has the columns of `ITEM_SCHEMA`."""

    settings: Settings
    items: pa.Table
    habits: Habits

    def open(self) -> tuple[World, Needs]:
        """Its world as on the first day, and what people need."""
        world = open_world(self.habits, self.items)
        return world, open_needs(self.habits, world.space, self.items)


def open_search_shop(settings: Settings, habits: Habits) -> SearchShop:
    """The shop that was imported into the home.

    Raises:
        DataError: nothing was imported.
    """
    return SearchShop(settings, load_items(settings.paths), habits)


def learn_from_simulated_clicks(
    shop: SearchShop,
    answering: str,
    start: int,
    days: int,
    truth: Path,
    least_shown: int,
    progress: Progress = silent,
) -> TruthOfClicks:
    """Lets people search for `days`, writes the truth, and judges what their clicks teach.

    Args:
        answering: `production`, or a row of `recsys search evaluate`.
        start: microseconds, a midnight. least_shown: of a pair, to be judged.

    Raises:
        ConfigError: there is no such row, or it knows no filters and some are searched with.
        ArtifactError: no bundle with search indexes is in production.
    """
    if answering == PRODUCTION:
        ask_storefront(
            shop.settings,
            None,
            lambda front: _play(shop, SearcherPages(front.searcher(), utc_now), start, days, truth),
        )
    else:
        if shop.habits.filter_share:
            raise ConfigError(
                f"the row {answering} knows no filters. Pass --habit filter_share=0, or search in production."
            )
        with open_rankings(shop, (answering,), progress) as rankings:
            pages = rankings[0]
            with progress("search", None):
                _play(shop, pages, start, days, truth)
    with progress("judge", None):
        return judge_clicks(read_truth(truth), least_shown)


def _play(shop: SearchShop, service: SearchService, start: int, days: int, truth: Path) -> None:
    world, needs = shop.open()
    names = Names(str(shop.habits.seed))
    with TruthWriter(truth, world) as writer:
        searches = ShopperSearches(world, needs, service, names, writer)
        for _ in simulate_searches(world, searches, start, days, names, writer):
            pass


@contextmanager
def open_rankings(
    shop: SearchShop, names: Sequence[str], progress: Progress = silent
) -> Iterator[list[RowPages]]:
    """Ways to search by name, over the item indexes of the shop's world; inside the block.

    Args:
        names: `production`, or rows of `recsys search evaluate`.

    Raises:
        ConfigError: there is no such row.
        ArtifactError: no bundle with search indexes is in production.
    """
    items = shop_items(shop.settings)
    with ExitStack() as stack:
        rows: list[SearchRow] = [
            open_served_row(shop.settings, PRODUCTION, items.vocabulary)
            if name == PRODUCTION
            else stack.enter_context(open_row(shop.settings, items, RowSetting(name), progress))
            for name in names
        ]
        yield [RowPages(row, items.vocabulary.ids) for row in rows]


def measure_interleaving(
    shop: SearchShop,
    first: str,
    second: str | None,
    sizes: Sequence[int],
    experiments: int,
    turned: int = 3,
    progress: Progress = silent,
) -> list[JsonObject]:
    """For each size the first ranking against itself, whose verdicts are false alarms, and against the other.

    Args:
        first, second: as `open_rankings` takes them; without a second it is the first with its first `turned`
            places in the opposite order.
        sizes: searches of an experiment.

    Raises:
        ConfigError: a ranking is not known.
        ArtifactError: no bundle with search indexes is in production.
    """
    with open_rankings(shop, [first] if second is None else [first, second], progress) as rankings:
        one: Ranking = rankings[0]
        other: Ranking = Turned(one, turned) if second is None else rankings[1]
        name = second or f"{first}, {turned} turned"
        rows: list[JsonObject] = []
        with progress("interleave", 2 * len(sizes)) as advance:
            for size in sizes:
                for against, called in ((one, first), (other, name)):
                    world, needs = shop.open()
                    found = repeat_interleaving(world, needs, one, against, size, experiments)
                    rows.append(found.row(first, called))
                    advance(1)
    return rows
