"""The memory of a training by its shapes: what each stage depends on, and which is the largest."""

from dataclasses import replace

from recsys.columns import RANKING_FEATURES
from recsys.config import Settings
from recsys.training.memory import Sizes, Stage, largest_stage, training_stages

SIZES = Sizes(
    users=1000,
    items=999,
    events=50_000,
    windows=2000,
    targets=40_000,
    steps_an_epoch=16,
    text_dimensions=384,
    parameters=100_000,
    buffers=128_000,
    cases=5000,
)


def peaks(sizes: Sizes = SIZES, process: int = 10**8, **changes: bool) -> dict[str, int]:
    wanted = {"ranker": True, "builds_features": False, "encodes_text": False} | changes
    stages = training_stages(Settings(), sizes, process, **wanted)
    return {stage.name: stage.peak_bytes for stage in stages}


def test_every_stage_begins_with_what_the_process_holds() -> None:
    more = training_stages(
        Settings(), SIZES, 10**8 + 7, ranker=True, builds_features=False, encodes_text=False
    )
    assert [stage.peak_bytes - 7 for stage in more] == list(peaks().values())


def test_only_what_will_be_done_is_counted() -> None:
    assert list(peaks()) == [
        "catalog",
        "item graph",
        "network's start",
        "network",
        "neighbours",
        "fusion",
        "ranker",
    ]
    assert "features" in peaks(builds_features=True)
    assert peaks(encodes_text=True)["network"] > peaks()["network"]


def test_candidates_are_no_more_than_there_are_cases() -> None:
    """3,600 requests are asked for: 100 cases give 100, each of 200 candidates with 25 bytes a feature."""
    few, fewer = peaks(replace(SIZES, cases=100))["ranker"], peaks(replace(SIZES, cases=50))["ranker"]
    assert few - fewer == 50 * 200 * len(RANKING_FEATURES) * 25
    assert peaks(replace(SIZES, cases=3600))["ranker"] == peaks(replace(SIZES, cases=4000))["ranker"]


def test_each_case_is_asked_with_repeats_and_without() -> None:
    """Nineteen signals of four bytes, an index of eight, a label and a mask: 86 bytes a candidate, twice.

    And a hundred actions of three numbers for each case's history.
    """
    added = peaks(replace(SIZES, cases=SIZES.cases + 1000))["fusion"] - peaks()["fusion"]
    assert added == 2 * 2 * 1000 * 150 * (19 * 4 + 8 + 2) + 1000 * 100 * 3 * 8


def test_texts_are_held_in_doubles_while_their_directions_are_found() -> None:
    large = replace(SIZES, items=99_999)
    wide = replace(large, text_dimensions=768)
    # 3 arrays of doubles, and 2.6 times the float32 vectors that the catalog left.
    added = 100_000 * 384 * (3 * 8 + 2.6 * 4)
    assert abs(peaks(wide)["network's start"] - peaks(large)["network's start"] - added) < 10


def test_the_largest_stage_is_named_with_what_to_lower() -> None:
    stages = training_stages(
        Settings(), replace(SIZES, cases=3000), 0, ranker=True, builds_features=False, encodes_text=False
    )
    found = largest_stage(stages)
    assert (found.name, found.lower) == ("ranker", "ranker.requests or ranker.candidates")
    assert largest_stage((Stage("a", 1, ""), Stage("b", 1, ""))).name == "a"
