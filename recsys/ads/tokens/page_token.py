"""The token of a page: what it and the pages of the visit before it showed, as the shop signed it."""

import json
import struct
from datetime import datetime

from recsys.ads.blending.memory import PageMemory
from recsys.ads.tokens.checks import check_age, check_origin
from recsys.ads.tokens.keys import TokenKeys
from recsys.errors import InvalidTokenError
from recsys.instants import from_micros, to_micros

MOST_CHARACTERS = 2400  # of a token; a memory is bounded, so it is never longer
_PURPOSE = "page"
_VERSION = 1  # of the layout


class PageTokens:
    """Writes the memory of one shop's visits and reads it back.

    The layout is a line of JSON [version, shop, microseconds, since_sponsored, sponsored products], then
    8 bytes a product, those that were sponsored first.
    """

    def __init__(self, keys: TokenKeys, shop_id: str) -> None:
        self._keys = keys
        self._shop_id = shop_id

    def encode(self, memory: PageMemory, now: datetime) -> str:
        """The token of what was shown until `now`, safe in a URL."""
        facts = [_VERSION, self._shop_id, to_micros(now), memory.since_sponsored, len(memory.sponsored)]
        head = json.dumps(facts, ensure_ascii=False, separators=(",", ":")).encode()
        products = [*memory.sponsored, *memory.organic]
        body = head + b"\n" + struct.pack(f"<{len(products)}q", *products)
        return self._keys.sign(_PURPOSE, body)

    def decode(self, token: str, now: datetime, most_age_seconds: int) -> PageMemory:
        """What the pages before showed.

        Args:
            now: aware. most_age_seconds: for how long a visit is remembered.

        Raises:
            InvalidTokenError: the token was changed, not signed by this shop, or signed for the future.
            TokenExpiredError: it is older.
        """
        body = self._keys.verify(_PURPOSE, token) if len(token) <= MOST_CHARACTERS else None
        if body is None:
            raise InvalidTokenError(
                f"page_token {ascii(token)[:40]}: it is not one that this shop gave, or was changed. "
                "Send `page_token` of the page before as it came, or leave it out for a first page."
            )
        head, _, packed = body.partition(b"\n")
        version, shop_id, made_at, since, sponsored = json.loads(head)
        check_origin((version, shop_id), (_VERSION, self._shop_id))
        check_age(from_micros(made_at), now, most_age_seconds)
        products = struct.unpack(f"<{len(packed) // 8}q", packed)
        return PageMemory(products[sponsored:], products[:sponsored], since)
