"""The way from a shop to a bundle, in a world with two kinds of people: each buys only in its own half."""

import logging
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsys import columns
from recsys.config import EvaluationSettings, RankerSettings, RetrieverSettings, Settings, load_settings
from recsys.dataset.feedback import FEEDBACK_COLUMNS, SHOWN_COLUMNS, build_feedback
from recsys.dataset.info import DatasetInfo
from recsys.dataset.interactions import EvalCases, Interactions, Vocabulary
from recsys.dataset.shop import Shop
from recsys.errors import DataError
from recsys.evaluation.scorer import Scorer
from recsys.instants import DAY
from recsys.models.manifest import NO_CLOCK
from recsys.models.ranker import Ranker, RankerShape
from recsys.stores.bundles.bundles import load_bundle, save_bundle
from recsys.training.job import TrainingJob
from recsys.training.pipeline import train_bundle
from recsys.training.requests import HeldOutUsers, join_cases, labels_of, ranking_cases, window_cases
from recsys.training.scorers import ServedScorer, bundle_scorers
from recsys.training.stages.ranker_stage import train_ranker_stage
from recsys.training.stages.ranking_set import build_ranking_set
from tests.fake_features import FakeTrainingFeatures

USERS, ITEMS, DAYS = 40, 20, 120
NOW = datetime(2024, 6, 1, tzinfo=UTC)


def two_tastes(clock: str = "time") -> Shop:
    """User u buys one item of its half every third day: even users in items 1-10, odd ones in 11-20."""
    rng = np.random.default_rng(0)
    users = Vocabulary.of(f"u{u:02}" for u in range(USERS))
    items = Vocabulary.of(f"i{i:02}" for i in range(ITEMS))
    rows = [
        (u + 1, int(rng.integers(1, 11)) + 10 * (u % 2), day * DAY + u)
        for u in range(USERS)
        for day in range(u % 3, DAYS, 3)
    ]
    user, item, at = (np.array(column, np.int64) for column in zip(*rows, strict=True))
    purchase = columns.KIND_CODES[columns.PURCHASE]
    interactions = Interactions(
        users, items, user, item, np.full(len(rows), purchase), np.ones(len(rows), np.float32), at
    )
    info = DatasetInfo(
        name="two-tastes",
        clock=clock,
        repeats=True,
        label_kinds=("purchase",),
        events=len(rows),
        users=USERS,
        items=ITEMS,
        start=NOW,
        end=NOW,
        imported_at=NOW,
        mapping_sha256="0",
    )
    return Shop(info, interactions)


SETTINGS = Settings(
    retriever=RetrieverSettings(
        width=16,
        text_width=8,
        epochs=3,
        batch_size=16,
        negatives=20,
        history_length=10,
        threads=1,
        warmup_steps=5,
    ),
    ranker=RankerSettings(candidates=12, requests=60, epochs=2, batch_size=8, hidden=8),
    evaluation=EvaluationSettings(test_days=14, validation_days=21),
)


def job(
    shop: Shop, protocol: str, run_dir: Path, texts: int = ITEMS
) -> tuple[TrainingJob, FakeTrainingFeatures]:
    """The job of a shop of which the first so many items have a text."""
    rng = np.random.default_rng(1)
    ids = shop.interactions.items.ids[1:]
    categories = {identifier: "low" if place < 10 else "high" for place, identifier in enumerate(ids)}
    vectors = {identifier: rng.normal(size=12).astype(np.float32) for identifier in ids}
    vectors |= dict.fromkeys(ids[texts:], np.zeros(12 if texts else 0, np.float32))
    features = FakeTrainingFeatures(shop.interactions, categories, vectors)
    return TrainingJob(shop, shop.split(protocol, SETTINGS.evaluation), features, SETTINGS, run_dir), features


