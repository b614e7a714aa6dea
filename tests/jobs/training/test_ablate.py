"""Which parts can be left out, and what that changes of the settings."""

import pytest

from recsys.config import EvaluationSettings, Settings
from recsys.dataset.split import leave_one_out
from recsys.errors import ConfigError
from recsys.evaluation.baselines import PersonalFrequency, Popularity
from recsys.evaluation.compare import evaluate_scorers
from recsys.jobs.training.ablate import FUSION, WHAT, all_parts, chosen_parts, row_of, without_part
from tests.training.test_pipeline import two_tastes


def test_every_part_changes_exactly_one_section() -> None:
    whole = Settings()
    assert without_part(whole, "") == without_part(whole, FUSION) == whole
    for part in all_parts():
        if part == FUSION:
            continue
        changed = without_part(whole, part)
        section, _, name = part.partition(".")
        field = "retriever" if section == "network" else "fusion"
        assert getattr(changed, field).without == (name,)
        same = changed.model_copy(update={field: getattr(whole, field)})
        assert same == whole


def test_parts_are_chosen_by_name() -> None:
    assert chosen_parts("network.graph, fusion.words") == ("network.graph", "fusion.words")
    assert chosen_parts(None) == all_parts()


@pytest.mark.parametrize("parts", ["network.soul", "", "network"])
def test_a_part_that_is_not_there_is_rejected_with_those_that_are(parts: str) -> None:
    with pytest.raises(ConfigError, match=r"fusion\.together"):
        chosen_parts(parts)


def test_every_part_is_explained() -> None:
    assert set(WHAT) == {"", *all_parts()}


def test_what_is_left_is_set_against_the_whole_model_case_by_case() -> None:
    shop = two_tastes().interactions
    split, settings = leave_one_out(shop), EvaluationSettings(cutoffs=(10,), bootstrap_samples=50)
    own = PersonalFrequency(split.train, shop)
    whole = evaluate_scorers([Popularity(split.train), own], split, shop, settings, seen="keep")
    whole_row = row_of("", whole, whole, whole.served, settings)
    first = whole_row.to_json()
    without_fusion = row_of(FUSION, whole, whole, "popularity", settings)
    row = without_fusion.to_json()
    assert "ndcg@10 difference" not in first
    assert row["ndcg@10 difference"] == pytest.approx(row["ndcg@10"] - first["ndcg@10"])
    assert row["ndcg@10 low"] <= row["ndcg@10 difference"] <= row["ndcg@10 high"]
    cells = without_fusion.to_table()
    assert cells["NDCG@10 less the whole"].startswith(f"{row['ndcg@10 difference']:+.4f} [")
    assert list(cells) == list(whole_row.to_table())  # a table has one set of columns
