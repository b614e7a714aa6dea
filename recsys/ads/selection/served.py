"""A won slot as it is logged, and as its token says it."""

from recsys.ads.delivery.served_slot import ServedSlot, SlotArm
from recsys.ads.selection.question import AdQuestion, SelectedSlot
from recsys.ads.tokens.impression_token import SponsoredImpression


def served_slot(
    slot: SelectedSlot, question: AdQuestion, model: str, arm: SlotArm | None, position: int | None = None
) -> ServedSlot:
    """The record of `slot`.

    Args:
        model: the predictor's version.
        position: on the page, from 1; None where the client places the ads, or nothing was shown.
    """
    context = question.context
    return ServedSlot(
        slot_id=slot.slot_id,
        request_id=question.request_id,
        served_at=context.now,
        unit=context.unit,
        surface=context.surface,
        slot=slot.filled.position,
        position=position,
        item_id=slot.item_id,
        account_id=slot.account.account_id,
        campaign_id=slot.campaign.campaign_id,
        line_id=slot.line.line_id,
        pricing=slot.campaign.pricing,
        bid_micros=slot.filled.bid_micros,
        price_micros=slot.filled.price_micros,
        held_micros=slot.held_micros,
        attraction=slot.attraction,
        examination=slot.examination,
        p_purchase=slot.p_purchase,
        propensity=slot.chance.propensity,
        model=model,
        next_item_id=slot.next_item_id,
        user_id=context.user_id,
        session_id=context.session_id,
        query=context.query,
        category=context.category,
        about_item_id=context.item_id,
        arm=arm,
    )


def impression_of(slot: SelectedSlot, question: AdQuestion) -> SponsoredImpression:
    """What the token of `slot` says."""
    return SponsoredImpression(
        slot_id=slot.slot_id,
        ad=slot.item_id,
        account=slot.account.account_id,
        campaign=slot.campaign.campaign_id,
        line=slot.line.line_id,
        slot=slot.filled.position,
        price_micros=slot.filled.price_micros,
        pricing=slot.filled.pricing,
        p=slot.attraction * slot.examination,
        served_at=question.context.now,
        surface=question.context.surface,
        request_id=question.request_id,
        unit=question.context.unit,
    )
