"""The token of a sponsored impression: what was shown to whom at which price, as the shop signed it.

A click or a view that brings it back is billed by what it says, so that nothing has to be looked up and
nobody can bill what was not shown. Everybody can read it: the unit should be one that the page knows anyway.
"""

import json
from dataclasses import dataclass
from datetime import datetime

from recsys.ads.auction.candidates import PricingCode
from recsys.ads.tokens.checks import check_age, check_origin
from recsys.ads.tokens.keys import TokenKeys
from recsys.amounts import MOST_MICROS
from recsys.errors import DataError, InvalidTokenError
from recsys.event_fields import MOST_TOKEN_CHARACTERS
from recsys.instants import from_micros, to_micros

MOST_CHARACTERS = MOST_TOKEN_CHARACTERS  # what an event may carry
_PURPOSE = "sponsored impression"
_VERSION = 1  # of the order of fields


@dataclass(frozen=True)
class SponsoredImpression:
    """One sponsored item as it was shown.

    Attributes:
        slot_id: unique; what an event of it is charged by once. ad: its item. slot: of the placement, from 1.
        price_micros: the auction's price for what `pricing` bills.
        p: probability of a click at that slot, as the auction used it.
        served_at: when the answer was made, aware.
        unit: who saw it, see `recsys.experiments.assignment.assignment_unit`.

    Raises:
        DataError: a price, slot or probability out of range, or an instant without a time zone.
    """

    slot_id: str
    ad: str
    account: str
    campaign: str
    line: str
    slot: int
    price_micros: int
    pricing: PricingCode
    p: float
    served_at: datetime
    surface: str
    request_id: str
    unit: str

    def __post_init__(self) -> None:
        if self.served_at.tzinfo is None:
            raise DataError(f"served_at {self.served_at} has no time zone. Give it one.")
        for name, least, most in (("slot", 1, 1000), ("price_micros", 0, MOST_MICROS), ("p", 0, 1)):
            value = getattr(self, name)
            if not least <= value <= most:  # true for NaN too
                raise DataError(f"{name} {value} is not between {least} and {most}.")


class ImpressionTokens:
    """Writes tokens of one shop's impressions and reads them back."""

    def __init__(self, keys: TokenKeys, shop_id: str) -> None:
        self._keys = keys
        self._shop_id = shop_id

    def encode(self, impression: SponsoredImpression) -> str:
        """The token of `impression`, safe in a URL; `decode` gives back the same, to the last digit.

        Raises:
            DataError: it would be longer than MOST_CHARACTERS.
        """
        values = {**vars(impression), "served_at": to_micros(impression.served_at)}
        fields = [_VERSION, self._shop_id, *values.values()]
        body = json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()
        token = self._keys.sign(_PURPOSE, body)
        if len(token) > MOST_CHARACTERS:
            raise DataError(
                f"the token of ad {impression.ad[:100]!r} has {len(token)} characters, more than "
                f"{MOST_CHARACTERS}. Give shorter ids."
            )
        return token

    def decode(self, token: str, now: datetime, most_age_seconds: int) -> SponsoredImpression:
        """The impression that `token` is of.

        Args:
            now: aware. most_age_seconds: since it was served, to which the token is taken.

        Raises:
            InvalidTokenError: the token was changed, not signed by this shop, or signed for the future.
            TokenExpiredError: it is older.
        """
        body = self._keys.verify(_PURPOSE, token) if len(token) <= MOST_CHARACTERS else None
        if body is None:
            raise InvalidTokenError(
                f"token {ascii(token)[:40]}: it is not one that this shop gave, or was changed. "
                "Send the token of the sponsored item as it came."
            )
        version, shop_id, *values = json.loads(body)
        check_origin((version, shop_id), (_VERSION, self._shop_id))
        impression = _impression(values)
        check_age(impression.served_at, now, most_age_seconds)
        return impression


def _impression(values: list[object]) -> SponsoredImpression:
    named = dict(zip(SponsoredImpression.__dataclass_fields__, values, strict=True))
    served_at, pricing = named["served_at"], named["pricing"]
    assert isinstance(served_at, int)
    assert isinstance(pricing, int)
    named.update(served_at=from_micros(served_at), pricing=PricingCode(pricing))
    return SponsoredImpression(**named)  # type: ignore[arg-type]
