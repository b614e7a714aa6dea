"""What has to be outbid is the last winner of a request; where nobody won, nobody has to be."""

from recsys.ads.campaigns.targets import Keyword, Targets
from recsys.ads.delivery.landscape import landscape, worth_of_view
from tests.ads.delivery.served_slots import served_slot


def slots() -> list:
    """r1: worth 20,000 and 10,000 a view; r2: 30,000; r3, about milk: 5,000."""
    return [
        served_slot("1", request_id="r1", bid_micros=400_000, attraction=0.05),
        served_slot("2", request_id="r1", bid_micros=100_000, attraction=0.1, campaign_id="winter"),
        served_slot("3", request_id="r2", bid_micros=300_000, attraction=0.1),
        served_slot(
            "4", request_id="r3", bid_micros=5_000_000, pricing="cpm", query="oat milk", surface="search"
        ),
        served_slot("5", request_id="r4", bid_micros=1, arm="holdout"),
    ]


def test_more_is_won_by_who_is_worth_more() -> None:
    found = landscape(slots(), 6, Targets())
    assert found is not None
    assert found.to_beat.tolist() == [5000, 10_000, 30_000]
    wins = [found.wins(worth) for worth in (1, 5000, 5001, 10_001, 99_999)]
    assert [share.count for share in wins] == [3, 3, 4, 5, 6], "nobody won 3 of 6 requests"
    assert {share.of for share in wins} == {6}


def test_only_what_meets_the_targets_counts_and_all_tells_how_many_are_filled() -> None:
    milk = landscape(slots(), 6, Targets(keywords=(Keyword("milk"),)))
    assert milk is not None
    assert (milk.to_beat.tolist(), milk.filled) == ([5000], 0.5)
    assert landscape(slots(), 6, Targets(categories=("Rice",))) is None
    assert landscape([], 6, Targets()) is None


def test_a_campaign_does_not_outbid_itself() -> None:
    found = landscape(slots(), 3, Targets(), "winter")
    assert found is not None
    assert found.to_beat.tolist() == [5000, 20_000, 30_000]
    assert found.filled == 1.0


def test_worth_follows_what_is_paid_for() -> None:
    assert worth_of_view("cpc", 400_000, 0.05, 0.5) == 20_000
    assert worth_of_view("cpm", 400_000, 0.05, 0.5) == 400
    assert worth_of_view("cpa", 400_000, 0.05, 0.5) == 10_000
