"""Labelled impressions of a shop: what was shown without money, and the sponsored slots of the ad log."""

import pandas as pd

from recsys import columns
from recsys.config import Settings
from recsys.dataset.click_log import LabelledImpressions, join_impressions
from recsys.dataset.organic_clicks import organic_labels
from recsys.instants import now_micros
from recsys.jobs.clicks.slot_labels import read_slot_labels, slot_label_frame
from recsys.stores.served.click_labels import read_click_events, read_shown_items


def open_click_labels(settings: Settings, start: int, end: int | None = None) -> LabelledImpressions:
    """What was shown in [start, end) microseconds and clicked by then; empty where nothing was logged.

    Nothing after `end` counts, so that a training learns nothing of its test.

    Args:
        end: None = up to the newest event, or now where an ad log is kept.

    Raises:
        DataError: a file of the lake, of the log of answers or of the ad log cannot be read.
    """
    paths = settings.paths
    events = read_click_events(paths, start, end)
    until = end if end is not None else _newest(events, start)
    organic = organic_labels(events, read_shown_items(paths, start, until), until)
    sponsored = read_slot_labels(settings, start, now_micros() if end is None else end)
    parts = [organic] if sponsored is None else [organic, slot_label_frame(sponsored)]
    return join_impressions(parts)


def _newest(events: pd.DataFrame, start: int) -> int:
    return int(events[columns.AT].max()) + 1 if len(events) else start
