"""Opens an imported shop: facts and labelled actions."""

import pyarrow.compute as pc

from recsys import columns
from recsys.dataset.labels import build_interactions
from recsys.dataset.shop import Shop
from recsys.home import HomePaths
from recsys.progress import Progress, silent
from recsys.stores.lake.dataset_files import load_info, load_items
from recsys.stores.lake.event_lake import open_lake


def open_shop(paths: HomePaths, progress: Progress = silent) -> Shop:
    """The shop that was imported into this home.

    Raises:
        DataError: nothing was imported.
    """
    info = load_info(paths)
    needed = [columns.USER_ID, columns.ITEM_ID, columns.KIND, columns.AT, columns.SEQUENCE, columns.WEIGHT]
    with progress("read events", None):
        lake = open_lake(paths)
        events = lake.read_as_happened(needed)
        if pc.any(pc.equal(events[columns.KIND], columns.CANCEL)).as_py():
            events = lake.read_as_happened([*needed, columns.QUANTITY, columns.VALUE_MICROS])
        return Shop(info, build_interactions(events, load_items(paths), info.label_kinds))
