"""Labels of the sponsored slots in the ad log, by the events of the lake that carry their tokens."""

import logging
from collections.abc import Collection
from datetime import datetime

import numpy as np
import pandas as pd

from recsys import columns
from recsys.ads.labels.slot_labels import SlotLabels, label_slots
from recsys.ads.labels.token_events import LABEL_COLUMNS as EVENT_COLUMNS
from recsys.ads.labels.token_events import DecodeToken, LabelWindows, event_window
from recsys.ads.tokens.impression_token import ImpressionTokens
from recsys.config import Settings
from recsys.dataset.click_log import CLICKED, CONVERTED, MATURE, P_CLICK, SLOT, SPONSORED, UNIT
from recsys.errors import RequestError
from recsys.instants import from_micros
from recsys.stores.ads.token_key import token_keys
from recsys.stores.lake.event_lake import open_lake
from recsys.stores.served.ad_log_files import AdLogGap, read_ad_log
from recsys.stores.shop_identity import shop_id

_ANY_AGE = 10**10  # seconds; windows are applied by the labels

log = logging.getLogger(__name__)


def read_slot_labels(
    settings: Settings, start: int, end: int, invalid: Collection[str] = ()
) -> SlotLabels | None:
    """Labels of the slots served in [start, end) microseconds as of `end`; None where there were none.

    Args:
        invalid: ids of slots and of events that are invalid traffic, which teaches nothing.

    Raises:
        DataError: a file of the ad log or of the lake cannot be read.
    """
    since, until = from_micros(start), from_micros(end)
    folder = settings.paths.ad_log
    if not folder.exists():
        return None
    slots = list(read_ad_log(folder, since, until, _say_gap))
    if not slots:
        return None
    first, _ = event_window(since, until, LabelWindows())
    events = open_lake(settings.paths).read_as_happened(EVENT_COLUMNS, first, until)
    return label_slots(slots, events, slot_decoder(settings, until), until, invalid=invalid)


def slot_label_frame(labels: SlotLabels) -> pd.DataFrame:
    """`recsys.dataset.click_log.LABEL_COLUMNS` of the slots that a click model learns from."""
    slots = labels.slots
    frame = pd.DataFrame(
        {
            columns.ITEM_ID: [slot.item_id for slot in slots],
            columns.AT: labels.served_at,
            CLICKED: labels.clicked,
            columns.REQUEST_ID: [slot.request_id for slot in slots],
            columns.USER_ID: [slot.user_id for slot in slots],
            UNIT: [slot.unit for slot in slots],
            columns.SURFACE: [slot.surface for slot in slots],
            SLOT: [slot.slot for slot in slots],
            columns.QUERY: [slot.query for slot in slots],
            SPONSORED: True,
            CONVERTED: labels.purchased,
            MATURE: labels.mature,
            P_CLICK: np.array([slot.p_click for slot in slots], np.float64),
        }
    )
    return frame[labels.in_clicks].reset_index(drop=True)


def slot_decoder(settings: Settings, now: datetime) -> DecodeToken:
    """Reads the slot's id from a token of this shop, whatever its age."""
    tokens = ImpressionTokens(token_keys(settings), shop_id(settings) or "")

    def slot_of(text: str) -> str | None:
        try:
            return tokens.decode(text, now, _ANY_AGE).slot_id
        except RequestError:
            return None

    return slot_of


def _say_gap(gap: AdLogGap) -> None:
    if gap.loses_slots:
        log.warning("labels of ads lack what the ad log lacks: %s", gap)