def test_a_shop_with_a_clock_becomes_a_bundle_with_both_stages(tmp_path: Path) -> None:
    shop = two_tastes()
    work, features = job(shop, "time-split", tmp_path)
    bundle = train_bundle(work, "b1", NOW)
    assert bundle.ranker is not None
    assert bundle.item_vectors.shape == (ITEMS + 1, 16)
    assert bundle.manifest.services[columns.RANKING_SERVICE] == "hash of ranking_v1"
    assert set(features.asked) == {
        columns.CATALOG_SERVICE,
        columns.RETRIEVAL_SERVICE,
        columns.RANKING_SERVICE,
    }
    assert (tmp_path / "retriever" / "curves.json").exists()
    assert (tmp_path / "ranker" / "curves.json").exists()


def own_half(scorer: Scorer, cases: EvalCases) -> float:
    """The share of the best five that is of the user's own half."""
    scores = scorer.score(cases)
    scores[:, 0] = -np.inf
    best_five = np.argsort(-scores, axis=1)[:, :5]
    own = (best_five > 10) == (cases.user_index % 2 == 0)[:, None]  # user index = number + 1
    return float(own.mean())


def test_each_taste_is_recommended_its_own_half(tmp_path: Path) -> None:
    shop = two_tastes()
    work, features = job(shop, "time-split", tmp_path)
    bundle = train_bundle(work, "b1", NOW)
    cases = work.split.test
    for scorer in bundle_scorers(bundle, shop.interactions, cases, features, candidates=15, seen=True):
        assert own_half(scorer, cases) > 0.95, scorer.name


@pytest.mark.parametrize("texts", [0, 1, 15])
def test_a_shop_where_some_or_all_items_lack_a_text_is_learned_as_well(tmp_path: Path, texts: int) -> None:
    shop = two_tastes()
    work, features = job(shop, "time-split", tmp_path, texts)
    bundle = train_bundle(work, "b1", NOW)
    assert np.isfinite(bundle.item_vectors).all()
    assert not bundle.signal_tables.text.index[texts + 1 :].any()  # nothing is near them by text
    assert bundle.fusion.shape.text_missing is (texts == 15)
    assert bundle.retriever.shape.text_missing is (texts > 0)
    for scorer in bundle_scorers(
        bundle, shop.interactions, work.split.test, features, candidates=15, seen=True
    ):
        assert own_half(scorer, work.split.test) > 0.9, scorer.name


@pytest.mark.parametrize("loss", ["full-softmax", "bce", "gbce"])
def test_each_loss_that_a_settings_file_may_name_tells_the_tastes_apart(tmp_path: Path, loss: str) -> None:
    file = tmp_path / "recsys.toml"
    file.write_text(f'[retriever]\nloss = "{loss}"\n')
    named = load_settings({}, file).retriever.loss
    shop = two_tastes()
    work, features = job(shop, "time-split", tmp_path)
    retriever = SETTINGS.retriever.model_copy(update={"loss": named, "negatives": 8})
    work = replace(work, settings=SETTINGS.model_copy(update={"retriever": retriever}), with_ranker=False)
    bundle = train_bundle(work, "b1", NOW)
    assert bundle.manifest.settings["retriever"]["loss"] == loss
    scorers = bundle_scorers(bundle, shop.interactions, work.split.test, features, candidates=15, seen=True)
    (network,) = [scorer for scorer in scorers if scorer.name == "network alone"]
    assert own_half(network, work.split.test) > 0.95


