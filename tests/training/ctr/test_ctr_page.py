"""The example of docs/ctr.md runs, and the Chinese page shows the same one."""

import contextlib
import io
import re
from pathlib import Path

DOCS = Path(__file__).parents[3] / "docs"


def example(page: Path) -> str:
    found = re.search(r"```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    assert found
    return found[1]


def test_the_example_runs_and_is_the_same_in_both_languages():
    code, printed = example(DOCS / "ctr.md"), io.StringIO()
    assert example(DOCS / "zh" / "ctr.md") == code
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "docs/ctr.md", "exec"), {})
    assert printed.getvalue().startswith("Interval(value=0.3")
