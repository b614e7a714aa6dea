"""Steps of campaigns by their names."""

import numpy as np

from recsys.ads.delivery.campaign_steps import CODES, CampaignSteps
from recsys.ads.delivery.steps import Step


def named_steps(**steps: Step) -> CampaignSteps:
    """Campaign id -> step, of campaigns that nobody else has."""
    names, codes = np.array([*steps], object), [CODES[each] for each in steps.values()]
    return CampaignSteps(names, np.arange(len(names)), np.array(codes, np.int64))
