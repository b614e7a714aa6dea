"""Fusion, ranker and orders are learned over a network without validation; the one that is served has it."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recsys import columns
from recsys.dataset.interactions import Interactions
from recsys.dataset.shop import Shop
from recsys.dataset.split import TEST, TRAIN, VALIDATION, known_before_test, leave_one_out_parts
from recsys.instants import DAY, from_micros
from recsys.models.bundle import Bundle
from recsys.models.orders import NO_HISTORY, REPEATS_KEPT, REPEATS_REMOVED, SIMILAR
from recsys.retrieval.popularity import popularity_at_end
from recsys.training.job import TrainingJob
from recsys.training.pipeline import EARLY, REFITTED, train_bundle
from recsys.training.requests import CHOOSING_SHARE, HELD_OUT_SHARE, HeldOutUsers, RankingData
from recsys.training.stages import fusion_stage, order_stage, ranker_stage, validation_cases
from recsys.training.stages.fusion_stage import SignalRequests
from recsys.training.stages.validation_cases import read_validation_cases, with_some_users_asked
from tests.training.test_pipeline import ITEMS, NOW, USERS, job, two_tastes


def quick(shop: Shop, protocol: str, run_dir: Path) -> TrainingJob:
    """A job of few epochs whose ranker is asked all that fusion is."""
    work, _ = job(shop, protocol, run_dir)
    settings = work.settings
    sections = {
        "retriever": settings.retriever.model_copy(update={"epochs": 1}),
        "fusion": settings.fusion.model_copy(update={"epochs": 1, "cold_weight": 0.0}),
        "ranker": settings.ranker.model_copy(update={"epochs": 1, "requests": 1000}),
    }
    return replace(work, settings=settings.model_copy(update=sections))


def counts(log: Interactions) -> list[float]:
    return np.bincount(log.item_index, minlength=len(log.items)).astype(float).tolist()


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> tuple[TrainingJob, Bundle, Bundle]:
    """The job of a time split, its bundle, and what it is without being fitted again."""
    work, _ = job(two_tastes(), "time-split", tmp_path_factory.mktemp("refitted"))
    early, _ = job(two_tastes(), "time-split", tmp_path_factory.mktemp("early"))
    return work, train_bundle(work, "b1", NOW), train_bundle(replace(early, refit=False), "b1", NOW)


def test_what_is_served_counts_training_and_validation_and_nothing_of_the_test(
    bundles: tuple[TrainingJob, Bundle, Bundle],
) -> None:
    work, bundle, early = bundles
    log, split = work.shop.interactions, work.split
    assert split.test_start is not None
    before_test = log.take(log.at < split.test_start)
    assert len(split.train) < len(before_test) < len(log)
    assert bundle.signal_tables.item_events.tolist() == counts(before_test)
    assert early.signal_tables.item_events.tolist() == counts(split.train)
    for each, log_of in ((bundle, before_test), (early, split.train)):
        assert each.manifest.trained_until == from_micros(int(log_of.at.max()))
    for each in (bundle, early):  # popularity is no parameter: it is that of the test's start in both
        assert each.popularity.tolist() == popularity_at_end(before_test).tolist()


def test_the_network_goes_on_for_the_incremental_epochs_unless_refit_is_off(
    bundles: tuple[TrainingJob, Bundle, Bundle],
) -> None:
    work, bundle, early = bundles
    assert (work.run_dir / EARLY / "curves.json").exists()
    text = (work.run_dir / REFITTED / "curves.json").read_text()
    assert text.count('"number"') == work.settings.incremental.epochs == 2
    assert not np.allclose(bundle.item_vectors, early.item_vectors)
    for name, tensor in bundle.fusion.state_dict().items():
        assert np.array_equal(tensor.numpy(), early.fusion.state_dict()[name].numpy()), name
    assert bundle.fusion.shape == early.fusion.shape
    assert repr(bundle.manifest.orders) == repr(early.manifest.orders)
    assert bundle.manifest.metrics == early.manifest.metrics


def test_without_refit_no_second_network_is_trained(tmp_path: Path) -> None:
    work, _ = job(two_tastes(), "time-split", tmp_path)
    train_bundle(replace(work, refit=False, with_ranker=False), "b1", NOW)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fusion", EARLY]


def with_late_item(shop: Shop) -> Shop:
    """Every user of the lower half also buys the last item on every day of the validation period."""
    log = shop.interactions
    split = shop.split("time-split", job(shop, "time-split", Path())[0].settings.evaluation)
    assert split.train_end is not None
    assert split.test_start is not None
    keep = (log.item_index != ITEMS) | (log.at >= split.test_start)
    users = np.arange(1, USERS + 1, 2)
    days = range(split.train_end // DAY + 1, split.test_start // DAY)
    rows = np.array([(user, ITEMS, day * DAY + user) for user in users for day in days])
    columns_of = {
        "user_index": np.append(log.user_index[keep], rows[:, 0]),
        "item_index": np.append(log.item_index[keep], rows[:, 1]),
        "at": np.append(log.at[keep], rows[:, 2]),
    }
    order = np.lexsort((columns_of["at"], columns_of["user_index"]))
    columns_of = {name: values[order] for name, values in columns_of.items()}
    kind = np.full(len(order), columns.KIND_CODES[columns.PURCHASE])
    ones = np.ones(len(order), np.float32)
    return replace(
        shop, interactions=Interactions(log.users, log.items, kind=kind, weight=ones, **columns_of)
    )


def test_the_served_network_has_learned_from_the_validation_period(tmp_path: Path) -> None:
    """An item that nobody of training took and half of the users take in validation."""
    shop = with_late_item(two_tastes())
    events, nearness = [], []
    for refit in (True, False):
        work, _ = job(shop, "time-split", tmp_path / str(refit))
        bundle = train_bundle(replace(work, refit=refit, with_ranker=False), "b1", NOW)
        assert not (work.split.train.item_index == ITEMS).any()
        asked = read_validation_cases(work, np.random.default_rng(0), 10_000)
        buyers = asked.take(np.flatnonzero(asked.cases.user_index % 2 == 1))
        cosines = bundle.retriever.user_vectors(buyers.histories) @ bundle.item_vectors[ITEMS]
        events.append(bundle.signal_tables.item_events[ITEMS])
        nearness.append(float(cosines.mean()))
    assert events[0] > 0 == events[1]
    assert nearness[0] > nearness[1]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What fusion, the ranker and the choice of orders are given in a training."""
    found: dict[str, Any] = {}

    def fusion(*given: Any, **named: Any) -> Any:
        found["fusion"] = (given[6], given[7])  # held, users
        return learn_fusion(*given, **named)

    def ranker(data: RankingData, *given: Any, **named: Any) -> Any:
        found["ranker"] = (data.held, data.users)
        return learn_ranker(data, *given, **named)

    def by_signals(bundle: Bundle, part: SignalRequests) -> Any:
        values, users = judge(bundle, part)
        found.setdefault("orders", []).append(users)
        return values, users

    learn_fusion, learn_ranker = fusion_stage.train_fusion, ranker_stage.train_ranker
    judge = order_stage._values_by_signals
    monkeypatch.setattr(fusion_stage, "train_fusion", fusion)
    monkeypatch.setattr(ranker_stage, "train_ranker", ranker)
    monkeypatch.setattr(order_stage, "_values_by_signals", by_signals)
    return found


