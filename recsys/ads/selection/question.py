"""What ads are asked for, by which rules they are chosen, and what came out."""

from dataclasses import dataclass, field

from recsys.ads.auction.outcome import FilledSlot
from recsys.ads.auction.surface_prices import SurfacePrices
from recsys.ads.blending.memory import PageMemory
from recsys.ads.campaigns.account import Account
from recsys.ads.campaigns.campaign import Campaign, Line
from recsys.ads.delivery.campaign_steps import NO_STEPS, CampaignSteps
from recsys.ads.exploration.propensity import SlotChance
from recsys.ads.exploration.rule import ExplorationRule
from recsys.ads.exploration.warm_up import WarmUp
from recsys.ads.pacing.budget_gate import HoldRequest
from recsys.ads.selection.prediction import AdContext
from recsys.rules.expressions import Facts, NoFacts


@dataclass(frozen=True)
class AdQuestion:
    """One place for ads.

    Attributes:
        categories: names and paths of the page, and of the item that it is about.
        examination: of each slot, from the first: that of the position where its ad will stand.
        facts: what segments may ask of the user.
        memory: what earlier pages of the visit showed.
        is_ghost: whether the unit is held out: the same auction, but nothing is held and no cap is looked at.
    """

    context: AdContext
    request_id: str
    examination: tuple[float, ...]
    categories: tuple[str, ...] = ()
    facts: Facts = field(default_factory=NoFacts)
    memory: PageMemory = PageMemory()
    is_ghost: bool = False


@dataclass(frozen=True)
class SelectionRules:
    """What a shop sets for all of its ads; see `Placement`.

    Attributes:
        prices: rule and reserves, by surface.
        least_relevance: ads below it stay away.
        quality_exponent: an ad's quality is its relevance x attraction to this power: above 0, what is
            clicked more goes before what pays more.
        exploration, warm_up: how ads are explored that little is known of, and which of them how far.
    """

    prices: SurfacePrices = field(default_factory=SurfacePrices)
    most_per_account: int | None = None
    most_reruns: int = 16
    least_relevance: float = 0.0
    quality_exponent: float = 0.0
    exploration: ExplorationRule = field(default_factory=ExplorationRule)
    warm_up: WarmUp = field(default_factory=WarmUp)


@dataclass(frozen=True)
class SelectedSlot:
    """An ad that won a slot.

    Attributes:
        slot_id: unique; of its hold, token and log.
        filled: what the auction says of it; ads in it are keys, see `Inventory.ad_key`.
        product: `stable_key` of its product.
        chance: what exploration had to do with it.
        hold: None where nothing is held.
        why: who won, at which price, why, who came next, and what exploration did, in a sentence.
    """

    slot_id: str
    filled: FilledSlot
    account: Account
    campaign: Campaign
    line: Line
    item_id: str
    product: int
    attraction: float
    p_purchase: float
    relevance: float
    examination: float
    chance: SlotChance
    next_item_id: str | None
    hold: HoldRequest | None
    why: str

    @property
    def held_micros(self) -> int:
        """What its budgets hold for it."""
        return 0 if self.hold is None else self.hold.cost_micros


@dataclass(frozen=True)
class Selection:
    """What became of one question.

    Attributes:
        slots: from the first; fewer than were asked for where too few ads could fill them.
        steps: where each campaign left, of those that match.
        holds: of `slots`. rebuilding: whether an ad left because its account's gate has to be rebuilt.
    """

    slots: tuple[SelectedSlot, ...]
    steps: CampaignSteps
    rebuilding: bool = False

    @property
    def holds(self) -> list[HoldRequest]:
        """What is held."""
        return [slot.hold for slot in self.slots if slot.hold is not None]


NOTHING = Selection((), NO_STEPS)
