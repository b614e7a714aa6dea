"""One page out of organic items and the winners of an auction, and the answer with ads alone."""

from recsys.ads.blending.items import OrganicItem, SponsoredItem, organic_value, sponsored_value
from recsys.ads.blending.memory import PageMemory
from recsys.ads.blending.page import BlendedPage, blend_page
from recsys.ads.blending.rules import PageRules
from recsys.ads.selection.prediction import AdContext, ClickPredictor
from recsys.ads.selection.question import SelectedSlot
from recsys.pages.ad_server import Choice
from recsys.pages.answer import AdsAnswer, PageAnswer, PageItem, SlotExplanation, SponsoredAd
from recsys.pages.organic import Organic
from recsys.pages.shop_items import ShopItem


def blend(
    organic: Organic,
    slots: tuple[SelectedSlot, ...],
    shown: dict[str, ShopItem],
    positions: tuple[int, ...],
    rules: PageRules,
    memory: PageMemory,
    predictor: ClickPredictor,
    context: AdContext,
    click_worth_micros: int,
) -> BlendedPage:
    """The page that is worth most, each ad at the position that it was auctioned for or nowhere.

    Organic items are valued by the same predictor as ads, so that they are compared in one currency.

    Args:
        slots: won; `shown` has their items, and an ad whose item is not in it is left out.
        positions: of the slots, from the first.
    """
    items = organic.items
    attraction = predictor.estimate(context, [item.item_id for item in items]).attraction.tolist()
    ranked = [
        OrganicItem(item.item_id, item.product_id, organic_value(value, click_worth_micros), item.categories)
        for item, value in zip(items, attraction, strict=True)
    ]
    ads = [
        SponsoredItem(
            ad_id=slot.slot_id,
            item_id=slot.item_id,
            product_id=shown[slot.item_id].product_id,
            value_micros=sponsored_value(
                slot.filled.pricing,
                slot.filled.price_micros,
                slot.attraction,
                slot.p_purchase,
                click_worth_micros,
            ),
            relevance=slot.relevance,
            never_beside=frozenset(slot.campaign.never_beside),
            position=positions[slot.filled.position - 1],
        )
        for slot in slots
        if slot.item_id in shown
    ]
    return blend_page(ranked, ads, rules, memory)


def placed_slots(page: BlendedPage) -> dict[str, int | None]:
    """Slot id -> position, of the ads that are on the page."""
    return {each.ad_id: each.position for each in page.positions if each.ad_id is not None}


def page_answer(
    organic: Organic,
    page: BlendedPage,
    shown: dict[str, ShopItem],
    tokens: dict[str, str],
    context: AdContext,
    page_token: str,
) -> PageAnswer:
    """The page as it is sent.

    Args:
        shown: the items of ads. tokens: of the slots that are on the page.
    """
    known = {**{item.item_id: item for item in organic.items}, **shown}
    prices = {item.item_id: item.price_micros for item in organic.answer.items}
    items = []
    for each in page.positions:
        item = known[each.item_id]
        items.append(
            PageItem(
                position=each.position,
                item_id=item.item_id,
                title=item.title,
                category=item.category,
                brand=item.brand,
                price_micros=prices.get(item.item_id, item.price_micros),
                sponsored=each.sponsored,
                token=None if each.ad_id is None else tokens[each.ad_id],
            )
        )
    return PageAnswer(
        request_id=organic.answer.request_id,
        surface=context.surface,
        user_id=context.user_id,
        bundle_id=organic.answer.bundle_id,
        at=context.now,
        items=tuple(items),
        total=organic.total,
        page_token=page_token,
        degraded=organic.degraded,
    )


def ads_answer(
    choice: Choice,
    shown: dict[str, ShopItem],
    tokens: dict[str, str],
    page_token: str,
    explain: bool = False,
) -> AdsAnswer:
    """Ads alone, as they are sent; those that have a token."""
    context = choice.question.context
    ads = tuple(
        _sponsored_ad(slot, shown[slot.item_id], tokens[slot.slot_id], explain)
        for slot in choice.selection.slots
        if slot.slot_id in tokens
    )
    return AdsAnswer(
        choice.question.request_id, context.surface, context.now, ads, page_token, choice.degraded
    )


def memory_of_ads(memory: PageMemory, choice: Choice, shown: dict[str, ShopItem]) -> PageMemory:
    """`memory` with the ads of an answer that has nothing else."""
    return memory.after(
        (shown[slot.item_id].product_id, True)
        for slot in choice.selection.slots
        if slot.item_id in shown and not choice.is_ghost
    )


def _sponsored_ad(slot: SelectedSlot, item: ShopItem, token: str, explain: bool) -> SponsoredAd:
    return SponsoredAd(
        slot=slot.filled.position,
        item_id=item.item_id,
        title=item.title,
        category=item.category,
        brand=item.brand,
        price_micros=item.price_micros,
        sponsored=True,
        token=token,
        explanation=_explanation(slot) if explain else None,
    )


def _explanation(slot: SelectedSlot) -> SlotExplanation:
    return SlotExplanation(
        account_id=slot.account.account_id,
        campaign_id=slot.campaign.campaign_id,
        line_id=slot.line.line_id,
        pricing=slot.campaign.pricing,
        bid_micros=slot.filled.bid_micros,
        price_micros=slot.filled.price_micros,
        held_micros=slot.held_micros,
        p_click=slot.attraction * slot.examination,
        score=slot.filled.score,
        next_item_id=slot.next_item_id,
        text=slot.why,
    )
