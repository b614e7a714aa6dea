"""What is written as a settings file is read back as the same values."""

import tomllib
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from recsys.errors import ConfigError
from recsys.jobs.training.settings_file import settings_toml

TEXTS = some.text(some.characters(exclude_categories=["Cs", "Cc"]), max_size=8)
PLAIN = some.one_of(
    TEXTS, some.booleans(), some.integers(-(2**53), 2**53), some.floats(allow_nan=False, allow_infinity=False)
)
VALUES = some.one_of(PLAIN, some.lists(PLAIN, max_size=3), some.dictionaries(TEXTS, PLAIN, max_size=2))
FILES = some.dictionaries(TEXTS, some.one_of(PLAIN, some.dictionaries(TEXTS, VALUES, max_size=3)), max_size=4)


@given(FILES)
def test_any_settings_survive_the_file(values: dict[str, Any]) -> None:
    assert tomllib.loads(settings_toml(values, "A title\nof two lines.")) == values


def test_a_table_inside_of_a_section_stays_on_its_line() -> None:
    space = {"tune": {"space": {"retriever.width": {"choices": [64, 96]}, "fusion.hidden": False}}}
    line = 'space = {"retriever.width" = {choices = [64, 96]}, "fusion.hidden" = false}'
    assert settings_toml(space, "Mine.").splitlines()[-1] == line


def test_a_day_and_an_instant_survive_the_file() -> None:
    values = {"evaluation": {"test_from": date(2026, 10, 1)}, "at": datetime(2026, 10, 1, 12, tzinfo=UTC)}
    assert tomllib.loads(settings_toml(values, "")) == values


def test_what_a_file_cannot_hold_is_rejected() -> None:
    with pytest.raises(ConfigError, match="cannot hold"):
        settings_toml({"when": timedelta(1)}, "")
