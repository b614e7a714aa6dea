import pytest

from recsys.errors import ArtifactMismatchError
from recsys.search.match_threshold import MatchThreshold, Reached


def test_a_query_longer_than_all_limits_takes_the_last():
    threshold = MatchThreshold("cosine", (0.6, 0.5, 0.4))
    assert [threshold.of(words, (0.1, 0.1)) for words in (0, 1, 2, 3, 9)] == [0.6, 0.6, 0.5, 0.4, 0.4]


def test_forms_add_what_the_query_is_to_items_in_general():
    assert MatchThreshold("centred", (0.25,)).of(1, (0.5, 0.125)) == 0.5 + 0.25
    assert MatchThreshold("standard", (2.0,)).of(1, (0.5, 0.125)) == 0.5 + 2 * 0.125


def test_json_holds_all_of_it():
    threshold = MatchThreshold(
        "standard", (4.0, 3.5), (Reached(1, 30, 0.7, 0.001),), 0.001, "judged", "minilm"
    )
    assert MatchThreshold.from_json(threshold.to_json()) == threshold


@pytest.mark.parametrize(
    "change", [{"form": "euclid"}, {"limits": []}, {"limits": [float("nan")]}, {"reached": [{"words": 1}]}]
)
def test_what_is_no_threshold_is_refused(change):
    document = MatchThreshold("cosine", (0.5,)).to_json()
    with pytest.raises(ArtifactMismatchError, match="Train again"):
        MatchThreshold.from_json({**document, **change})
