"""Labels of the ads that a home has served: its ad log, its event lake and its tokens put together."""

from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from recsys.ads.labels.slot_labels import SlotLabels, label_slots
from recsys.ads.labels.token_events import LABEL_COLUMNS, DecodeToken, LabelWindows, event_window
from recsys.ads.tokens.impression_token import ImpressionTokens
from recsys.config import Settings
from recsys.dataset.schemas import EVENT_SCHEMA
from recsys.errors import InvalidTokenError, TokenExpiredError
from recsys.stores.ads.traffic import AdsTraffic
from recsys.stores.ads_token_key import token_keys
from recsys.stores.lake.event_lake import open_lake
from recsys.stores.served.ad_log_files import AdLogGap, read_ad_log
from recsys.stores.shop_identity import known_shop_id

_ANY_AGE = 100 * 366 * 86_400  # seconds
_NO_EVENTS = pa.schema([EVENT_SCHEMA.field(name) for name in LABEL_COLUMNS]).empty_table()


@dataclass(frozen=True)
class ServedLabels:
    """The labels of slots served in a time, and what the log lacks of it."""

    labels: SlotLabels
    gaps: tuple[AdLogGap, ...]


def read_served_labels(
    settings: Settings,
    since: datetime,
    until: datetime,
    now: datetime,
    windows: LabelWindows | None = None,
    campaign_id: str | None = None,
) -> ServedLabels:
    """The labels of the slots that were served in [since, until), as events say that are in the lake `now`.

    A return after the last purchase that may count changes no label, so that labels of the past stay. Events
    that the charge worker marked as invalid traffic teach nothing, nor do slots that were written off.

    Args:
        campaign_id: of its slots alone; None = of all.

    Raises:
        DataError: a file of the ad log or of the lake cannot be read.
        ConfigError: the secret of tokens cannot be read.
        StoreUnavailableError: the database of marked events did not answer.
    """
    windows = windows or LabelWindows()
    gaps: list[AdLogGap] = []
    served = read_ad_log(settings.paths.ad_log, since, until, gaps.append)
    slots = [slot for slot in served if campaign_id in (None, slot.campaign_id)]
    if not slots:  # a home that serves no ads needs no secret for their tokens either
        return ServedLabels(label_slots((), _NO_EVENTS, lambda token: None, now, windows), tuple(gaps))
    events = open_lake(settings.paths).read_as_happened(LABEL_COLUMNS, *event_window(since, until, windows))
    with AdsTraffic.open(settings) as traffic:
        invalid = traffic.invalid_ids()
    labels = label_slots(slots, events, token_reader(settings, now), now, windows, invalid)
    return ServedLabels(labels, tuple(gaps))


def token_reader(settings: Settings, now: datetime) -> DecodeToken:
    """Reads the slot_id of tokens of this shop, of any age."""
    tokens = ImpressionTokens(token_keys(settings), known_shop_id(settings) or "")

    def decode(token: str) -> str | None:
        try:
            return tokens.decode(token, now, _ANY_AGE).slot_id
        except (InvalidTokenError, TokenExpiredError):
            return None

    return decode
