"""How far charge workers are: what `recsys status` and `recsys doctor` show of them. Writes nothing."""

from contextlib import closing
from dataclasses import asdict, dataclass

from recsys.config import Settings
from recsys.documents import JsonObject
from recsys.errors import RecsysError
from recsys.stores.ads.store import AdsStore
from recsys.stores.redis.shop_claim import server_owner
from recsys.stores.registry.database import database_url, open_engine
from recsys.stores.shop_identity import known_shop_id
from recsys.stores.stream.open import open_progress, open_stream
from recsys.streaming.stream import ADS

TIMEOUT_SECONDS = 1.0


@dataclass(frozen=True)
class ChargeStatus:
    """What waits for the charge workers of a shop that has advertisers.

    Attributes:
        waiting: events, of ads and others, that no charge worker has read.
        worker_seconds: since the last sign of life of one; None where none is known.
        failing: their background work that fails.
    """

    accounts: int
    waiting: int
    worker_seconds: float | None
    failing: tuple[str, ...] = ()

    def to_json(self) -> JsonObject:
        """What is printed of it."""
        return asdict(self)


def charge_status(settings: Settings) -> ChargeStatus | None:
    """How far they are; None where the shop has no account, or Redis holds nothing of this shop.

    Raises:
        StoreUnavailableError: Redis or Kafka does not answer.
    """
    accounts = _accounts(settings)
    if not accounts or server_owner(settings, TIMEOUT_SECONDS) != known_shop_id(settings):
        return None
    with closing(open_stream(settings, ADS)) as stream:
        waiting = sum(each.lag for each in stream.status()[:-1])  # the catalog has no ads
    signs = open_progress(settings, ADS).workers()
    return ChargeStatus(
        accounts=accounts,
        waiting=waiting,
        worker_seconds=signs[0].seconds if signs else None,
        failing=tuple(sorted({task for sign in signs for task in sign.failing})),
    )


def _accounts(settings: Settings) -> int:
    if settings.database_url is None and not settings.paths.database.exists():
        return 0
    try:
        with AdsStore(open_engine(database_url(settings), read_only=True)) as store:
            return len(store.accounts())
    except RecsysError:  # away, or without today's tables: the check of the database says so
        return 0
