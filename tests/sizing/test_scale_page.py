"""docs/scale.md, in both languages: its table is what growth.json has."""

import json
import re
from pathlib import Path

import pytest

from recsys.sizing import measured
from recsys.sizing.growth_curve import growth_curve
from recsys.sizing.measured import DRIVERS

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "docs" / "scale.md", ROOT / "docs" / "zh" / "scale.md"]
DOCUMENT = json.loads((Path(measured.__file__).parent / "growth.json").read_text("utf-8"))


def expected_row(stage: str) -> str:
    """CPU seconds at each size, - where not measured; exponent; MB of memory and disk of the largest."""
    costs = DOCUMENT["stages"][stage]
    known = [place for place, seconds in enumerate(costs["cpu_seconds"]) if seconds is not None]
    sizes = [DOCUMENT["shops"][place][DRIVERS[stage][0]] for place in known]
    exponent = growth_curve(sizes, [costs["cpu_seconds"][place] for place in known]).exponent
    cells = [
        *("-" if each is None else f"{each:,.0f}" for each in costs["cpu_seconds"]),
        f"{exponent:.2f}",
        f"{costs['memory_mb'][known[-1]]:,.0f}",
        f"{max(costs['disk_mb'][known[-1]], 0.0):,.0f}",
    ]
    return " | ".join(cells)


@pytest.mark.parametrize("page", PAGES, ids=["en", "zh"])
@pytest.mark.parametrize("stage", [each for each in DRIVERS if each != "online store"])
def test_the_table_has_what_was_measured(page: Path, stage: str) -> None:
    [row] = re.findall(rf"^\| `{stage}` \| (.*) \|$", page.read_text("utf-8"), re.MULTILINE)
    assert row == expected_row(stage)
