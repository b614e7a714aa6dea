"""The example of docs/ads-measurement.md prints what the page says, in both languages."""

import contextlib
import io
import re
from pathlib import Path

DOCS = Path(__file__).parents[3] / "docs"


def example(page: Path) -> str:
    found = re.search(r"```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    assert found
    return found[1]


def test_the_example_prints_what_both_pages_say() -> None:
    code, printed = example(DOCS / "ads-measurement.md"), io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "docs/ads-measurement.md", "exec"), {})
    for page in (DOCS / "ads-measurement.md", DOCS / "zh" / "ads-measurement.md"):
        assert example(page) == code
        assert f"`{printed.getvalue().strip()}`" in page.read_text("utf-8")
