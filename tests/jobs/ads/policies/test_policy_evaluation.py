"""A randomised experiment in a file of any kind, the policies that are asked for, and what is refused."""

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsys.errors import ConfigError, DataError, RecsysError, SchemaMismatchError
from recsys.jobs.ads.policies.policy_evaluation import (
    MOST_COMPARED,
    PolicyQuestion,
    PolicyReport,
    evaluate_experiment,
    parse_gap,
)

DOCS = Path(__file__).parents[4] / "docs"
HEADER = "banner,clicked,p,user,age,device,at"
# Of 6 rows of each device, phones like `big` (2 of 3) more than `small` (1 of 3), desktops the other way.
ROWS = [
    f"{banner},{clicked},0.5,{number // 2},{20 + number},{device},2026-01-01T{number % 24:02}:00:00Z"
    for number, (banner, clicked, device) in enumerate(
        [
            *[("big", 1, "phone"), ("small", 1, "phone"), ("big", 1, "phone")],
            *[("small", 0, "phone"), ("big", 0, "phone"), ("small", 0, "phone")],
            *[("big", 0, "desktop"), ("small", 1, "desktop"), ("big", 1, "desktop")],
            *[("small", 1, "desktop"), ("big", 0, "desktop"), ("small", 0, "desktop")],
        ]
        * 20
    )
]
Ask = Callable[..., PolicyReport]


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    """Evaluates the experiment, with other rows or other questions where they are given."""

    def evaluate(rows: list[str] = ROWS, header: str = HEADER, **changed: Any) -> PolicyReport:
        path = tmp_path / "test.csv"
        path.write_text("\n".join([header, *rows, ""]))
        given: dict[str, Any] = {"experiment": path, "arm": "banner", "outcome": "clicked", "propensity": "p"}
        return evaluate_experiment(PolicyQuestion(**given | changed))

    return evaluate


@pytest.fixture
def policy(tmp_path: Path) -> Callable[..., Path]:
    """Writes a policy's file."""

    def write(*lines: str) -> Path:
        path = tmp_path / "by_device.csv"
        path.write_text("\n".join([*lines, ""]))
        return path

    return write


def values(report: PolicyReport, estimator: str = "ips") -> dict[str, float]:
    return {each.name: each.estimates[estimator].value for each in report.comparison.policies}


def test_without_a_policy_each_arm_is_one_and_the_one_shown_most_is_the_reference(ask: Ask) -> None:
    report = ask(rows=[*ROWS, ROWS[1]])
    assert list(values(report)) == ["as logged", "always big", "always small"]
    assert {one.against for one in report.comparison.differences} == {"always small"}
    assert values(report, "snips")["always big"] == pytest.approx(60 / 120)


def test_a_policy_by_context_is_worth_what_its_arms_are_worth_there(
    ask: Ask, policy: Callable[..., Path]
) -> None:
    """Phones see `big`, of which 2 of 3 are clicked; desktops see `small`, 2 of 3 too."""
    report = ask(policy=policy("device,banner", "phone,big", "desktop,small"))
    assert values(report)["by_device"] == pytest.approx(2 / 3)
    assert {one.against for one in report.comparison.differences} == {"as logged"}
    assert values(report)["as logged"] == pytest.approx(6 / 12)


def test_a_column_can_be_feature_and_context_at_once(ask: Ask, policy: Callable[..., Path]) -> None:
    chosen = policy("device,arm,probability", "phone,big,1", "desktop,small,0.5", "desktop,big,0.5")
    report = ask(policy=chosen, features=("device", "age"), unit="user")
    assert report.comparison.log.features.shape[1] == 3
    assert report.comparison.log.units == 120
    assert values(report)["by_device"] == pytest.approx((2 / 3 + (2 / 3 + 1 / 3) / 2) / 2)


def test_a_policy_by_row_names_rows_from_1(ask: Ask, policy: Callable[..., Path]) -> None:
    """The policy shows what was shown: each weight is 1 / .5."""
    lines = [f"{number},{row.split(',')[0]}" for number, row in enumerate(ROWS, 1)]
    assert values(ask(policy=policy("row,arm", *lines)))["by_device"] == pytest.approx(2 * 6 / 12)


