import json
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch

from recsys.config import RetrieverSettings
from recsys.dataset.batches import MICROS, batch_of
from recsys.dataset.interactions import Interactions
from recsys.errors import ArtifactMismatchError, DataError, TrainingStoppedError
from recsys.models.retriever.retriever import Retriever
from recsys.progress import Advance, Progress
from recsys.training.retriever.loop import train_retriever
from recsys.training.retriever.steps import batch_loss
from recsys.training.schedule import build_adamw
from tests.training.retriever.circle import ITEMS, cycle, data_of, hit_rate, model_of, settings

DAY = 86_400
LOSSES = get_args(RetrieverSettings.model_fields["loss"].annotation)


def constant(model: Retriever) -> Mapping[str, float]:
    return {"ndcg@10": 0.5}


@pytest.mark.parametrize("loss", LOSSES)
def test_one_batch_is_learnt_by_heart(loss):
    section = settings(dropout=0.0, loss=loss)
    log = cycle()
    data, model = data_of(log), model_of(log, section)
    batch, frequency = batch_of(data, np.arange(len(data))), torch.from_numpy(data.frequency)
    optimizer, rng = build_adamw(model, 1e-2, 0.0), np.random.default_rng(0)
    model.train()
    first = None
    for _ in range(150):
        cost = batch_loss(model, batch, rng.integers(1, ITEMS + 1, 6), frequency, section)
        first = first or float(cost.detach())
        optimizer.zero_grad()
        cost.backward()
        optimizer.step()
    assert float(cost.detach()) < 0.05 * first
    assert hit_rate(data)(model) == {"ndcg@10": 1.0}


def test_the_circle_is_learnt(tmp_path):
    log = cycle()
    data = data_of(log)
    model = model_of(log, settings())
    curves = train_retriever(model, data, settings(epochs=15), tmp_path, hit_rate(data))
    assert curves.epochs[0].loss > 2 * curves.epochs[-1].loss
    assert curves.best == 1.0
    assert not model.training


def test_the_hour_of_the_request_is_learnt(tmp_path):
    """Item 1 at eight in the morning and item 2 at eight in the evening, whatever came before."""
    rng = np.random.default_rng(0)
    log = cycle(gap=DAY)
    evening = rng.random(len(log)) < 0.5
    day = log.at // MICROS // DAY * DAY
    log = Interactions(
        log.users, log.items, log.user_index, np.where(evening, 2, 1), log.kind, log.weight,
        (day + np.where(evening, 20, 8) * 3600) * MICROS,
    )  # fmt: skip
    data = data_of(log)
    model = model_of(log, settings(), clock=True)
    curves = train_retriever(model, data, settings(epochs=12), tmp_path, hit_rate(data))
    assert curves.best == 1.0


def test_the_same_seed_gives_the_same_run_and_another_seed_another(tmp_path):
    log = cycle()
    data = data_of(log)
    losses = []
    for place, seed in enumerate((0, 0, 1)):
        section = settings(seed=seed, epochs=2)
        curves = train_retriever(model_of(log, section), data, section, tmp_path / str(place), constant)
        losses.append([epoch.loss for epoch in curves.epochs])
    assert losses[0] == losses[1] != losses[2]


class Interrupted(Exception):
    """The power goes off."""


def test_an_interrupted_run_ends_like_one_that_was_not(tmp_path):
    log = cycle()
    data = data_of(log)
    whole_model, cut_model = model_of(log, settings()), model_of(log, settings())
    whole = train_retriever(whole_model, data, settings(), tmp_path / "whole", hit_rate(data))

    calls = 0

    def third_time_unlucky(model: Retriever) -> Mapping[str, float]:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise Interrupted
        return hit_rate(data)(model)

    with pytest.raises(Interrupted):
        train_retriever(cut_model, data, settings(), tmp_path / "cut", third_time_unlucky)
    again = model_of(log, settings())
    resumed = train_retriever(again, data, settings(), tmp_path / "cut", hit_rate(data))

    assert [epoch.loss for epoch in resumed.epochs] == [epoch.loss for epoch in whole.epochs]
    assert [epoch.metrics for epoch in resumed.epochs] == [epoch.metrics for epoch in whole.epochs]
    np.testing.assert_array_equal(again.item_vectors(), whole_model.item_vectors())


