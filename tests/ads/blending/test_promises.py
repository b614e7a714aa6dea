"""What every blended page promises, over pages that are drawn."""

from hypothesis import given

from recsys.ads.blending.items import OrganicItem, SponsoredItem
from recsys.ads.blending.page import AdOutcome, BlendedPage, blend_page
from tests.ads.blending.pages import PageRequest, broken_rules, page_requests, pages_by_the_rules, worth


def blend(request: PageRequest) -> BlendedPage:
    return blend_page(request.organic, request.sponsored, request.rules, request.memory)


def shown(page: BlendedPage, request: PageRequest) -> list[OrganicItem | SponsoredItem]:
    items = {each.item_id: each for each in request.organic}
    ads = {each.ad_id: each for each in request.sponsored}
    return [ads[each.ad_id] if each.ad_id else items[each.item_id] for each in page.positions]


@given(page_requests())
def test_no_rule_is_ever_broken(request_: PageRequest) -> None:
    assert broken_rules(shown(blend(request_), request_), request_) == []


@given(page_requests())
def test_no_page_by_the_rules_is_worth_more(request_: PageRequest) -> None:
    page = blend(request_)
    best = max(worth(each, request_.rules) for each in pages_by_the_rules(request_))
    assert worth(shown(page, request_), request_.rules) == best
    assert page.value_micros == best // 10**9


@given(page_requests())
def test_organic_items_keep_their_order_and_only_copies_of_ads_are_missing(request_: PageRequest) -> None:
    page = blend(request_)
    ads = {each.product_id for each in page.positions if each.sponsored}
    left = [
        each.item_id
        for each in request_.organic
        if each.product_id not in ads and not request_.memory.showed_sponsored(each.product_id)
    ]
    organic = [each.item_id for each in page.positions if not each.sponsored]
    assert organic == left[: len(organic)]
    read = [each.item_id for each in request_.organic[: page.organic_read]]
    assert sorted(read) == sorted([*organic, *page.removed])


@given(page_requests())
def test_sponsored_items_keep_the_order_of_the_auction_and_are_labelled(request_: PageRequest) -> None:
    page = blend(request_)
    labelled = [each.ad_id for each in page.positions if each.sponsored]
    order = [each.ad_id for each in request_.sponsored if each.ad_id in labelled]
    assert labelled == order
    assert {each.item_id for each in page.positions if each.sponsored} <= {
        each.item_id for each in request_.sponsored
    }
    assert [each.position for each in page.positions] == list(range(1, len(page.positions) + 1))


@given(page_requests())
def test_a_page_is_as_full_as_it_can_be(request_: PageRequest) -> None:
    page = blend(request_)
    ads = sum(each.sponsored for each in page.positions)
    left = len(request_.organic) - sum(
        each.product_id in {one.product_id for one in page.positions if one.sponsored}
        or request_.memory.showed_sponsored(each.product_id)
        for each in request_.organic
    )
    assert len(page.positions) == min(len(request_.rules.examination), left + ads)


@given(page_requests())
def test_every_ad_has_its_decision_and_differences_are_those_of_the_best_pages(request_: PageRequest) -> None:
    page = blend(request_)
    assert [each.ad_id for each in page.decisions] == [each.ad_id for each in request_.sponsored]
    at = {each.ad_id: each.position for each in page.positions if each.sponsored}
    allowed = list(pages_by_the_rules(request_))
    for ad, decision in zip(request_.sponsored, page.decisions, strict=True):
        assert decision.position == at.get(ad.ad_id)
        assert (decision.outcome is AdOutcome.PLACED) == (ad.ad_id in at)
        with_ad = [worth(each, request_.rules) for each in allowed if ad in each]
        without = max(worth(each, request_.rules) for each in allowed if ad not in each)
        if not with_ad:
            assert decision.difference_micros is None
            assert decision.outcome in (AdOutcome.RELEVANCE, AdOutcome.SHOWN_EARLIER, AdOutcome.NO_PLACE)
        else:
            assert decision.difference_micros == int((max(with_ad) - without) / 10**9)
            assert decision.outcome is (AdOutcome.PLACED if ad.ad_id in at else AdOutcome.WORTH)


@given(page_requests(), page_requests())
def test_a_second_page_shows_no_product_again_beside_its_ad(first: PageRequest, second: PageRequest) -> None:
    one = blend(first)
    two = blend_page(second.organic, second.sponsored, second.rules, one.memory)
    advertised = {each.product_id for each in one.positions if each.sponsored}
    organic = {each.product_id for each in one.positions if not each.sponsored}
    assert not advertised & {each.product_id for each in two.positions}
    assert not organic & {each.product_id for each in two.positions if each.sponsored}
