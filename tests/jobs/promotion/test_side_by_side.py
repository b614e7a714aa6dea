"""`recsys models compare`: what is refused before any work, and two real bundles of different catalogs."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from recsys.cli.app import app
from recsys.config import Settings, load_settings
from recsys.dataset.interactions import Vocabulary
from recsys.dataset.shop import Shop
from recsys.errors import ArtifactNotFoundError, ConfigError, DataError
from recsys.evaluation.promotion_test import in_vocabulary
from recsys.instants import DAY
from recsys.jobs.promotion.side_by_side import compare_loaded, unseen_by
from recsys.models.manifest import Manifest
from recsys.progress import silent
from recsys.stores.bundles.bundles import save_bundle
from recsys.stores.registry.registry import Registry
from recsys.training.pipeline import train_bundle
from tests.tiny_bundle import tiny_bundle
from tests.training.test_pipeline import DAYS, ITEMS, NOW, SETTINGS, job, two_tastes


def run(*arguments: str) -> None:
    CliRunner().invoke(app, ["models", "compare", *arguments], catch_exceptions=False)


@pytest.fixture
def registered(home: Path) -> None:
    settings = load_settings()
    with Registry.open(settings) as registry:
        for name in ("one", "two"):
            bundle = tiny_bundle(name)
            registry.register(bundle.manifest, save_bundle(bundle, settings.paths.bundles))


def test_one_bundle_beside_itself_is_refused(registered: None) -> None:
    with pytest.raises(DataError, match=r"'one' beside itself says nothing.*models list"):
        run("one", "one")


def test_an_unknown_bundle_is_refused(registered: None) -> None:
    with pytest.raises(ArtifactNotFoundError, match=r"no bundle 'three'.*models list"):
        run("one", "three")


@pytest.mark.parametrize(("out", "words"), [("", "is a folder"), ("no/such/page.html", "there is no folder")])
def test_a_file_that_cannot_be_written_is_refused_first(
    registered: None, tmp_path: Path, out: str, words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        run("one", "two", "--out", str(tmp_path / out))


def test_a_bundle_that_saw_every_case_is_named_with_the_remedy() -> None:
    def manifest(name: str, day: int, protocol: str) -> Manifest:
        end = datetime.fromtimestamp(0, UTC) + timedelta(days=day)
        return tiny_bundle(name).manifest.model_copy(update={"data_end": end, "protocol": protocol})

    held, all_seen = manifest("held", DAYS - 9, "time-split"), manifest("greedy", DAYS, "all")
    with pytest.raises(DataError, match=r"'greedy'.*nothing was held out.*--protocol time-split"):
        unseen_by(two_tastes(), Settings(), [held, all_seen])
    split = unseen_by(two_tastes(), Settings(), [held, manifest("other", DAYS - 20, "all")])
    assert set(split.test.at.tolist()) == {(DAYS - 9) * DAY + 1}


def without_last_item(shop: Shop) -> Shop:
    """The shop of before its last item came."""
    known = Vocabulary(shop.interactions.items.ids[:-1])
    return replace(shop, interactions=in_vocabulary(shop.interactions, known))


def test_bundles_of_different_catalogs_are_compared_on_what_both_know(tmp_path: Path) -> None:
    today = two_tastes()
    full, features = job(today, "time-split", tmp_path / "full")
    small, _ = job(without_last_item(today), "time-split", tmp_path / "small")
    bundles = [train_bundle(small, "small", NOW), train_bundle(full, "full", NOW)]
    split = unseen_by(today, SETTINGS, [bundle.manifest for bundle in bundles])
    found = compare_loaded(SETTINGS, today, split, bundles, features, True, 4, silent)

    last = ITEMS  # the index of the item that only one knows
    assert (found.catalogs.first, found.catalogs.second, found.catalogs.shared) == (
        ITEMS - 1,
        ITEMS,
        ITEMS - 1,
    )
    assert found.catalogs.targets_left_out == int((split.test.targets == last).sum()) > 0
    for ranking in found.evaluation.rankings.values():
        assert last not in ranking.items
    assert last not in found.evaluation.cases.targets
    assert found.difference("all", "ndcg@10").cases == len(found.evaluation.cases)
    assert {slates.user_id for slates in found.slates} <= set(today.interactions.users.ids)
    assert len(found.slates) == 4
    json.dumps(found.to_json())
