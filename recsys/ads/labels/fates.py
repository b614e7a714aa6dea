"""What becomes of an event that carries a token, as far as labels go; each has exactly one fate."""

from enum import StrEnum


class EventFate(StrEnum):
    """Whether an event made a label, and why not."""

    COUNTED = "counted"
    FOREIGN = "foreign"  # its token is none that this shop gave
    OTHER_SLOT = "other_slot"  # the slot is not among those that labels are asked of
    GHOST = "ghost"  # the slot was won in the hold-out and never shown
    INVALID = "invalid"  # invalid traffic: the slot teaches nothing
    OTHER_ITEM = "other_item"  # it is about another item than its token
    EARLY = "early"  # before its answer, by more than clocks may differ
    LATE = "late"  # after its window
    DUPLICATE = "duplicate"  # another event said the same before
    NO_IMPRESSION = "no_impression"  # a click on what no impression says was shown
    UNSEEN = "unseen"  # a click on what was not viewable
    UNMEASURED = "unmeasured"  # a click on what nobody measured
    NO_CLICK = "no_click"  # a purchase without a click before it that counts
    RETURNED = "returned"  # a purchase that was taken back as a whole
