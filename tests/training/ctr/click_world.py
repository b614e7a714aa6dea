"""The simulated clicks as a shop has them: labels in a table, numbers and histories in a feature store."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from recsys import columns
from recsys.catalog import stable_key
from recsys.dataset.click_log import LabelledImpressions
from recsys.dataset.interactions import Histories, Vocabulary
from recsys.dataset.item_table import ItemTable
from recsys.evaluation.ctr.simulated import SimulatedClicks
from recsys.instants import DAY, SECOND
from recsys.models.bundle import Bundle
from tests.tiny_bundle import tiny_bundle

START = 20_000 * DAY
PLACES = ("home", "search")  # by the code of the simulated surface; sponsored both
STEP = SECOND  # between two requests, so that an instant names one


@dataclass
class ShopOfClicks:
    """A feature store and a retriever that say what the simulated world says.

    Attributes:
        at: (R,) microseconds of each request.
    """

    world: SimulatedClicks
    at: np.ndarray
    vocabulary: Vocabulary

    @classmethod
    def of(cls, world: SimulatedClicks) -> "ShopOfClicks":
        """Day d of the world lies d days after START."""
        requests = len(world.impressions.user)
        day = world.day[np.searchsorted(world.impressions.request, np.arange(requests))]
        within = np.arange(requests) - np.searchsorted(day, day)
        items = world.shape.items
        return cls(
            world,
            START + day * DAY + within * STEP,
            Vocabulary(("", *(f"i{n}" for n in range(1, items + 1)))),
        )

    def labels(self, sponsored: bool = True) -> LabelledImpressions:
        """Row i is impression i of the world."""
        shown = self.world.impressions
        return LabelledImpressions.of_frame(
            pd.DataFrame(
                {
                    columns.REQUEST_ID: [f"r{n:08}" for n in shown.request],
                    columns.USER_ID: [f"u{n}" for n in shown.users],
                    columns.ITEM_ID: np.asarray(self.vocabulary.ids, object)[shown.item],
                    columns.SURFACE: np.asarray(PLACES, object)[shown.surfaces],
                    columns.AT: self.at[shown.request],
                    "slot": shown.slot,
                    "sponsored": sponsored,
                    "clicked": shown.clicked,
                    "converted": shown.converted,
                }
            )
        )

    def bundle(self) -> Bundle:
        """A bundle of the world's items, with the world's vectors for a retriever."""
        shown, count = self.world.impressions, len(self.vocabulary)
        category = np.zeros(count, np.int64)
        category[shown.item] = shown.categories[:, 0]
        bundle = tiny_bundle()
        tables = replace(bundle.signal_tables, item_vectors=shown.item_vectors)
        items = ItemTable(
            self.vocabulary,
            self.vocabulary.ids,
            ("", *(f"c{code}" for code in category[1:])),
            ("",) * count,
            np.zeros(count, np.int64),
            np.ones(count, bool),
            ("{}",) * count,
        )
        return replace(bundle, items=items, signal_tables=tables, retriever=self, ranker=None)

    def user_vectors(self, histories: Histories, item_vectors: np.ndarray) -> np.ndarray:
        """As the retriever: those of the requests at these instants."""
        row = np.searchsorted(self.at // SECOND, histories.request_at_seconds)
        return self.world.impressions.user_vectors[row]

    def schema_hash(self, service: str) -> str:
        return f"hash of {service}"

    def training_set(self, rows: pd.DataFrame, service: str) -> pd.DataFrame:
        """As the feature store: price and first instant of the item, and the history of the user."""
        assert service == columns.ADS_SERVICE
        shown, at = self.world.impressions, rows["at"].astype("int64").to_numpy()
        row = np.searchsorted(self.at, at)
        item = self.vocabulary.indexes(rows["item_id"].tolist())
        slots = int(shown.slot.max())
        place = row * slots + (shown.item.reshape(-1, slots)[row] == item[:, None]).argmax(1)
        found: dict[str, Any] = dict.fromkeys(columns.CLICK_NUMBERS[:-1], np.full(len(rows), np.nan))
        found[columns.PRICE_MICROS] = shown.numbers[place, 0].astype(float) * 1e6
        found[columns.FIRST_AT] = at - (shown.numbers[place, 1] * 100 * DAY).astype(np.int64)
        keys = np.array([0, *(stable_key(name) for name in self.vocabulary.ids[1:])], np.int64)
        known = [shown.history_kinds[r] > 0 for r in row]
        found[columns.HISTORY_ITEMS] = [keys[shown.history[r][k]] for r, k in zip(row, known, strict=True)]
        found[columns.HISTORY_KINDS] = [shown.history_kinds[r][k] for r, k in zip(row, known, strict=True)]
        found[columns.HISTORY_AT] = [np.ones(k.sum(), np.int64) for k in known]
        return rows.assign(**found)
