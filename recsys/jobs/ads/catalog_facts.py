"""What the shop's catalog says of the items and categories that a campaign names."""

import bisect
from collections.abc import Collection, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from recsys import columns
from recsys.ads.campaigns.campaign import Campaign
from recsys.ads.campaigns.readiness import CatalogFacts
from recsys.ads.matching.targeting import with_wider
from recsys.errors import RequestError, did_you_mean
from recsys.home import HomePaths
from recsys.stores.lake.dataset_files import load_items

_SHOWN = 5  # unknown ids that a message names
_NEAR = 2000  # ids before and after an unknown one, in their order, among which the nearest is looked for


class ShopCatalog:
    """The catalog as it is now; read once."""

    def __init__(self, paths: HomePaths) -> None:
        """Reads it.

        Raises:
            DataError: nothing was imported, or a file is damaged.
        """
        self._items: pa.Table = load_items(paths)
        self.categories = frozenset(with_wider(self._texts(columns.CATEGORY))) | frozenset(
            with_wider(self._texts(columns.CATEGORY_PATH))
        )

    def facts(self, item_ids: Collection[str]) -> CatalogFacts:
        """What is known of these items, and all categories."""
        asked = pc.is_in(self._items[columns.ITEM_ID], pa.array(list(item_ids), pa.string()))
        found = self._items.filter(asked)
        available = found.filter(found[columns.AVAILABLE])
        return CatalogFacts(
            frozenset(found[columns.ITEM_ID].to_pylist()),
            frozenset(available[columns.ITEM_ID].to_pylist()),
            self.categories,
        )

    def check(self, campaign: Campaign) -> None:
        """Makes sure that the catalog has every item and category that `campaign` names.

        Raises:
            RequestError: it lacks some; the message names them and what may have been meant.
        """
        named = items_of(campaign)
        facts = self.facts(named)
        unknown = [item for item in named if item not in facts.items]
        if unknown:
            more = f" and {len(unknown) - _SHOWN} more" if len(unknown) > _SHOWN else ""
            shown = ", ".join(f"{item!r}{self._near(item)}" for item in unknown[:_SHOWN])
            raise RequestError(
                f"the catalog does not have: {shown}{more}. Correct the ids, or import those items."
            )
        for category in (*campaign.targets.categories, *campaign.never_beside):
            if category not in self.categories:
                near = did_you_mean(category, self.categories)
                raise RequestError(
                    f"no item is in the category {category[:100]!r}.{near} Write it as the catalog does, "
                    "or as a path such as Home/Kitchen."
                )

    def _near(self, item: str) -> str:
        ids: Sequence[str] = self._items[columns.ITEM_ID].to_pylist()  # sorted
        place = bisect.bisect(ids, item)
        near = did_you_mean(item, ids[max(place - _NEAR, 0) : place + _NEAR])
        return f" ({near.strip()})" if near else ""

    def _texts(self, column: str) -> list[str]:
        return [text for text in pc.unique(self._items[column]).to_pylist() if text]


def items_of(campaign: Campaign) -> list[str]:
    """The ids of all items that `campaign` advertises or targets, each once."""
    return list(dict.fromkeys((*campaign.items, *campaign.targets.items)))