def test_named_arms_are_compared_with_what_was_logged_or_with_another_arm(ask: Ask) -> None:
    assert list(values(ask(always=("big",)))) == ["as logged", "always big"]
    report = ask(always=("big",), against="small")
    assert {one.against for one in report.comparison.differences} == {"always small"}
    assert list(values(report)) == ["as logged", "always big", "always small"]


def test_arms_are_compared_beside_a_policy(ask: Ask, policy: Callable[..., Path]) -> None:
    report = ask(policy=policy("device,arm", "phone,big", "desktop,small"), always=("big",), against="big")
    assert list(values(report)) == ["as logged", "by_device", "always big"]
    assert {one.against for one in report.comparison.differences} == {"always big"}


@pytest.mark.parametrize("kind", ["csv.gz", "tsv", "jsonl", "parquet"])
def test_other_kinds_of_files_are_read_alike(ask: Ask, tmp_path: Path, kind: str) -> None:
    names, cells = HEADER.split(","), [row.split(",") for row in ROWS]
    path = tmp_path / f"other.{kind}"
    if kind == "csv.gz":
        path.write_bytes(gzip.compress("\n".join([HEADER, *ROWS]).encode()))
    elif kind == "tsv":
        path.write_text("\n".join("\t".join(row) for row in [names, *cells]))
    elif kind == "jsonl":
        texts = (
            ", ".join(f'"{name}": "{cell}"' for name, cell in zip(names, row, strict=True)) for row in cells
        )
        path.write_text("\n".join(f"{{{text}}}" for text in texts))
    else:
        columns = dict(zip(names, map(list, zip(*cells, strict=True)), strict=True))
        clicked, p = ([float(cell) for cell in columns[name]] for name in ("clicked", "p"))
        pq.write_table(pa.table(columns | {"clicked": clicked, "p": p}), path)
    assert values(ask(experiment=path)) == values(ask())


def test_the_report_says_the_same_to_programs_and_to_people(ask: Ask) -> None:
    report = ask()
    found = report.to_json()
    assert (found["experiment"], found["rows"]) == ("test.csv", 240)
    assert report.headline.startswith("test.csv: 240 rows of 240 units, 2 arms; outcome model: logistic")
    assert [row["policy"] for row in report.overlap_rows] == ["always big", "always small"]
    assert len(report.rows) == 1 + 2 * 4
    assert len(report.difference_rows) == 2 * 4


def test_warnings_name_their_policy(ask: Ask) -> None:
    report = ask(rows=ROWS[:24])
    assert report.warnings[0].startswith("always big: the weights leave 12.0 effective units")


