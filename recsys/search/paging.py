"""Which part of which order a page is: the order of the first page is kept, a cursor goes on in it."""

from dataclasses import dataclass

from recsys.arrays import IntArray
from recsys.dataset.interactions import Vocabulary
from recsys.errors import CursorExpiredError, StoreUnavailableError
from recsys.search.pages import (
    Cursor,
    CursorCodec,
    PageStore,
    after_item,
    decode_order,
    encode_order,
    fingerprint,
)
from recsys.search.requests import SearchRequest


@dataclass(frozen=True)
class PageOrder:
    """The order that a page is cut from.

    Attributes:
        order: item indexes, one a product. offset: where the page begins.
        kept: whether the next page will find this order again.
        query_id: request id of the first page.
    """

    order: IntArray
    offset: int
    kept: bool
    query_id: str

    def page(self, count: int) -> IntArray:
        """The items of a page of `count`."""
        found = self.order[self.offset : self.offset + count]
        return found[found > 0]


@dataclass(frozen=True)
class Pager:
    """Keeps orders and finds them again.

    Attributes:
        pages: None where orders are not kept.
    """

    pages: PageStore | None
    cursors: CursorCodec

    def read_cursor(self, request: SearchRequest, bundle_id: str) -> Cursor | None:
        """The cursor of `request`, None for a first page.

        Raises:
            InvalidCursorError: it is not of this request.
            CursorExpiredError: another bundle serves now.
        """
        if request.cursor is None:
            return None
        cursor = self.cursors.decode(request.cursor, request)
        if cursor.bundle_id != bundle_id:
            raise CursorExpiredError(
                f"cursor: the first page was made with bundle {cursor.bundle_id!r}, and {bundle_id!r} "
                "serves now. Search again from the first page."
            )
        return cursor

    def first_page(
        self, request: SearchRequest, order: IntArray, bundle_id: str, trained: int, vocabulary: Vocabulary
    ) -> PageOrder:
        """The first page of `order`, which is kept if there are more."""
        kept = len(order) <= request.k
        if not kept and self.pages is not None:
            try:
                self.pages.save(request.request_id, encode_order(bundle_id, order, trained, vocabulary))
                kept = True
            except StoreUnavailableError:
                pass
        return PageOrder(order, 0, kept, request.request_id)

    def next_page(self, cursor: Cursor, order: IntArray, bundle_id: str, vocabulary: Vocabulary) -> PageOrder:
        """The page that `cursor` leads to; where no order is kept, behind its last item in `order`.

        Raises:
            CursorExpiredError: the order is no longer kept.
        """
        if cursor.stored and self.pages is not None:
            try:
                stored = self.pages.load(cursor.query_id)
            except StoreUnavailableError:
                pass
            else:
                if stored is None:
                    raise CursorExpiredError(
                        "cursor: the order of its first page is no longer kept. "
                        "Search again from the first page."
                    )
                kept_order = decode_order(stored, bundle_id, vocabulary)
                return PageOrder(kept_order, cursor.offset, True, cursor.query_id)
        last = vocabulary.index(cursor.last_item)
        return PageOrder(order, after_item(order, last, cursor.offset), False, cursor.query_id)

    def next_cursor(
        self, request: SearchRequest, page: PageOrder, bundle_id: str, vocabulary: Vocabulary
    ) -> str | None:
        """The cursor of the page after `page`; None where that is the last."""
        after = page.offset + request.k
        if after >= len(page.order):
            return None
        shown = page.order[:after]
        last = vocabulary.ids[int(shown[shown > 0][-1])] if (shown > 0).any() else ""
        return self.cursors.encode(
            Cursor(page.query_id, after, bundle_id, fingerprint(request), last, page.kept)
        )
