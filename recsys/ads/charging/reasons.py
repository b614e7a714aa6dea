"""Why an event of an ad is not billed, and which of these reasons are invalid traffic."""

from enum import StrEnum


class NotBilled(StrEnum):
    """Why an event is not charged."""

    NO_TOKEN = "no_token"  # it names no served ad
    OTHER_EVENT = "other_event"  # its campaign pays for another event: a click where impressions are sold
    NOT_VIEWABLE = "not_viewable"  # the page measured that the ad was not in sight
    UNMEASURED = "unmeasured"  # nobody measured whether it was
    LATE = "late"  # the ad was served too long ago
    NO_CLICK = "no_click"  # a purchase without a token whose user clicked no ad of that item before
    FORGED = "forged"  # the token was changed, or is not of this shop
    OTHER_ITEM = "other_item"  # the token is of another item than the event
    OTHER_UNIT = "other_unit"  # the token was served to somebody else
    OWN_USER = "own_user"  # of the account that would pay
    VELOCITY = "velocity"  # more clicks than a person makes
    ADDRESS_VELOCITY = "address_velocity"  # more clicks from one address, or of one agent there


INVALID_TRAFFIC = frozenset(
    {
        NotBilled.FORGED,
        NotBilled.OTHER_ITEM,
        NotBilled.OTHER_UNIT,
        NotBilled.OWN_USER,
        NotBilled.VELOCITY,
        NotBilled.ADDRESS_VELOCITY,
    }
)
"""What is marked: kept, counted and shown, neither billed nor learned from."""
