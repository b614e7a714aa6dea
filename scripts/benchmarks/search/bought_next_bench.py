"""How far up search puts what a user bought next: `--home DIR` of a shop with a clock and a bundle.

Of purchases after the bundle's test began, one or two words of the item's title are the query, and the user's
history before the test is what is known of it. NDCG@10 of that one item: by words and meaning alone, with
popularity, and with the user's taste. Nothing of the test reaches bundle or history.
"""

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from recsys import columns
from recsys.arrays import IntArray
from recsys.catalog import stable_key
from recsys.config import Settings, load_settings
from recsys.dataset.interactions import Interactions, histories_from_features
from recsys.funnel.online_features import Profile
from recsys.funnel.recommender import Recommender
from recsys.instants import from_micros
from recsys.jobs.recommend.loading import BundleLoader, set_threads
from recsys.progress import silent
from recsys.search.requests import SearchRequest
from recsys.search.searcher import Searcher
from recsys.stores.lake.shop import open_shop
from recsys.stores.registry.registry import Registry

PURCHASES = 1500
DEPTH = 10


@dataclass(frozen=True)
class Case:
    """A query, the item that was bought, and who asked."""

    query: str
    item: int
    profile: Profile


def rows() -> list[dict[str, object]]:
    """NDCG@10 of each way to order; the peer is words and meaning alone.

    Raises:
        RuntimeError: the home has no bundle, or its shop no clock.
    """
    settings = load_settings()
    set_threads(settings.serving.threads)
    with Registry.open(settings) as registry:
        record = registry.production()
    if record is None:
        raise RuntimeError(f"{settings.paths.home} has no bundle in production. Name a home with --home.")
    searcher = BundleLoader(settings)(record).searcher()
    now, cases = _cases(settings, searcher)
    plain = _mean_ndcg(_with(searcher, 0.0), cases, now, dial=0.0)
    popular = _mean_ndcg(searcher, cases, now, dial=0.0)
    personal = _mean_ndcg(searcher, cases, now, dial=searcher.settings.personalisation)
    return [
        _row("bought-next-popularity", popular, plain),
        _row("bought-next-personal", personal, plain),
    ]


def _with(searcher: Searcher, popularity: float) -> Searcher:
    settings = searcher.settings.model_copy(update={"popularity_weight": popularity})
    return replace(searcher, settings=settings)


def _cases(settings: Settings, searcher: Searcher) -> tuple[datetime, list[Case]]:
    """The start of the test, and the cases."""
    shop = open_shop(settings.paths, silent)
    split = shop.training_split(shop.default_protocol, settings.evaluation)
    if split.test_start is None:
        raise RuntimeError(f"the shop in {settings.paths.home} has no clock")
    start, log = int(split.test_start), shop.interactions
    rng = np.random.default_rng(0)
    bought = rng.choice(np.flatnonzero(log.at >= start), PURCHASES, replace=False)
    now, found = from_micros(start), []
    histories = _histories_before(log, start)
    items = searcher.recommender.bundle.items
    for row in bought.tolist():
        place = items.vocabulary.index(log.items.ids[log.item_index[row]])
        words = [word for word in items.titles[place].split() if word.isalpha() and len(word) > 2]
        if place and words:
            length = min(len(words), int(rng.integers(1, 3)))
            first = int(rng.integers(0, len(words) - length + 1))
            history = histories.get(int(log.user_index[row]), np.zeros(0, np.int64))
            profile = _profile(log, history, searcher.recommender, start)
            found.append(Case(" ".join(words[first : first + length]), place, profile))
    return now, found


def _histories_before(log: Interactions, instant: int) -> dict[int, IntArray]:
    """User index -> rows of its last actions before an instant, the oldest first."""
    early = np.flatnonzero(log.at < instant)
    early = early[np.lexsort((log.at[early], log.user_index[early]))]
    users, starts = np.unique(log.user_index[early], return_index=True)
    parts = np.split(early, starts[1:])
    return {user: part[-columns.HISTORY_LENGTH :] for user, part in zip(users.tolist(), parts, strict=True)}


def _profile(log: Interactions, rows_of_user: IntArray, recommender: Recommender, start: int) -> Profile:
    keys = np.array([stable_key(log.items.ids[item]) for item in log.item_index[rows_of_user]], np.int64)
    kinds, at = log.kind[rows_of_user].astype(np.int64), log.at[rows_of_user] // 1_000_000
    asked = np.array([start // 1_000_000], np.int64)
    vocabulary = recommender.bundle.items.vocabulary
    histories = histories_from_features([keys], [kinds], [at], asked, vocabulary, columns.HISTORY_LENGTH)
    return Profile(None, histories)


class _AsOf(Recommender):
    """A recommender that knows one user, as of then."""

    profile: Profile

    def read_profile(self, user_id: str | None, now: datetime) -> tuple[Profile, bool]:
        return self.profile, False


def _mean_ndcg(searcher: Searcher, cases: list[Case], now: datetime, dial: float) -> float:
    return float(np.mean(list(_gains(searcher, cases, now, dial))))


def _gains(searcher: Searcher, cases: list[Case], now: datetime, dial: float) -> Iterator[float]:
    recommender = copy(searcher.recommender)
    recommender.__class__ = _AsOf
    searcher = replace(searcher, recommender=recommender)
    for case in cases:
        recommender.profile = case.profile  # type: ignore[attr-defined]
        request = SearchRequest("case", case.query, "user", personalisation=dial, diversity=0.0)
        order = searcher.order(searcher.prepare(request, now)).index[:DEPTH]
        places = np.flatnonzero(order == case.item)
        yield 1 / np.log2(places[0] + 2) if len(places) else 0.0


def _row(name: str, ours: float, peer: float) -> dict[str, object]:
    return {
        "name": name,
        "unit": "NDCG@10",
        "ours": ours,
        "peer": "words and meaning alone",
        "peer_value": peer,
        "ratio": ours / peer,
        "at_least": 1.0,
        "aim": 1.2,
        "ok": ours >= peer,
    }
