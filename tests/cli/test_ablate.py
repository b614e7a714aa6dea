"""Which parts can be left out, and what that changes of the settings."""

import pytest

from recsys.cli.ablate import all_parts, chosen_parts, without
from recsys.config import Settings
from recsys.errors import ConfigError


def test_every_part_changes_exactly_one_section() -> None:
    whole = Settings()
    assert without(whole, "") == whole
    for part in all_parts():
        changed = without(whole, part)
        section, _, name = part.partition(".")
        field = "retriever" if section == "network" else "fusion"
        assert getattr(changed, field).without == (name,)
        same = changed.model_copy(update={field: getattr(whole, field)})
        assert same == whole


def test_parts_are_chosen_by_name() -> None:
    assert chosen_parts("network.graph, fusion.words") == ("network.graph", "fusion.words")
    assert chosen_parts(None) == all_parts()


@pytest.mark.parametrize("parts", ["network.soul", "", "fusion"])
def test_a_part_that_is_not_there_is_refused_with_those_that_are(parts: str) -> None:
    with pytest.raises(ConfigError, match=r"fusion\.together"):
        chosen_parts(parts)
