"""What simulated shoppers are like: every knob of the traffic, with its default."""

from pydantic import Field

from recsys.settings_section import Section


class Habits(Section):
    """Knobs of the simulation. Two runs with equal habits, catalog and start are equal.

    The truth, for shopper u, item i and position p (from 1), at some day:

        attraction(u, i) = sigmoid(-3.5 + taste_slope cos(taste_u, vector_i) + appeal_i - (gap_ui / 2)^2)
        p_click(u, i, p) = p^-position_exponent attraction(u, i)

    where gap_ui is how far the item's price is from what u likes to pay, in standard deviations of the
    logarithm of the prices of its category.
    """

    seed: int = Field(0, ge=0)
    shoppers: int = Field(1000, ge=1)
    sessions_per_day: float = Field(1.0, gt=0, description="of a shopper, on average")
    pages: float = Field(2.0, ge=1, description="slates seen in a session, on average")
    slate: int = Field(10, ge=1, le=100, description="items a page shows")
    search_share: float = Field(0.3, ge=0, le=1, description="of pages that begin with a search")
    position_exponent: float = Field(0.7, ge=0, description="position p is examined with chance p^-exponent")
    taste_slope: float = Field(5.0, ge=0, description="0 = everybody likes the same")
    interests: int = Field(3, ge=1, description="items that a taste is mixed from")
    drift: float = Field(0.05, ge=0, le=1, description="of a taste that a day changes")
    cart_share: float = Field(0.5, ge=0, le=1, description="of clicks, times the root of the attraction")
    purchase_share: float = Field(0.6, ge=0, le=1, description="of carts")
    cancel_share: float = Field(0.03, ge=0, le=1, description="of purchases")
    bot_share: float = Field(0.005, ge=0, lt=1, description="of shoppers that are machines")
    bot_views: int = Field(600, ge=1, description="of a machine's visit, ten a second")
    duplicate_share: float = Field(0.01, ge=0, le=1, description="of events that are sent twice")
    late_share: float = Field(0.01, ge=0, le=1, description="of events that come minutes to two days late")
    skewed_share: float = Field(0.02, ge=0, le=1, description="of shoppers whose clock is wrong")
    skew_seconds: float = Field(120.0, ge=0, description="standard deviation of a wrong clock")