def test_a_finished_run_is_not_trained_again(tmp_path):
    log = cycle()
    data, model = data_of(log), model_of(log, settings())
    first = train_retriever(model, data, settings(), tmp_path, hit_rate(data))

    def unexpected(model: Retriever) -> Mapping[str, float]:
        raise AssertionError

    again = model_of(log, settings())
    assert train_retriever(again, data, settings(), tmp_path, unexpected) == first
    np.testing.assert_array_equal(again.item_vectors(), model.item_vectors())


def test_a_checkpoint_of_other_settings_is_rejected_and_may_be_overwritten(tmp_path):
    log = cycle()
    data = data_of(log)
    train_retriever(model_of(log, settings()), data, settings(epochs=1), tmp_path, constant)
    other = settings(epochs=1, learning_rate=0.5)
    with pytest.raises(ArtifactMismatchError, match="other settings or data"):
        train_retriever(model_of(log, other), data, other, tmp_path, constant)
    train_retriever(model_of(log, other), data, other, tmp_path, constant, resume=False)


@pytest.mark.parametrize("name", ["checkpoint.safetensors", "checkpoint.json"])
def test_a_half_written_checkpoint_is_not_a_checkpoint(tmp_path, name):
    log = cycle()
    data = data_of(log)
    train_retriever(model_of(log, settings()), data, settings(epochs=1), tmp_path, constant)
    path: Path = tmp_path / name
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    curves = train_retriever(model_of(log, settings()), data, settings(epochs=1), tmp_path, constant)
    assert len(curves.epochs) == 1


def test_it_stops_early_and_keeps_the_best_epoch(tmp_path):
    log = cycle()
    data, model = data_of(log), model_of(log, settings())
    seen: list[np.ndarray] = []

    def second_is_best(model: Retriever) -> Mapping[str, float]:
        seen.append(model.item_vectors())
        return {"ndcg@10": 0.9 if len(seen) == 2 else 0.1}

    curves = train_retriever(model, data, settings(epochs=9, patience=2), tmp_path, second_is_best)
    assert (len(curves.epochs), curves.best_epoch) == (4, 2)
    np.testing.assert_array_equal(model.item_vectors(), seen[1])


def test_curves_are_written_as_json_and_as_a_picture(tmp_path):
    log = cycle()
    train_retriever(model_of(log, settings()), data_of(log), settings(epochs=2), tmp_path, constant)
    document = json.loads((tmp_path / "curves.json").read_text())
    assert [epoch["number"] for epoch in document["epochs"]] == [1, 2]
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_negatives_of_the_whole_catalog_make_the_full_softmax():
    log = cycle()
    data, model = data_of(log), model_of(log, settings(dropout=0.0)).eval()
    batch, frequency = batch_of(data, np.arange(16)), torch.from_numpy(data.frequency)
    loss = batch_loss(model, batch, np.zeros(ITEMS, np.int64), frequency, settings())
    states = torch.from_numpy(model.item_vectors())  # used for the plain computation below
    items = torch.from_numpy(batch.items)
    vectors = states[items]
    with torch.no_grad():
        hidden = model.states(vectors, torch.from_numpy(batch.kinds), torch.from_numpy(batch.at_seconds))
        chosen = hidden[torch.from_numpy(batch.state_row), torch.from_numpy(batch.state_position)]
        users = model.users(chosen, torch.zeros(len(chosen)), torch.zeros(len(chosen)))
        shares = (model.scale * users @ states[1:].T).log_softmax(-1)
        pair_state, target = torch.from_numpy(batch.pair_state), torch.from_numpy(batch.target)
        expected = -shares[pair_state, target - 1].mean()
    torch.testing.assert_close(loss.detach(), expected)