@pytest.mark.parametrize("protocol", ["time-split", "leave-one-out"])
def test_one_set_of_users_is_held_out_of_fusion_ranker_and_orders(
    protocol: str, asked: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order_stage, "MIN_USERS", 5)  # eight are held out
    bundle = train_bundle(quick(two_tastes(), protocol, tmp_path), "b1", NOW)
    apart = {name: set(asked[name][1][asked[name][0]].tolist()) for name in ("fusion", "ranker")}
    learned_from = {name: set(asked[name][1][~asked[name][0]].tolist()) for name in ("fusion", "ranker")}
    held, choosing = apart["ranker"], apart["fusion"]
    assert len(choosing) == CHOOSING_SHARE * USERS == 6
    assert len(held) == HELD_OUT_SHARE * USERS == 8
    assert not held & (choosing | learned_from["fusion"]), "fusion never sees them"
    assert len(learned_from["fusion"]) == 26
    assert learned_from["ranker"] == learned_from["fusion"] | choosing
    kinds = (REPEATS_KEPT, REPEATS_REMOVED)
    for kind, users in zip(kinds, asked["orders"], strict=True):
        assert set(users.tolist()) <= held
        chosen = bundle.manifest.orders[kind]
        if len(np.unique(users)) >= 5:
            assert chosen.questions == len(users)
            assert 0 < chosen.baseline_value < 1
            assert chosen.difference == pytest.approx(chosen.value - chosen.baseline_value)


def test_the_same_users_are_held_out_whatever_was_taken(asked: dict[str, Any], tmp_path: Path) -> None:
    """The log with other items at other places of each user's time: the same ids are held out."""
    log = two_tastes().interactions
    found = []
    for number, items in enumerate((log.item_index, np.random.default_rng(5).permutation(log.item_index))):
        shop = replace(two_tastes(), interactions=replace(log, item_index=items))
        work = quick(shop, "time-split", tmp_path / str(number))
        train_bundle(replace(work, refit=False), "b1", NOW)
        for held, users in (asked["fusion"], asked["ranker"]):
            found.append({log.users.ids[user] for user in users[held]})
    assert found[0] == found[2]
    assert found[1] == found[3]


def test_each_kind_of_request_of_the_shop_has_an_order_in_the_manifest(
    bundles: tuple[TrainingJob, Bundle, Bundle],
) -> None:
    _, bundle, _ = bundles
    assert set(bundle.manifest.orders) == {REPEATS_KEPT, REPEATS_REMOVED, NO_HISTORY, SIMILAR}
    for kind, chosen in bundle.manifest.orders.items():
        assert chosen.metric == "ndcg@20"
        assert bundle.order_of(kind) == chosen.order


