"""Warnings of an import: each once, in the report and in the log."""

import logging

import pytest

from recsys.ingest.warnings import ImportWarnings


def test_a_warning_is_kept_once_in_the_order_of_its_coming() -> None:
    warnings = ImportWarnings()
    warnings.add("float_ids", "user: 3 ids")
    warnings.add("old_data", "newest: 2019")
    warnings.add("float_ids", "user: 3 ids")
    assert warnings.to_json() == [
        {"code": "float_ids", "message": "user: 3 ids"},
        {"code": "old_data", "message": "newest: 2019"},
    ]


def test_each_warning_is_one_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    warnings = ImportWarnings()
    warnings.add("float_ids", "user: 100% are floats")
    with caplog.at_level(logging.WARNING, "recsys"):
        warnings.log()
    assert [record.getMessage() for record in caplog.records] == ["user: 100% are floats"]
