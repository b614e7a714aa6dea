"""How old the features were that an answer was made from."""

from datetime import datetime

from recsys import columns
from recsys.features.rows import FeatureRows
from recsys.funnel.slate import FeatureStatus, ViewStatus
from recsys.instants import from_micros

# A view of the catalog is as old as the item: that says nothing about the pipeline.
CHANGES_WITH_EVENTS = (columns.USER_ACTIVITY, columns.USER_HISTORY, columns.ITEM_ENGAGEMENT)


def feature_status(service: str, parts: tuple[FeatureRows | None, ...], now: datetime) -> FeatureStatus:
    """The status of all views in `parts`; a part that was not read is None."""
    views = {view: _view_status(part, view) for part in parts if part is not None for view in part.event_at}
    oldest = [
        status.oldest_at for view in CHANGES_WITH_EVENTS if (status := views.get(view)) and status.oldest_at
    ]
    age = (now - min(oldest)).total_seconds() if oldest else None
    return FeatureStatus(service, age, views)


def _view_status(part: FeatureRows, view: str) -> ViewStatus:
    found = part.event_at[view][~part.missing[view]]
    missing = len(part.missing[view]) - len(found)
    if not len(found):
        return ViewStatus(None, None, 0, missing)
    return ViewStatus(from_micros(int(found.min())), from_micros(int(found.max())), len(found), missing)
