"""Steps of delivery: every reason of the auction has one, and the order is that of a request."""

from recsys.ads.auction.loss_reasons import LossReason
from recsys.ads.delivery.steps import STEP_OF_LOSS, Step


def test_each_reason_of_the_auction_is_a_step() -> None:
    assert set(STEP_OF_LOSS) == set(LossReason)


def test_only_who_did_not_lose_won() -> None:
    assert [reason for reason, step in STEP_OF_LOSS.items() if step is Step.WON] == [LossReason.NONE]
