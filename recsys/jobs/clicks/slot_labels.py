"""Labels of served ads as the table that a click model learns from and is measured by."""

import logging

import numpy as np
import pandas as pd

from recsys import columns
from recsys.ads.labels.slot_labels import SlotLabels
from recsys.config import Settings
from recsys.dataset.click_log import CLICKED, CONVERTED, MATURE, P_CLICK, SLOT, SPONSORED, UNIT
from recsys.instants import from_micros
from recsys.jobs.ads.served_labels import read_served_labels

log = logging.getLogger(__name__)


def read_slot_labels(settings: Settings, start: int, end: int) -> SlotLabels | None:
    """Labels of the slots served in [start, end) microseconds as of `end`; None where there were none.

    Invalid traffic, as the charge worker marked it, has no label that counts. What the ad log lacks of that
    time is logged as a warning.

    Raises:
        DataError: a file of the ad log or of the lake cannot be read.
        StoreUnavailableError: the database of marked events does not answer.
    """
    if not settings.paths.ad_log.exists():
        return None
    since, until = from_micros(start), from_micros(end)
    found = read_served_labels(settings, since, until, until)
    for gap in found.gaps:
        if gap.loses_slots:
            log.warning("labels of ads lack what the ad log lacks: %s", gap)
    return found.labels if len(found.labels) else None


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
