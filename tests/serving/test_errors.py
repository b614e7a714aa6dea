"""The page says of every error code which status it comes with."""

import re
from pathlib import Path

from serving.errors import ACCESS_CODES, CODES, OTHER, RESPONSES, TIMEOUT, error_codes

PAGE = Path(__file__).parents[2] / "docs" / "serving.md"


def test_the_page_lists_every_code_with_its_status() -> None:
    table = PAGE.read_text("utf-8").partition("### Errors")[2].partition("###")[0]
    listed: dict[str, set[str]] = {}
    for codes, status in re.findall(r"^\| (`[^|]*`) \| (\w+) \|", table, re.MULTILINE):
        for code in re.findall(r"`(\w+)`", codes):
            listed.setdefault(code, set()).add(status)
    expected: dict[str, set[str]] = {OTHER: {"other"}, TIMEOUT: {"503"}}
    expected |= {code: {str(status)} for code, status in ACCESS_CODES.items()}
    for status, code in [*CODES.items(), *((each.status, each.code) for each in RESPONSES.values())]:
        expected.setdefault(code, set()).add(str(status))
    assert listed == expected
    assert set(listed) == set(error_codes())
