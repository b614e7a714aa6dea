"""The table of bounds in docs/serving.md says what the settings and the code say."""

import re
from pathlib import Path

from recsys.json_bounds import MAX_NESTING
from recsys.service_settings import ServingSettings
from serving.connections import MAX_URL_BYTES

PAGE = (Path(__file__).parents[2] / "docs" / "serving.md").read_text("utf-8")
SECTION = PAGE.partition("### Bounds")[2].partition("\n## ")[0]


def test_every_bound_has_the_default_that_the_page_says() -> None:
    said = dict(re.findall(r"^\| `(\w+)` \| (\d+) \|", SECTION, re.MULTILINE))
    defaults = ServingSettings()
    assert {name: float(value) for name, value in said.items()} == {
        name: float(getattr(defaults, name)) for name in said
    }
    bounds = {name for name in ServingSettings.model_fields if name.startswith(("header_", "connections"))}
    assert bounds < set(said)
    assert {"body_seconds", "max_body_bytes", "max_concurrency"} < set(said)


def test_bounds_without_a_setting_are_those_of_the_code() -> None:
    assert f"| (path and query) | {MAX_URL_BYTES} bytes |" in SECTION
    assert f"| (arrays and objects within one another) | {MAX_NESTING} levels |" in SECTION
