"""At which step each campaign left one request: arrays that read as a mapping."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from recsys.ads.delivery.steps import Step
from recsys.arrays import IntArray

STEPS = tuple(Step)
CODES = {step: code for code, step in enumerate(STEPS)}
STEP_OF_CODE = np.array(STEPS, object)


@dataclass(frozen=True, eq=False)
class CampaignSteps(Mapping[str, Step]):
    """Campaign id -> the step at which it left, of the K campaigns that a request met.

    A request meets a thousand campaigns and hardly anybody asks for their names, so they are looked up then.

    Attributes:
        campaign_ids: (C,) all campaigns; the same object in all requests while campaigns stay as they are.
        numbers: (K,) into these, each once. codes: (K,) into STEPS.
    """

    campaign_ids: npt.NDArray[np.object_]
    numbers: IntArray
    codes: IntArray

    def with_page(self, shown: Collection[str]) -> "CampaignSteps":
        """The same, where those that won and are not among `shown` left at PAGE."""
        won = np.flatnonzero(self.codes == CODES[Step.WON])
        names = self.campaign_ids[self.numbers[won]].tolist()
        away = [place for place, name in zip(won.tolist(), names, strict=True) if name not in shown]
        if not away:
            return self
        codes = self.codes.copy()
        codes[away] = CODES[Step.PAGE]
        return replace(self, codes=codes)

    def __getitem__(self, campaign_id: str) -> Step:
        return self._by_name[campaign_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self.numbers)

    @cached_property
    def _by_name(self) -> dict[str, Step]:
        names = self.campaign_ids[self.numbers].tolist()
        return dict(zip(names, STEP_OF_CODE[self.codes].tolist(), strict=True))


NO_STEPS = CampaignSteps(np.zeros(0, object), np.zeros(0, np.int64), np.zeros(0, np.int64))
