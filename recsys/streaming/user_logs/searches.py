"""The last queries of users, as the stream's state keeps them beside the logs."""

from collections.abc import Mapping, Sequence

import orjson
import pyarrow as pa

from recsys.errors import DataError
from recsys.features.user_searches import Search, merge_searches, read_searches

Searches = Mapping[str, Sequence[Search]]
"""Of users, as `recsys.features.user_searches.merge_searches` has them."""


def decode_searches(stored: Mapping[str, bytes]) -> dict[str, tuple[Search, ...]]:
    """The queries of each user, who has none where nothing is stored.

    Raises:
        DataError: the queries of a user cannot be read.
    """
    try:
        return {
            user: tuple(Search(*each) for each in orjson.loads(found)) if found else ()
            for user, found in stored.items()
        }
    except (TypeError, ValueError) as error:
        raise DataError(
            f"the queries that the stream's state has of a user are damaged: {error}. "
            "Remove the stream's state: the next worker builds it anew from the event lake."
        ) from error


def encode_searches(searches: Searches) -> dict[str, bytes]:
    """What `decode_searches` reads."""
    return {user: orjson.dumps([tuple(each) for each in own]) for user, own in searches.items()}


def add_searches(before: Searches, events: pa.Table) -> dict[str, tuple[Search, ...]]:
    """The queries of the users who searched in `events`.

    Args:
        before: of those users; who has none may be absent.
        events: columns of `recsys.features.user_searches.SEARCH_COLUMNS_READ`, in any order.
    """
    new: dict[str, list[Search]] = {}
    for user, search in read_searches(events):
        new.setdefault(user, []).append(search)
    return {user: merge_searches(before.get(user, ()), own) for user, own in new.items()}
