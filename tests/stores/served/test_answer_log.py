"""Served answers on disk: whole lines, bounded, read back, and honest about what they lack."""

import math
import random
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.funnel.served_answer import (
    RECOMMEND,
    SEARCH,
    LoggedRule,
    ServedAnswer,
    ShownItem,
    answer_line,
    answer_of_line,
    served_slate,
)
from recsys.funnel.slate import FeatureStatus, Reason, Slate, SlateItem
from recsys.stores.served.answer_files import read_answers, read_corrected_searches, read_lost_answers
from recsys.stores.served.answer_log import LostAnswers, answer_log
from recsys.stores.served.feedback_files import read_slates
from recsys.stores.served.rotating_log import FILES, Lost, RotatingLog, log_files

NOW = datetime(2024, 6, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
# A line as the version before wrote it, byte by byte.
EARLIER = (
    b'{"request_id":"r0","at":"2024-06-01T00:00:00+00:00","user_id":"ann","bundle_id":"bundle-1",'
    b'"cold_start":false,"degraded":["online_features_unavailable"],"items":[{"item_id":"apple","position":1,'
    b'"score":0.5,"p_click":0.1,"price_micros":1000000,"source":"dense"}]}\n'
)


def slate(number: int) -> Slate:
    item = SlateItem(
        1, "apple", "Apple", "fruit", 1_000_000, 0.5, 0.1, "dense", Reason("for_you", "picked", {})
    )
    status = FeatureStatus("ranking_v1", None, {})
    return Slate(f"r{number}", "ann", "bundle-1", NOW, (item,), 9, status, False, ())


def answer(number: int) -> ServedAnswer:
    return served_slate(RECOMMEND, slate(number))


SEARCHED = ServedAnswer(
    kind=SEARCH,
    request_id="r2",
    at=NOW,
    bundle_id="bundle-1",
    items=(
        ShownItem("apple", 21, 1.5, None, 990_000, "lexical", propensity=0.25),
        ShownItem("pear", 22, 1.25, None, None, "dense"),
    ),
    user_id="ann",
    session_id="s1",
    surface="search",
    query_id="r1",
    query="appel",
    rewritten_query="apple",
    rewriters=("spelling",),
    rules=(LoggedRule("pin-apple", 3),),
    rules_version=7,
    filters={"categories": ["fruit"]},
    sort="relevance",
    page=2,
    offset=20,
    total=41,
    candidates=41,
    further=(("plum", 0.123456789), ("fig", -2.0)),
    degraded=("encoder_slow",),
)


def lines(folder: Path) -> list[dict]:
    """The answers on disk."""
    return [line for line in all_lines(folder) if line["kind"] != "lost"]


def all_lines(folder: Path) -> list[dict]:
    return [
        orjson.loads(line)
        for file in sorted(folder.glob("*.jsonl"))
        for line in file.read_bytes().splitlines()
    ]


def written(
    folder: Path, count: int, max_bytes: int, share: float = 1.0, draw: float = 0.5
) -> RotatingLog[ServedAnswer]:
    log = answer_log(folder, max_bytes, share, lambda: draw)
    for number in range(count):
        log.append(answer(number))
    log.close()
    return log


def test_an_answer_is_one_line_with_ids_positions_and_scores(tmp_path: Path) -> None:
    written(tmp_path / "served", 1, 1_000_000)
    (line,) = lines(tmp_path / "served")
    assert (line["request_id"], line["user_id"], line["bundle_id"]) == ("r0", "ann", "bundle-1")
    assert (line["kind"], line["candidates"]) == ("recommend", 9)
    assert datetime.fromisoformat(line["at"]) == NOW
    assert line["items"] == [
        {
            "item_id": "apple",
            "position": 1,
            "score": 0.5,
            "p_click": 0.1,
            "price_micros": 1_000_000,
            "source": "dense",
        }
    ]


def test_a_search_is_read_back_with_all_that_was_known_of_it(tmp_path: Path) -> None:
    log = answer_log(tmp_path, 1_000_000, 1.0, lambda: 0.5)
    log.append(SEARCHED)
    log.append(answer(0))
    log.close()
    rounded = replace(SEARCHED, further=(("plum", 0.12346), ("fig", -2.0)))
    assert list(read_answers(tmp_path)) == [rounded, answer(0)]


def test_searches_for_other_words_than_were_typed_are_known_by_search_and_by_page(tmp_path: Path) -> None:
    log = answer_log(tmp_path, 1_000_000, 1.0, lambda: 0.5)
    spelled = replace(SEARCHED, request_id="page 2", query_id="first", rewriters=("units", "spelling"))
    widened = replace(SEARCHED, request_id="b", query_id="b", rewriters=("units", "synonyms"))
    for record in (spelled, widened, answer(0)):
        log.append(record)
    log.close()
    assert read_corrected_searches(tmp_path) == {"page 2", "first"}
    assert read_corrected_searches(tmp_path / "nothing served yet") == frozenset()


def test_what_was_not_said_takes_no_room() -> None:
    assert {"query", "rules", "further", "filters", "total"}.isdisjoint(answer_line(answer(0)))


def test_a_total_of_0_is_said_and_an_unknown_one_is_not() -> None:
    assert answer_line(replace(SEARCHED, total=0))["total"] == 0
    assert "total" not in answer_line(replace(SEARCHED, total=None))


def test_a_score_that_is_no_number_is_read_as_one_that_is_none() -> None:
    shown = replace(answer(0), items=(ShownItem("apple", 1, math.nan),))
    (item,) = answer_of_line(orjson.loads(orjson.dumps(answer_line(shown)))).items
    assert math.isnan(item.score)


def test_lines_of_the_version_before_are_read_by_every_reader(tmp_path: Path) -> None:
    (tmp_path / "slates-000001.jsonl").write_bytes(EARLIER)
    written(tmp_path, 2, 1_000_000)
    first, *later = read_answers(tmp_path)
    degraded = ("online_features_unavailable",)
    expected = replace(answer(0), kind=None, candidates=None, degraded=degraded)
    assert first == expected
    assert later == [answer(0), answer(1)]
    assert read_slates(tmp_path)["request_id"].tolist() == ["r0", "r0", "r1"]


def test_lines_that_are_no_answers_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "slates-000001.jsonl").write_bytes(b'[1]\n{"kind": "new"}\n{"items": 3}\nnull\n{"cut')
    assert list(read_answers(tmp_path)) == []
    assert len(read_slates(tmp_path)) == 0