def replaced(row: int, old: str, new: str) -> list[str]:
    return [text.replace(old, new) if place == row else text for place, text in enumerate(ROWS)]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (replaced(1, ",0.5,", ",half,"), r"test\.csv, row 3: 'half' is no number, but propensity has to be"),
        (replaced(1, ",0.5,", ",0,"), r"test\.csv, row 3 has the propensity 0, yet its arm was shown"),
        (replaced(1, ",0.5,", ",50,"), r"test\.csv, row 3 has a propensity above 1"),
        (replaced(1, ",0.5,", ",,"), r"test\.csv, row 3 has no propensity\. Log the probability"),
        (replaced(1, "small,", ","), r"test\.csv, row 3 has no arm\. Name it, or leave the row out"),
        (replaced(1, "small,1,", "small,,"), r"test\.csv, row 3 has no outcome\. Write 0"),
        ([], r"test\.csv has no rows"),
        (ROWS[:1], r"1 rows of 1 units"),
    ],
)
def test_rows_that_say_nothing_are_refused_with_their_place(ask: Ask, rows: list[str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        ask(rows=rows)


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"arm": "baner"}, SchemaMismatchError, "no column 'baner' for arm.*Did you mean 'banner'"),
        ({"features": ("agee",)}, SchemaMismatchError, "no column 'agee' for feature agee"),
        ({"clip": 0.0}, ConfigError, r"clipped at --clip 0\."),
        ({"clip": float("nan")}, ConfigError, r"clipped at --clip nan\. Give one above 0"),
        ({"clip": float("inf")}, ConfigError, r"clipped at --clip inf"),
        ({"folds": 1}, ConfigError, r"--folds 1 cannot be cross-fitted"),
        ({"always": ("bigg",)}, DataError, r"never shows the arm 'bigg'.*Did you mean 'big'"),
        ({"against": "tiny"}, DataError, r"never shows the arm 'tiny'"),
        ({"experiment": Path("nowhere.csv")}, DataError, r"nowhere\.csv is not a file"),
        ({"gaps": ("2026-01-01T00:00Z/2026-01-02T00:00Z",)}, ConfigError, r"--gap needs .* --at COLUMN"),
    ],
)
def test_a_question_that_cannot_be_answered_is_refused(
    ask: Ask, changed: dict[str, Any], error: type[RecsysError], message: str
) -> None:
    with pytest.raises(error, match=message):
        ask(**changed)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["device,shown", "phone,big"], r"by_device\.csv has no column 'banner' or 'arm'"),
        (["arm", "big"], r"by_device\.csv says no row and no context"),
        (["device,arm", "phone,big"], r"by_device says nothing of test\.csv, row 8, desktop"),
        (["device,arm", "phone,big", "phone,small"], r"probabilities for phone sum to 2"),
        (["row,arm", "one,big"], r"by_device\.csv, row 2: 'one' is no number of a row\. Count from 1"),
        (["device,arm,probability", "phone,big,much"], r"by_device\.csv, row 2: 'much' is no probability"),
        (["device,arm", "phone,"], r"by_device\.csv, row 2 has no arm"),
        (["colour,arm", "red,big"], r"test\.csv has no column 'colour'"),
    ],
)
def test_a_file_that_is_no_policy_is_refused(
    ask: Ask, policy: Callable[..., Path], lines: list[str], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        ask(policy=policy(*lines))


def test_rows_across_a_gap_of_the_log_are_refused_and_rows_before_it_are_not(ask: Ask) -> None:
    gap = "2026-01-01T10:00:00Z/2026-01-01T10:05:00Z"
    with pytest.raises(DataError, match=r"has the gap .*10:00.* across it would be wrong"):
        ask(at="at", gaps=(gap,))
    before = [row for number, row in enumerate(ROWS) if number % 24 < 10]
    assert len(ask(rows=before, at="at", gaps=(gap,)).comparison.log) == 100


def test_an_instant_that_is_none_is_refused(ask: Ask) -> None:
    gap = "2027-01-01T00:00:00Z/2027-01-01T00:05:00Z"
    with pytest.raises(DataError, match=r"test\.csv, row 2: 'noon' is not an ISO 8601 instant"):
        ask(rows=replaced(0, "2026-01-01T00:00:00Z", "noon"), at="at", gaps=(gap,))


@pytest.mark.parametrize("text", ["2026-01-01T00:00Z", "now/then", "2026-01-02/2026-01-01", "a/b/c"])
def test_a_gap_is_two_instants_in_order(text: str) -> None:
    with pytest.raises(ConfigError, match="--gap"):
        parse_gap(text)


def test_so_many_arms_are_only_compared_where_they_are_named(ask: Ask) -> None:
    rows = [f"b{number},1,0.5,{number},20,phone,2026-01-01T00:00:00Z" for number in range(MOST_COMPARED + 1)]
    with pytest.raises(ConfigError, match=r"the log has 101 arms; 100 are compared at most\. Name those"):
        ask(rows=rows)
    assert list(values(ask(rows=rows, always=("b7",)))) == ["as logged", "always b7"]


@pytest.mark.parametrize("page", ["off-policy.md", "zh/off-policy.md"])
def test_the_documents_show_what_the_example_gives(page: str) -> None:
    text = (DOCS / page).read_text("utf-8")
    report = evaluate_experiment(
        PolicyQuestion(
            experiment=DOCS / "example-experiment" / "banner_test.csv",
            arm="banner",
            outcome="clicked",
            propensity="p",
            unit="user",
            features=("visitor", "device"),
            policy=DOCS / "example-experiment" / "by_visitor.csv",
        )
    )
    for row in report.rows:
        assert f"| {' | '.join(str(cell) for name, cell in row.items() if name != 'by')} |" in text
    robust = report.difference_rows[-1]
    assert f"+{robust['difference']} {robust['95% interval']}" in text
    assert not report.warnings
