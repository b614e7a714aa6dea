"""Opens an imported shop: facts and labelled actions."""

import pyarrow.compute as pc

from recsys import columns
from recsys.dataset.info import DatasetInfo
from recsys.dataset.interactions import Interactions
from recsys.dataset.labels import build_interactions
from recsys.dataset.shop import Shop
from recsys.errors import DataError
from recsys.home import HomePaths
from recsys.instants import to_micros
from recsys.progress import Progress, silent
from recsys.stores.lake.dataset_files import load_info, load_items
from recsys.stores.lake.event_lake import open_lake


def open_shop(paths: HomePaths, progress: Progress = silent) -> Shop:
    """The shop that was imported into this home.

    Raises:
        DataError: nothing was imported, or a catalog without events and none have come since.
    """
    info = load_info(paths)
    if not info.events and not open_lake(paths).days():
        raise DataError(
            f"{info.name} is a catalog without events, so there is nothing to learn of its users. Run "
            "`recsys train --search-only`, or add [[events]] to its mapping and import again."
        )
    return Shop(info, _actions(paths, info, progress, some=True))


def open_actions(paths: HomePaths, progress: Progress = silent) -> tuple[DatasetInfo, Interactions]:
    """The facts of the imported shop, and its labelled actions, of which there may be none.

    Raises:
        DataError: nothing was imported.
    """
    info = load_info(paths)
    return info, _actions(paths, info, progress, some=False)


def newest_item_at(paths: HomePaths) -> int:
    """The latest instant, microseconds, from which an item of the catalog is as it is; 0 without items."""
    newest = pc.max(load_items(paths)[columns.AT]).as_py()
    return 0 if newest is None else to_micros(newest)


def _actions(paths: HomePaths, info: DatasetInfo, progress: Progress, some: bool) -> Interactions:
    needed = [columns.USER_ID, columns.ITEM_ID, columns.KIND, columns.AT, columns.SEQUENCE, columns.WEIGHT]
    with progress("read events", None):
        lake = open_lake(paths)
        events = lake.read_as_happened(needed)
        if pc.any(pc.equal(events[columns.KIND], columns.CANCEL)).as_py():
            events = lake.read_as_happened([*needed, columns.QUANTITY, columns.VALUE_MICROS])
        return build_interactions(events, load_items(paths), info.label_kinds, some)