def test_only_a_share_is_kept(tmp_path: Path) -> None:
    written(tmp_path / "a", 10, 1_000_000, share=0.4, draw=0.5)
    written(tmp_path / "b", 10, 1_000_000, share=0.6, draw=0.5)
    written(tmp_path / "c", 10, 0)
    assert [len(lines(tmp_path / name)) for name in "abc"] == [0, 10, 0]
    assert all_lines(tmp_path / "c") == []


def lost_in(folder: Path) -> tuple[int, int]:
    """Dropped and left out, as the log itself says."""
    found = read_lost_answers(folder, NOW - HOUR, datetime(2100, 1, 1, tzinfo=UTC))
    return found.dropped, found.left_out


def test_the_log_says_how_many_answers_the_share_left_out(tmp_path: Path) -> None:
    draws = iter([0.1, 0.9, 0.9, 0.1, 0.9])  # of five answers two are below the share
    log = answer_log(tmp_path, 1_000_000, 0.5, lambda: next(draws))
    for number in range(5):
        log.append(answer(number))
    log.close()
    assert len(lines(tmp_path)) == 2
    assert (log.left_out, lost_in(tmp_path)) == (3, (0, 3))


def test_the_log_says_what_a_disk_that_refused_cost_once_it_takes_records_again(tmp_path: Path) -> None:
    served = tmp_path / "served"
    served.write_text("a file where the folder should be")
    log = answer_log(served, 1_000_000, 1.0, lambda: 0.5)
    for number in range(3):
        log.append(answer(number))
    while log.dropped < 3:
        pass
    served.unlink()
    log.append(answer(3))
    log.close()
    assert [line["request_id"] for line in lines(served)] == ["r3"]
    assert lost_in(served) == (3, 0)


