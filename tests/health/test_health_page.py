"""The table of problems in the docs is the one of the code, and so are the settings and the alerts."""

import re
from pathlib import Path

from recsys.health.problems import PROBLEM_KINDS
from recsys.jobs.monitoring.alerts import alerts
from recsys.service_settings import HealthSettings

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_has_each_problem_with_its_meaning_and_remedy_in_the_words_of_the_code() -> None:
    section = (DOCS / "operations.md").read_text("utf-8").partition("## Health\n")[2].partition("\n## ")[0]
    table = section.partition("From when on")[0]
    rows = re.findall(r"^\| `(\w+)`( \*)? \| (.+) \| (.+) \|$", table, re.MULTILINE)
    told = [(code, bool(star), meaning, remedy) for code, star, meaning, remedy in rows]
    assert told == [(kind.code, kind.degrades, kind.meaning, kind.remedy) for kind in PROBLEM_KINDS]


def test_the_page_has_each_bound_with_its_default() -> None:
    page = (DOCS / "operations.md").read_text("utf-8")
    for name in HealthSettings.model_fields:
        assert f"`{name}`" in page or f"`health.{name}`" in page, name


def test_the_page_of_monitoring_has_each_alert_that_is_not_a_problem_s() -> None:
    page = (DOCS / "monitoring.md").read_text("utf-8")
    told = set(re.findall(r"^\| `(Recsys\w+)` \|", page, re.MULTILINE))
    problems = {"Recsys" + "".join(map(str.capitalize, kind.code.split("_"))) for kind in PROBLEM_KINDS}
    assert told == {alert.name for alert in alerts(HealthSettings())} - problems


def test_codes_meanings_and_remedies_are_there_once_each() -> None:
    for values in zip(*((kind.code, kind.meaning) for kind in PROBLEM_KINDS), strict=True):
        assert len(set(values)) == len(values)
    assert all(kind.meaning.endswith(".") and kind.remedy.endswith(".") for kind in PROBLEM_KINDS)