def test_full_softmax_takes_all_items_whatever_negatives_says():
    log = cycle()
    data, model = data_of(log), model_of(log, settings(dropout=0.0)).eval()
    batch, frequency = batch_of(data, np.arange(16)), torch.from_numpy(data.frequency)

    def cost(loss: str, negatives: list[int]) -> float:
        section = settings(loss=loss)
        return float(batch_loss(model, batch, np.array(negatives), frequency, section).detach())

    everything = cost("sampled-softmax", [1] * ITEMS)
    assert cost("full-softmax", [3]) == cost("full-softmax", [5, 7]) == everything
    assert cost("sampled-softmax", [3]) != everything


def test_gbce_is_bce_for_t_0_and_where_every_item_is_a_negative():
    log = cycle()
    data, model = data_of(log), model_of(log, settings(dropout=0.0)).eval()
    batch, frequency = batch_of(data, np.arange(16)), torch.from_numpy(data.frequency)

    def cost(negatives: list[int], **changes: object) -> float:
        section = settings(**changes)
        return float(batch_loss(model, batch, np.array(negatives), frequency, section).detach())

    few, all_items = [1, 2, 2, 9], [1] * ITEMS
    assert cost(few, loss="gbce", gbce_t=0.0) == cost(few, loss="bce") != cost(few, loss="gbce")
    assert cost(all_items, loss="gbce") == cost(all_items, loss="bce")


def test_no_user_with_two_moments_is_an_error_that_says_so(tmp_path):
    log = cycle()
    single = log.take(log.at == log.at.min())
    with pytest.raises(DataError, match="no user acted at two instants"):
        train_retriever(model_of(log, settings()), data_of(single), settings(), tmp_path, constant)


def interrupting(step: int, interrupt: Callable[[], object]) -> Progress:
    """Progress that calls `interrupt` when `step` steps are done."""

    @contextmanager
    def progress(label: str, total: int | None) -> Iterator[Advance]:
        done = 0

        def advance(steps: int) -> None:
            nonlocal done
            done += steps
            if done == step:
                interrupt()

        yield advance

    return progress


def test_sigterm_ends_the_step_and_the_run_goes_on_from_there_with_the_same_numbers(tmp_path):
    log = cycle()
    data = data_of(log)
    whole_model, model = model_of(log, settings()), model_of(log, settings())
    whole = train_retriever(whole_model, data, settings(), tmp_path / "whole", hit_rate(data))
    steps = -(-len(data) // settings().batch_size)

    terminate = interrupting(steps + 2, lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(TrainingStoppedError, match=r"after step 2 of epoch 2.*--resume"):
        train_retriever(model, data, settings(), tmp_path / "cut", hit_rate(data), progress=terminate)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL

    again = model_of(log, settings())
    resumed = train_retriever(again, data, settings(), tmp_path / "cut", hit_rate(data))
    assert [epoch.loss for epoch in resumed.epochs] == [epoch.loss for epoch in whole.epochs]
    np.testing.assert_array_equal(again.item_vectors(), whole_model.item_vectors())


@pytest.mark.parametrize("loss", ["sampled-softmax", "gbce"])
def test_the_step_of_an_accumulated_batch_is_that_of_the_whole_batch(tmp_path, loss):
    """Without dropout the parts' gradients add up to the batch's, whatever the number of parts."""
    log = cycle()
    data = data_of(log)
    losses = []
    for parts in (1, 3, 100):
        section = settings(accumulate=parts, dropout=0.0, epochs=2, loss=loss)
        folder = tmp_path / str(parts)
        curves = train_retriever(model_of(log, section), data, section, folder, hit_rate(data))
        losses.append([epoch.loss for epoch in curves.epochs])
    np.testing.assert_allclose(losses[1:], [losses[0]] * 2, rtol=1e-4)
