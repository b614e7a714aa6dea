"""Chooses ads, and keeps what is shown: logged before the answer leaves, counted, the rest given back."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from recsys.ads.delivery.ad_log import AdLog
from recsys.ads.delivery.counts import DeliveryCounter
from recsys.ads.delivery.served_slot import SlotArm
from recsys.ads.exploration.counts import ExplorationCounts
from recsys.ads.pacing.budget_gate import BudgetGate, HoldRequest
from recsys.ads.selection.holds import Holds, release_all
from recsys.ads.selection.prediction import AdContext, ClickPredictor
from recsys.ads.selection.question import NOTHING, AdQuestion, SelectedSlot, Selection, SelectionRules
from recsys.ads.selection.refusals import RecentRefusals
from recsys.ads.selection.selection import select_ads
from recsys.ads.selection.served import impression_of, served_slot
from recsys.ads.selection.standing import Standing
from recsys.ads.tokens.impression_token import ImpressionTokens
from recsys.errors import StoreUnavailableError
from recsys.experiments.experiment import Arm, Experiment
from recsys.pages.answer import ADS_BLIND, ADS_REBUILDING, ADS_UNAVAILABLE, ADS_UNCHARGED

log = logging.getLogger(__name__)

RETRY_SECONDS = 1.0  # after the gate did not answer no request waits for it that long


@dataclass(frozen=True, eq=False)
class AdsNow:
    """What is known of ads at one moment, replaced as a whole.

    Attributes:
        standing: None where there is no campaign that could be shown.
        holdout: the experiment that ads are held out by; None = there is none.
        is_blind: whether the database is away for too long for budgets to be believed.
        is_unkept: whether no charge worker has kept the budgets for longer than they hold what ads cost.
    """

    predictor: ClickPredictor
    standing: Standing | None = None
    holdout: Experiment | None = None
    is_blind: bool = False
    is_unkept: bool = False


@dataclass(frozen=True)
class Choice:
    """Ads that were chosen for one request, and held; nothing is shown yet.

    Attributes:
        model: the predictor's version. arm: of the hold-out; None = it does not run, or nobody is known.
        degraded: what was not as it should be.
    """

    question: AdQuestion
    selection: Selection
    model: str
    arm: SlotArm | None = None
    degraded: tuple[str, ...] = ()

    @property
    def is_ghost(self) -> bool:
        """Whether nothing of it is to be shown."""
        return self.arm == "holdout"


class AdServer:
    """Ads of one process; any thread may use it.

    Args:
        now: what is known now. log: None = ads are not served, as what is served could not be kept.
        new_id: makes ids of slots. clock: monotonic seconds.
        on_explored: told the surface, and how many slots of an answer were explored, if any.
    """

    def __init__(
        self,
        now: Callable[[], AdsNow],
        gate: BudgetGate,
        ad_log: AdLog | None,
        counter: DeliveryCounter,
        rules: SelectionRules,
        tokens: ImpressionTokens,
        new_id: Callable[[], str],
        clock: Callable[[], float],
        on_explored: Callable[[str, int], None] = lambda surface, slots: None,
    ) -> None:
        self._now = now
        self._gate = gate
        self._log = ad_log
        self._counter = counter
        self._rules = rules
        self._tokens = tokens
        self._new_id = new_id
        self._clock = clock
        self._on_explored = on_explored
        self._explored = ExplorationCounts()
        self._refusals = RecentRefusals()
        self._away_until = float("-inf")

    @property
    def predictor(self) -> ClickPredictor:
        """What values items now."""
        return self._now().predictor

    @property
    def has_ads(self) -> bool:
        """Whether there is any campaign that could be shown."""
        return self._now().standing is not None

    def choose(self, question: AdQuestion) -> Choice:
        """The winners of `question` with their money held; `keep` or `drop` them.

        Never raises for a store that is away: then there are no ads, and `degraded` says why.
        """
        now = self._now()
        choice = Choice(question, NOTHING, now.predictor.version)
        if now.standing is None or not question.examination:
            return choice
        if now.is_blind:
            return replace(choice, degraded=(ADS_BLIND,))
        if now.is_unkept:
            return replace(choice, degraded=(ADS_UNCHARGED,))
        if self._log is None or self._clock() < self._away_until:
            return replace(choice, degraded=(ADS_UNAVAILABLE,))
        arm = _arm(now.holdout, question.context)
        question = replace(question, is_ghost=arm == "holdout")
        holds = Holds(self._gate, self._refusals, self._new_id, self._clock())
        try:
            selection = select_ads(now.standing, question, self._rules, now.predictor, holds, self._explored)
        except StoreUnavailableError as error:
            self._note_away(error)
            return replace(choice, question=question, arm=arm, degraded=(ADS_UNAVAILABLE,))
        degraded = (ADS_REBUILDING,) if selection.rebuilding else ()
        return Choice(question, selection, now.predictor.version, arm, degraded)

    def keep(self, choice: Choice, placed: Mapping[str, int | None]) -> dict[str, str]:
        """Logs the slots of `choice` that have a place, counts the request, and gives the others back.

        Args:
            placed: slot id -> position on the page; None where the client places the ads.

        Returns:
            The token of each slot that is shown; of ghosts none.

        Raises:
            StoreUnavailableError: what would be shown could not be kept: nothing of it may be shown, and all
                of it is given back.
        """
        slots = [slot for slot in choice.selection.slots if slot.slot_id in placed]
        try:
            tokens = {} if choice.is_ghost else {slot.slot_id: self._token(slot, choice) for slot in slots}
            self._append(choice, slots, placed)
        except BaseException:
            self.drop(choice)
            raise
        self._release([slot.hold for slot in choice.selection.slots if slot.hold and slot not in slots])
        self._count(choice, {slot.campaign.campaign_id for slot in slots})
        self._note_explored(choice, slots)
        return tokens

    def drop(self, choice: Choice) -> None:
        """Gives back all that is held for `choice`: nothing of it is shown. The request counts."""
        self.give_back(choice)
        self._count(choice, set())

    def give_back(self, choice: Choice) -> None:
        """Gives back all that is held for `choice`, which was counted already."""
        self._release(choice.selection.holds)

    def _append(self, choice: Choice, slots: list[SelectedSlot], placed: Mapping[str, int | None]) -> None:
        if not slots or self._log is None:
            return
        self._log.append(
            [
                served_slot(
                    slot,
                    choice.question,
                    choice.model,
                    choice.arm,
                    None if choice.is_ghost else placed[slot.slot_id],
                )
                for slot in slots
            ]
        )

    def _token(self, slot: SelectedSlot, choice: Choice) -> str:
        return self._tokens.encode(impression_of(slot, choice.question))

    def _count(self, choice: Choice, shown: set[str]) -> None:
        steps = choice.selection.steps.with_page(shown)
        context = choice.question.context
        self._counter.count(context.now, context.surface, steps, choice.is_ghost)

    def _note_explored(self, choice: Choice, slots: list[SelectedSlot]) -> None:
        """Counts what was shown against the budget of exploration; ghosts were not."""
        if choice.is_ghost:
            return
        context = choice.question.context
        self._explored.note(
            context.now, [(each.campaign.campaign_id, each.chance.explored) for each in slots]
        )
        explored = sum(each.chance.explored for each in slots)
        if explored:
            self._on_explored(context.surface, explored)

    def _release(self, holds: list[HoldRequest]) -> None:
        try:
            release_all(self._gate, holds)
        except StoreUnavailableError as error:  # they end by themselves
            self._note_away(error)

    def _note_away(self, error: StoreUnavailableError) -> None:
        if self._clock() >= self._away_until:
            log.warning("ads stop for %.0f s: %s", RETRY_SECONDS, error)
        self._away_until = self._clock() + RETRY_SECONDS


def _arm(experiment: Experiment | None, context: AdContext) -> SlotArm | None:
    if experiment is None or (context.user_id is None and context.session_id is None):
        return None
    arm = experiment.arm(context.unit, context.now)
    return None if arm is None else "holdout" if arm is Arm.HOLDOUT else "treatment"
