"""The steps that every campaign goes through in every request, and where it left."""

from enum import StrEnum

from recsys.ads.auction.loss_reasons import LossReason


class Step(StrEnum):
    """The step at which a campaign left a request; in this order.

    A campaign with several ads counts as its ad that came furthest. Campaigns that may not be shown, or
    whose targets a request does not meet, are not told one by one: they are the rest of the requests.
    """

    QUALITY = "quality"  # below its quality floor, or without any probability of a click
    FLOOR = "floor"  # bids less than the reserve
    BUDGET = "budget"  # a budget has no room
    PACING = "pacing"  # its plan of the day asks for fewer auctions
    CAP = "cap"  # the user saw it often enough
    OUTBID = "outbid"  # others ranked before it, or a variant or its account has the slots already
    PAGE = "page"  # it won, and the page was better without it, or it was shown before
    WON = "won"


STEP_OF_LOSS = {
    LossReason.NONE: Step.WON,
    LossReason.RESERVE: Step.FLOOR,
    LossReason.SCORE: Step.QUALITY,
    LossReason.MONEY: Step.BUDGET,
    LossReason.PRODUCT: Step.OUTBID,
    LossReason.ACCOUNT: Step.OUTBID,
    LossReason.RANK: Step.OUTBID,
    LossReason.STOPPED: Step.OUTBID,
}
"""The step at which an ad left whose auction gave it that reason."""