def test_what_was_shown_is_learned_from_beside_the_cases(tmp_path: Path) -> None:
    shop = two_tastes()
    work, _ = job(shop, "time-split", tmp_path)
    bundle = train_bundle(work, "b1", NOW)
    plain = build_ranking_set(work, bundle, HeldOutUsers())
    rest = ("home", None, None)  # surface, viewable, token
    shown = [("impression", f"r{n}", f"u{n:02}", f"i{n:02}", 1, (90 + n) * DAY, *rest) for n in range(4)]
    shown += [("impression", "r0", "u00", "i09", 2, 90 * DAY, *rest)]
    shown += [("click", "r0", "u00", "i09", None, 90 * DAY + 1, *rest)]
    events = pd.DataFrame(shown, columns=list(FEEDBACK_COLUMNS))
    feedback = build_feedback(events, events.iloc[:0][list(SHOWN_COLUMNS)], shop.interactions.items)
    data = build_ranking_set(replace(work, feedback=feedback), bundle, HeldOutUsers())
    assert len(data.labels) == len(plain.labels) + 4
    np.testing.assert_array_equal(data.features[: len(plain.labels)], plain.features)
    assert data.mask[-4:].sum(1).tolist() == [2, 1, 1, 1]
    assert data.labels[-4:].sum(1).tolist() == [1, 0, 0, 0]
    score = data.features[-4, :2, columns.RANKING_FEATURES.index(columns.RETRIEVAL_SCORE)]
    assert (np.abs(score) > 0).all()


def test_training_goes_on_from_a_bundle_with_what_came_after_it(tmp_path: Path) -> None:
    shop = two_tastes()
    early = replace(shop, interactions=shop.interactions.take(shop.interactions.at < 100 * DAY))
    first, _ = job(early, "time-split", tmp_path / "first")
    parent = train_bundle(first, "b1", NOW)
    work, features = job(shop, "time-split", tmp_path / "second")
    child = train_bundle(replace(work, parent=parent), "b2", NOW)
    assert (child.manifest.parent, parent.manifest.parent) == ("b1", None)
    assert child.manifest.trained_until is not None
    assert parent.manifest.trained_until is not None
    assert child.manifest.trained_until > parent.manifest.trained_until
    assert child.manifest.settings["incremental"]["epochs"] == 2
    cases = work.split.test
    scorer = bundle_scorers(child, shop.interactions, cases, features, candidates=15, seen=True)[0]
    scores = scorer.score(cases)
    scores[:, 0] = -np.inf
    own_half = (np.argsort(-scores, axis=1)[:, :5] > 10) == (cases.user_index % 2 == 0)[:, None]
    assert own_half.mean() > 0.95
    with pytest.raises(DataError, match="nothing new"):
        train_bundle(replace(first, run_dir=tmp_path / "third", parent=parent), "b3", NOW)


def test_data_with_only_an_order_gets_no_ranker(tmp_path: Path) -> None:
    work, _ = job(two_tastes("order"), "leave-one-out", tmp_path)
    bundle = train_bundle(work, "b1", NOW)
    assert bundle.ranker is None
    assert bundle.manifest.no_ranker == NO_CLOCK


def of_few(shop: Shop, users: int = USERS, items: int = ITEMS) -> Shop:
    """The shop as it is with so many users and items: the others' actions are theirs."""
    data = shop.interactions
    user, item = (data.user_index - 1) % users + 1, (data.item_index - 1) % items + 1
    order = np.lexsort((data.at, user))
    people, catalog = (
        Vocabulary(vocabulary.ids[: size + 1])
        for vocabulary, size in ((data.users, users), (data.items, items))
    )
    rows = (column[order] for column in (user, item, data.kind, data.weight, data.at))
    return replace(shop, interactions=Interactions(people, catalog, *rows))


@pytest.mark.parametrize(
    ("protocol", "users", "items"),
    [
        ("time-split", 1, ITEMS),
        ("leave-one-out", 2, ITEMS),
        ("time-split", USERS, 1),
    ],
)
def test_a_shop_too_small_for_a_ranker_gets_a_bundle_without_one_and_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, protocol: str, users: int, items: int
) -> None:
    shop = of_few(two_tastes(), users, items)
    work, features = job(shop, protocol, tmp_path)
    with caplog.at_level(logging.WARNING, "recsys"):
        bundle = train_bundle(work, "b1", NOW)
    assert bundle.ranker is None
    assert "a ranker needs 20, of 10 users" in (bundle.manifest.no_ranker or "")
    (warning,) = [record.getMessage() for record in caplog.records if "no ranker" in record.getMessage()]
    assert f"{bundle.manifest.no_ranker}" in warning
    assert "Import more events, of more users and items," in warning
    loaded = load_bundle(save_bundle(bundle, tmp_path / "bundles"))
    assert (loaded.ranker, loaded.manifest.no_ranker) == (None, bundle.manifest.no_ranker)
    (scorer,) = [
        scorer
        for scorer in bundle_scorers(
            loaded, shop.interactions, work.split.validation, features, candidates=5, seen=True
        )
        if isinstance(scorer, ServedScorer)
    ]
    assert scorer.probabilities(work.split.validation) is None
    assert np.isfinite(scorer.score(work.split.validation)[:, 1:]).any(axis=1).all()


