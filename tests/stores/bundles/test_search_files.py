import numpy as np
import pytest

from recsys.errors import ArtifactMismatchError
from recsys.search.match_threshold import MatchThreshold, Reached
from recsys.stores.bundles.bundles import load_bundle, load_manifest, save_bundle
from recsys.stores.bundles.search_files import (
    RANKER,
    load_match_threshold,
    read_search_ranker,
    save_search_ranker,
    threshold_extra,
)
from tests.search.test_ranking import random_ranker, some_features
from tests.tiny_bundle import tiny_bundle

THRESHOLD = MatchThreshold("standard", (4.0, 3.5), (Reached(1, 30, 0.7, 0.001),), 0.001, "titles", "minilm")


def test_a_bundle_carries_the_threshold(tmp_path):
    path = save_bundle(tiny_bundle(), tmp_path, threshold_extra(THRESHOLD))
    manifest = load_bundle(path).manifest
    assert load_match_threshold(path, manifest) == THRESHOLD


def test_a_bundle_without_has_none(tmp_path):
    path = save_bundle(tiny_bundle(), tmp_path)
    manifest = load_manifest(path)
    assert load_match_threshold(path, manifest) is None


def test_a_ranker_beside_a_bundle_is_read_back(tmp_path):
    save_search_ranker(random_ranker(1), tmp_path)
    rows = some_features(5, 4)
    assert np.array_equal(read_search_ranker(tmp_path).score(rows), random_ranker(1).score(rows))
    other = some_features(7, 3)
    assert read_search_ranker(tmp_path).score(other).tolist() == random_ranker(1).score(other).tolist()
    (tmp_path / RANKER).write_text("{")
    with pytest.raises(ArtifactMismatchError, match="cannot be read"):
        read_search_ranker(tmp_path)