def parent_until(day: int, folder: Path) -> Bundle:
    """A bundle of the shop's first so many days, the last 14 of which are its test."""
    shop = two_tastes()
    young = replace(shop, interactions=shop.interactions.take(shop.interactions.at < day * DAY))
    return train_bundle(quick(young, "time-split", folder), "b1", NOW)


def test_a_parent_that_knows_the_validation_days_keeps_its_fusion_ranker_and_orders(tmp_path: Path) -> None:
    """The parent has learned from days up to 86; of the child's training part the last day is 84."""
    parent = parent_until(100, tmp_path / "first")
    work = replace(quick(two_tastes(), "time-split", tmp_path / "second"), parent=parent)
    child = train_bundle(work, "b2", NOW)
    assert parent.ranker is not None
    assert child.fusion is parent.fusion
    assert child.ranker is parent.ranker
    assert child.manifest.orders == parent.manifest.orders
    known = known_before_test(work.shop.interactions, work.split)
    assert child.signal_tables.item_events.tolist() == counts(known)
    assert not (work.run_dir / EARLY).exists(), "nothing is left to ask"
    assert (work.run_dir / REFITTED).exists()
    assert not np.allclose(child.item_vectors, parent.item_vectors)
    alone = replace(work, run_dir=tmp_path / "third", with_ranker=False)
    assert train_bundle(alone, "b3", NOW).ranker is None


def test_a_parent_that_does_not_know_them_is_learned_over_anew(tmp_path: Path) -> None:
    parent = parent_until(80, tmp_path / "first")
    work = quick(two_tastes(), "time-split", tmp_path / "second")
    child = train_bundle(replace(work, parent=parent), "b2", NOW)
    assert child.fusion is not parent.fusion
    assert child.ranker is not parent.ranker
    assert (work.run_dir / EARLY).exists()
    assert (work.run_dir / REFITTED).exists()


def of_each_user(log: Interactions, rows: np.ndarray) -> Mapping[int, int]:
    users, found = np.unique(log.user_index[rows], return_counts=True)
    return dict(zip(users.tolist(), found.tolist(), strict=True))


def test_under_leave_one_out_some_users_are_asked_and_the_others_moments_are_trained_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(validation_cases, "ASKED_USERS", 10)
    work, _ = job(two_tastes(), "leave-one-out", tmp_path)
    some = with_some_users_asked(work)
    users = some.split.validation.user_index
    assert len(users) == 12, "30% of 40 is more than 10"
    assert len(np.unique(users)) == 12, "nobody is asked twice"
    log, parts = work.shop.interactions, leave_one_out_parts(work.shop.interactions)
    ours = HeldOutUsers.share_of((log.users.ids[user] for user in range(1, USERS + 1)), 0.3)
    assert ours.of(log.users.ids, users).all()

    validation, trained = of_each_user(log, parts == VALIDATION), of_each_user(log, parts == TRAIN)
    found = of_each_user(some.split.train, np.ones(len(some.split.train), bool))
    for user in range(1, USERS + 1):
        more = 0 if user in users else validation[user]
        assert found[user] == trained[user] + more
    tests, rows = (
        set(zip(part.user_index.tolist(), part.at.tolist(), strict=True))
        for part in (log.take(parts == TEST), some.split.train)
    )
    assert not tests & rows
    for row, user in enumerate(users.tolist()):
        whole = work.split.validation.user_index.tolist().index(user)
        assert (
            some.split.validation.targets_of(row).tolist() == work.split.validation.targets_of(whole).tolist()
        )
    cases = read_validation_cases(some, np.random.default_rng(0), 10_000).cases
    assert sorted(cases.user_index.tolist()) == sorted(users.tolist())


def test_the_larger_of_share_and_number_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work, _ = job(two_tastes(), "leave-one-out", tmp_path)
    assert with_some_users_asked(work) is work, "5,000 may be asked, and there are 40"
    monkeypatch.setattr(validation_cases, "ASKED_USERS", 20)
    assert len(with_some_users_asked(work).split.validation) == 20


def test_cut_by_time_everybody_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validation_cases, "ASKED_USERS", 10)
    work, _ = job(two_tastes(), "time-split", tmp_path)
    assert with_some_users_asked(work) is work


def test_with_some_users_asked_the_served_bundle_knows_every_validation_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: dict[str, Any]
) -> None:
    monkeypatch.setattr(validation_cases, "ASKED_USERS", 10)
    monkeypatch.setattr(validation_cases, "ASKED_SHARE", 0.5)
    work = quick(two_tastes(), "leave-one-out", tmp_path)
    bundle = train_bundle(work, "b1", NOW)
    known = known_before_test(work.shop.interactions, work.split)
    assert bundle.signal_tables.item_events.tolist() == counts(known)
    users = set(asked["fusion"][1].tolist()) | set(np.concatenate(asked["orders"]).tolist())
    assert len(users) == 20, "half of 40"