def test_an_answer_that_is_no_json_is_counted_in_the_log(tmp_path: Path) -> None:
    log = answer_log(tmp_path, 1_000_000, 1.0, lambda: 0.5)
    log.append(replace(answer(0), filters={"a": object()}))
    log.append(answer(1))
    log.close()
    assert ([line["request_id"] for line in lines(tmp_path)], lost_in(tmp_path)) == (["r1"], (1, 0))


def test_losses_are_told_by_the_time_in_which_they_fell(tmp_path: Path) -> None:
    told = [(0, 1, 2, 0), (1, 2, 0, 5), (4, 5, 7, 7)]  # from hour, to hour, dropped, left out
    (tmp_path / "slates-000001.jsonl").write_bytes(
        b"".join(
            orjson.dumps(
                {
                    "kind": "lost",
                    "since": NOW + first * HOUR,
                    "at": NOW + last * HOUR,
                    "dropped": dropped,
                    "left_out": left_out,
                }
            )
            + b"\n"
            for first, last, dropped, left_out in told
        )
    )
    found = read_lost_answers(tmp_path, NOW, NOW + 3 * HOUR)
    assert found == LostAnswers(NOW, NOW + 3 * HOUR, 2 + 0, 0 + 5)
    assert read_lost_answers(tmp_path, NOW + 3 * HOUR, NOW + 4 * HOUR).dropped == 0
    assert list(read_answers(tmp_path)) == []


@settings(deadline=None, max_examples=20)
@given(st.lists(st.booleans(), max_size=30))
def test_answers_and_losses_in_the_log_add_up_to_what_was_served(draws: list[bool]) -> None:
    kept: list[str] = []
    told: list[Lost] = []

    class Memory(RotatingLog[str]):
        def _append(self, content: bytes) -> None:
            for line in map(orjson.loads, content.splitlines()):
                if isinstance(line, dict):
                    told.append(Lost(NOW, NOW, line["dropped"], line["left_out"]))
                else:
                    kept.append(line)

    rest = iter(draws)
    folder = Path("nowhere")
    log = Memory(
        folder, "memory", str, 1, 0.5, lambda: 0.0 if next(rest) else 1.0, 10, lambda lost: vars(lost)
    )
    for number in range(len(draws)):
        log.append(str(number))
    log.close()
    dropped, left_out = (sum(getattr(each, name) for each in told) for name in ("dropped", "left_out"))
    assert (dropped, left_out) == (log.dropped, log.left_out)
    assert len(kept) + dropped + left_out == len(draws)
    assert left_out == draws.count(False)


def test_under_steady_traffic_records_do_not_wait_for_hundreds_of_others(tmp_path: Path) -> None:
    log = RotatingLog(tmp_path, "numbers", int, 1_000_000, 1.0, random.random)
    for number in range(100):
        log.append(number)
        time.sleep(0.02)
    written = b"".join(path.read_bytes() for path in log_files(tmp_path, "numbers")).split()
    log.close()
    assert len(written) >= 25  # what came in the first quarter of two seconds, and in fact nearly all
    assert written == [b"%d" % number for number in range(len(written))]


def test_a_restart_goes_on_and_the_oldest_files_go(tmp_path: Path) -> None:
    size = len(orjson.dumps(slate(0)))
    for _ in range(3 * FILES):
        written(tmp_path, 4, max_bytes=FILES * 2 * size)
    files = list(tmp_path.glob("*.jsonl"))
    assert len(files) == FILES
    assert len(lines(tmp_path)) < 3 * FILES * 4


def test_a_disk_that_refuses_costs_records_not_answers(tmp_path: Path) -> None:
    (tmp_path / "served").write_text("a file where the folder should be")
    assert written(tmp_path / "served", 3, 1_000_000).dropped == 3


@pytest.mark.parametrize("line", [b"{}", b'{"request_id": "r", "at": "never", "user_id": null, "items": []}'])
def test_what_is_no_answer_is_none(line: bytes) -> None:
    with pytest.raises((KeyError, ValueError)):
        answer_of_line(orjson.loads(line))
