"""Pages: the order of a first page is kept, and a signed cursor goes on in it.

    cursor = base64( mode, query_id, offset, bundle, fingerprint, last item | HMAC-SHA256 )

The fingerprint is that of query, filters, sort and whatever else decides the order. So no item is shown twice
or left out, whatever is upserted meanwhile and whichever process answers. While the store of orders is
away a cursor names the last item, and the next page goes on behind it in the order as it is then.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Protocol

import numpy as np

from recsys.arrays import IntArray
from recsys.dataset.interactions import Vocabulary
from recsys.errors import CursorExpiredError, InvalidCursorError
from recsys.search.requests import SearchRequest
from recsys.signed_text import sign_text, verified_body

_PURPOSE = "cursor"
MAX_CURSOR = 1024  # characters


class PageStore(Protocol):
    """Orders of first pages, kept for some minutes.

    Raises:
        StoreUnavailableError: the store did not answer in time.
    """

    def save(self, query_id: str, order: bytes) -> None:
        """Keeps the order of the answer `query_id`."""
        ...

    def load(self, query_id: str) -> bytes | None:
        """The order of the answer `query_id`; None where it has expired."""
        ...


@dataclass(frozen=True)
class Cursor:
    """Where the next page begins.

    Attributes:
        query_id: request id of the first page. offset: products before the next page.
        bundle_id: what the first page was made with. fingerprint: of what decides the order.
        last_item: id of the last item shown. stored: whether the order was kept.
    """

    query_id: str
    offset: int
    bundle_id: str
    fingerprint: str
    last_item: str
    stored: bool


class CursorCodec:
    """Writes cursors and reads them back; `key` is a secret that all processes of a shop share."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def encode(self, cursor: Cursor) -> str:
        """`cursor` as a text that is safe in a URL."""
        body = json.dumps(list(asdict(cursor).values()), ensure_ascii=False, separators=(",", ":")).encode()
        return sign_text(self._key, _PURPOSE, body)

    def decode(self, text: str, request: SearchRequest) -> Cursor:
        """The cursor that `text` is, if it was given for the query, filters and order of `request`.

        Raises:
            InvalidCursorError: it was changed, or given for another request.
        """
        body = verified_body(self._key, _PURPOSE, text)
        if body is None:
            raise InvalidCursorError(
                "cursor: it is not one that this service gave. Send `cursor` of the page before as it came."
            )
        cursor = Cursor(*json.loads(body))
        if cursor.fingerprint != fingerprint(request):
            raise InvalidCursorError(
                "cursor: it belongs to another query, filter, sort or user. "
                "Send the request of the first page with it, or leave it out for a first page."
            )
        return cursor


def fingerprint(request: SearchRequest) -> str:
    """A hash of what decides which items are found and in which order; page length and facets do not.

    >>> fingerprint(SearchRequest("a", "tea", k=5)) == fingerprint(SearchRequest("b", "tea", k=9))
    True
    """
    decides = [
        request.query,
        request.user_id,
        request.filters.to_json(),
        request.sort,
        request.personalisation,
        sorted(request.without),
        request.surface,
        sorted(request.context.items()),
    ]
    text = json.dumps(decides, ensure_ascii=True, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def encode_order(bundle_id: str, order: IntArray, trained: int, vocabulary: Vocabulary) -> bytes:
    """An order of items as bytes that every process with the same bundle reads alike.

    Indexes of items that came after the bundle differ between processes: those are written as ids.

    Args:
        trained: rows of the bundle's own catalog, padding included.
    """
    late = order >= trained
    ids = [vocabulary.ids[place] for place in order[late].tolist()]
    head = json.dumps({"bundle": bundle_id, "ids": ids}, ensure_ascii=False).encode()
    places = np.where(late, 0, order).astype("<u4")
    return len(head).to_bytes(4, "little") + head + places.tobytes()


def decode_order(stored: bytes, bundle_id: str, vocabulary: Vocabulary) -> IntArray:
    """The item indexes of `encode_order`; 0 in the place of an item that this process does not know yet.

    Raises:
        CursorExpiredError: the order is that of another bundle.
    """
    size = int.from_bytes(stored[:4], "little")
    head = json.loads(stored[4 : 4 + size])
    if head["bundle"] != bundle_id:
        raise CursorExpiredError(
            f"cursor: the first page was made with bundle {head['bundle']!r}, and {bundle_id!r} serves now. "
            "Search again from the first page."
        )
    order = np.frombuffer(stored, "<u4", offset=4 + size).astype(np.int64)
    order[order == 0] = vocabulary.indexes(head["ids"])
    return order


def after_item(order: IntArray, last: int, offset: int) -> int:
    """The place in `order` behind the item `last`; `offset` where it is no longer there.

    >>> after_item(np.array([7, 5, 9]), 5, 1), after_item(np.array([7, 9]), 5, 1)
    (2, 1)
    """
    found: Sequence[int] = np.flatnonzero(order == last).tolist()
    return found[0] + 1 if found else offset
