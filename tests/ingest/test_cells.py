"""Raw cells to values: exact money, instants in zones, and marks instead of exceptions."""

from datetime import UTC, datetime
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.errors import ConfigError
from recsys.ingest.raw.cells import LIST_MARK, as_micros, as_number, as_text
from recsys.ingest.raw.ids import as_ids
from recsys.ingest.raw.time_cells import as_instant
from recsys.ingest.raw.unified import unified
from recsys.ingest.raw.vector_cells import as_vectors
from recsys.instants import to_micros


def micros(*parts: int) -> int:
    return to_micros(datetime(*parts, tzinfo=UTC))  # type: ignore[arg-type, misc]


def test_texts_are_trimmed_and_nothing_is_null() -> None:
    assert as_text(pa.array([" a ", "", "  ", None, "b"])).to_pylist() == ["a", None, None, None, "b"]


def test_ids_that_became_floats_lose_their_fraction() -> None:
    assert as_text(pa.array([12.0, None, 1.5])).to_pylist() == ["12", None, "1.5"]
    assert as_text(pa.array([12.0, 13.0])).to_pylist() == ["12", "13"]


def test_lists_become_one_cell_with_marks() -> None:
    assert as_text(pa.array([["a", "b"], None])).to_pylist() == [f"a{LIST_MARK}b", None]


def test_numbers_that_cannot_be_read_are_marked() -> None:
    parsed = as_number(pa.array(["1.5", "n/a", "", None, "1e3", "NaN", "inf"]))
    assert parsed.values.tolist() == [1.5, 0.0, 0.0, 0.0, 1000.0, 0.0, 0.0]
    assert parsed.bad.tolist() == [False, True, False, False, False, False, True]
    assert parsed.missing.tolist() == [False, False, True, True, False, True, False]


def test_signs_of_money_can_be_stripped() -> None:
    assert as_micros(pa.array(["$1,234.50", "$"]), strip="$,").values.tolist() == [1_234_500_000, 0]


@given(st.integers(-(2**31) * 100, 2**31 * 100), st.sampled_from([1, 2]))
def test_money_of_a_text_is_exact(cents: int, digits: int) -> None:
    amount = Decimal(cents).scaleb(-digits)
    parsed = as_micros(pa.array([str(amount)]))
    assert parsed.bad[0] or parsed.values[0] == int(amount * 1_000_000)
    assert not parsed.bad[0] or abs(amount) > 2_000_000_000


def test_cents_are_scaled_exactly() -> None:
    assert as_micros(pa.array(["29", "58"]), scale=0.01).values.tolist() == [290_000, 580_000]


@pytest.mark.parametrize(
    ("cell", "unit", "expected"),
    [
        ("2026-03-01T12:00:00Z", "iso", micros(2026, 3, 1, 12)),
        ("2026-03-01 12:00:00", "iso", micros(2026, 3, 1, 12)),
        ("2026-03-01T12:00:00.000001", "iso", micros(2026, 3, 1, 12) + 1),
        ("2026-03-01T13:00:00+01:00", "iso", micros(2026, 3, 1, 12)),
        ("2026-03-01 12:00:00.123456789", "iso", micros(2026, 3, 1, 12) + 123456),
        ("2026-03-01", "iso", micros(2026, 3, 1)),
        ("1000000000", "s", 10**15),
        ("1000000000.5", "s", 10**15 + 500_000),
        ("1000000000123", "ms", 1_000_000_000_123_000),
        ("7", "us", 7),
        ("7999", "ns", 7),
    ],
)
def test_instants(cell: str, unit: str, expected: int) -> None:
    parsed = as_instant(pa.array([cell]), unit)
    assert (parsed.values.tolist(), parsed.ok.tolist()) == ([expected], [True])


def test_one_bad_instant_leaves_the_others_alone() -> None:
    cells = ["2026-03-01T12:00:00Z", "yesterday", None, "2026-03-01 12:00:00"]
    parsed = as_instant(pa.array(cells), zone="Europe/Berlin")
    assert parsed.bad.tolist() == [False, True, False, False]
    assert parsed.missing.tolist() == [False, False, True, False]
    assert parsed.values[[0, 3]].tolist() == [micros(2026, 3, 1, 12), micros(2026, 3, 1, 11)]


def test_an_hour_that_comes_twice_is_the_first_and_one_that_is_skipped_ends() -> None:
    cells = pa.array(["2026-10-25 02:30:00", "2026-03-29 02:30:00"])
    parsed = as_instant(cells, zone="Europe/Berlin")
    assert parsed.values.tolist() == [micros(2026, 10, 25, 0, 30), micros(2026, 3, 29, 1)]


def test_a_format_of_ones_own() -> None:
    parsed = as_instant(pa.array(["31.01.2026 08:15", "1/2/26"]), form="%d.%m.%Y %H:%M")
    assert parsed.values[0] == micros(2026, 1, 31, 8, 15)
    assert parsed.bad.tolist() == [False, True]


def test_an_unknown_zone_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="'Mars/Olympus' is unknown"):
        as_instant(pa.array(["2026-03-01 12:00:00"]), zone="Mars/Olympus")


@given(st.integers(0, 2**40))
def test_a_count_of_milliseconds_is_exact(count: int) -> None:
    assert as_instant(pa.array([str(count), "x"]), "ms").values[0] == count * 1000
    assert as_instant(pa.array([count]), "ms").values[0] == count * 1000


def test_a_null_at_an_end_of_a_vector_blanks_it_in_json_and_parquet_alike() -> None:
    of_json = pa.array(
        [f"1{LIST_MARK}2{LIST_MARK}{LIST_MARK}", f"{LIST_MARK}1{LIST_MARK}2{LIST_MARK}", "3 4"]
    )
    of_parquet = pa.array([[1.0, 2.0, None], [None, 1.0, 2.0], [3.0, 4.0]])
    for column in (of_json, of_parquet):
        vectors, blanked = as_vectors(column)
        assert [vector is None for vector in vectors] == [True, True, False]
        assert blanked == 2


def test_a_list_of_one_element_stays_a_list_beside_a_part_of_another_type() -> None:
    for parts in ([pa.array([f"a{LIST_MARK}"]), pa.array([5])], [pa.array([["a"]]), pa.array(["5"])]):
        (listed, plain) = unified(parts)
        assert (as_ids(listed).bad.tolist(), as_ids(plain).texts.to_pylist()) == ([True], ["5"])


def test_decimal_commas_in_a_vector_do_not_double_its_width() -> None:
    vectors, blanked = as_vectors(pa.array(["0,5 0,25", "0,5;0,25", "1, 2", "1,2", "[1 2]", "1;2"]))
    assert [None if vector is None else len(vector) for vector in vectors] == [None, None, 2, 2, 2, 2]
    assert blanked == 2
