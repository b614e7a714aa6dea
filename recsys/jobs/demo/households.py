"""Three households of the demo shop: what they did last, and what is recommended to them."""

from dataclasses import asdict, dataclass

from recsys import columns
from recsys.client import RecsysClient
from recsys.config import Settings
from recsys.documents import JsonObject
from recsys.stores.lake.dataset_files import load_items
from recsys.stores.lake.event_lake import open_lake

SHOWN = 10
LATEST = 8
SHARES = (0.25, 0.5, 0.9)  # of the households have fewer events: a light, a usual and a heavy one
USUAL = 1  # the place of the usual one


@dataclass(frozen=True)
class Purchase:
    """One of a household's latest events."""

    at: str
    title: str


@dataclass(frozen=True)
class Household:
    """A household, its latest purchases, and the slate that the service answered with."""

    user_id: str
    events: int
    history: tuple[Purchase, ...]
    slate: JsonObject

    def to_json(self) -> JsonObject:
        """One of the households that `recsys demo --json` prints."""
        return asdict(self)


def sample_households(settings: Settings, address: str) -> tuple[Household, ...]:
    """A light, a usual and a heavy household, with what the service at `address` recommends to each.

    Raises:
        DataError: nothing was imported.
    """
    names = [columns.USER_ID, columns.ITEM_ID, columns.AT]
    events = open_lake(settings.paths).read(columns=names).to_pandas()
    titles = item_titles(settings)
    counts = events[columns.USER_ID].value_counts().sort_index().sort_values(kind="stable")
    key = settings.api_key.get_secret_value() if settings.api_key else None
    households = []
    for share in SHARES:
        user_id = str(counts.index[int(share * (len(counts) - 1))])
        latest = events[events[columns.USER_ID] == user_id].tail(LATEST)
        with RecsysClient(address, key, timeout=10) as shop:
            slate = shop.post("/v1/recommend", {"user_id": user_id, "k": SHOWN})
        history = tuple(
            Purchase(at.isoformat(), titles.get(item, item))
            for at, item in zip(latest[columns.AT], latest[columns.ITEM_ID], strict=True)
        )
        households.append(Household(user_id, int(counts[user_id]), history, slate))
    return tuple(households)


def item_titles(settings: Settings) -> dict[str, str]:
    """The titles of the catalog by item id; raises DataError where nothing was imported."""
    items = load_items(settings.paths)
    return dict(zip(items[columns.ITEM_ID].to_pylist(), items[columns.TITLE].to_pylist(), strict=True))