def test_too_few_requests_by_the_settings_are_said_to_be_that(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    work, _ = job(two_tastes(), "time-split", tmp_path)
    few = SETTINGS.ranker.model_copy(update={"requests": 10})
    work = replace(work, settings=SETTINGS.model_copy(update={"ranker": few}))
    with caplog.at_level(logging.WARNING, "recsys"):
        bundle = train_bundle(work, "b1", NOW)
        assert bundle.ranker is None
        assert "or raise ranker.requests above 10, and train again" in caplog.text
        parent = replace(bundle, ranker=Ranker(RankerShape()))
        assert train_ranker_stage(replace(work, parent=parent), bundle, HeldOutUsers())[0].ranker is None
    assert "'b1' has one. Raise incremental.validation_days and train again" in caplog.text


def test_data_with_only_an_order_is_not_cut_by_time() -> None:
    with pytest.raises(DataError, match="leave-one-out"):
        two_tastes("order").split("time-split", SETTINGS.evaluation)


def test_an_unknown_protocol_is_rejected_by_name() -> None:
    with pytest.raises(DataError, match="'sideways'"):
        two_tastes().split("sideways", SETTINGS.evaluation)


def test_a_protocol_for_production_holds_out_no_test() -> None:
    split = two_tastes().split("all", SETTINGS.evaluation)
    assert len(split.test) == 0
    assert len(split.validation) == USERS


@pytest.mark.parametrize("protocol", ["all", "leave-one-out"])
def test_only_a_time_split_can_begin_its_test_at_an_instant(protocol: str) -> None:
    settings = SETTINGS.evaluation.model_copy(update={"test_from": NOW})
    with pytest.raises(DataError, match=f"'{protocol}' has no test that begins at an instant"):
        two_tastes().split(protocol, settings)


def test_the_rankers_cases_lie_in_the_validation_period() -> None:
    shop = two_tastes()
    split = shop.split("time-split", SETTINGS.evaluation)
    cases = ranking_cases(shop.interactions, split, np.random.default_rng(0), 10_000)
    assert split.train_end is not None
    assert cases.at.min() == split.train_end
    assert cases.at.max() <= split.test.at[0] - 7 * DAY
    assert len(np.unique(cases.at)) == 3  # from the start, one and two weeks in


def test_a_window_holds_what_its_users_did_in_it_and_nothing_else() -> None:
    shop = two_tastes()
    cases = window_cases(shop.interactions, 30 * DAY, 33 * DAY)
    assert len(cases) == USERS  # every user buys once in any three days
    assert np.diff(cases.target_offsets).tolist() == [1] * USERS


def test_joined_cases_keep_their_own_targets() -> None:
    shop = two_tastes()
    first, second = (window_cases(shop.interactions, start * DAY, (start + 3) * DAY) for start in (30, 60))
    both = join_cases([first, second])
    assert both.targets_of(USERS).tolist() == second.targets_of(0).tolist()


def test_padding_is_never_a_target() -> None:
    shop = two_tastes()
    cases = window_cases(shop.interactions, 30 * DAY, 33 * DAY)
    target = int(cases.targets_of(0)[0])
    row = np.zeros((len(cases), 2), np.int64)
    row[0] = [target, 0]
    labels = labels_of(cases, row)
    assert labels[0].tolist() == [True, False]
    assert not labels[1:].any()
