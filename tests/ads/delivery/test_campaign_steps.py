"""Steps as arrays read as a mapping, and who is not shown did not win."""

from hypothesis import given
from hypothesis import strategies as st

from recsys.ads.delivery.steps import Step
from tests.ads.delivery.named_steps import named_steps

NAMES = st.sampled_from(["cmp_1", "cmp_2", "cmp_3", "cmp_4"])


@given(st.dictionaries(NAMES, st.sampled_from(Step)), st.sets(NAMES))
def test_they_are_a_mapping_and_winners_that_are_not_shown_left_at_the_page(
    steps: dict[str, Step], shown: set[str]
) -> None:
    found = named_steps(**steps)
    assert found == steps
    assert found.with_page(shown) == {
        name: Step.PAGE if step is Step.WON and name not in shown else step for name, step in steps.items()
    }
    assert found == steps, "what was is not touched"
