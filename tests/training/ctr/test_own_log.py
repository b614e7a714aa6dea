"""Any click log as impressions: what is known of a row is what was there strictly before it."""

import numpy as np
import pandas as pd
import pytest

from recsys.errors import DataError
from recsys.training.ctr.own_log import OwnLog, read_own_log


def frame(rows: int = 200, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    user = rng.integers(0, 10, rows)
    item = rng.integers(0, 12, rows)
    return pd.DataFrame(
        {
            "user_id": [f"u{n}" for n in user],
            "item_id": [f"i{n}" for n in item],
            "at": np.sort(rng.integers(0, 100, rows)) * 10**6,
            "clicked": (rng.random(rows) < np.where(user % 2 == item % 2, 0.7, 0.2)).astype(int),
            "slot": rng.integers(1, 4, rows),
            "price": rng.uniform(1, 9, rows),
            "colour": rng.choice(["red", "blue"], rows),
        }
    )


def all_rows(own: OwnLog, name: str) -> np.ndarray:
    return np.concatenate([getattr(part, name) for part in (own.train, own.held, own.test)])


def test_the_parts_are_by_time_and_the_test_is_the_last_fifth():
    own = read_own_log(frame())
    assert [len(part) for part in (own.train, own.held, own.test)] == [140, 20, 40]
    assert own.labels.at.min() >= own.learned_until


def test_counts_are_of_what_came_strictly_before_and_say_nothing_of_the_test():
    table = frame()
    own = read_own_log(table)
    names = own.shape.numbers
    shown, clicks = (all_rows(own, "numbers")[:, names.index(name)] for name in ("user_shown", "item_clicks"))
    known = np.arange(len(table)) < 160
    for row in range(len(table)):
        before = known & (table["at"] < table["at"][row]).to_numpy()
        assert shown[row] == (before & (table["user_id"] == table["user_id"][row])).sum()
        of_item = before & (table["item_id"] == table["item_id"][row])
        assert clicks[row] == (of_item & (table["clicked"] == 1)).sum()


def test_histories_are_of_the_user_and_earlier_the_latest_last():
    table = frame()
    own = read_own_log(table, history=3)
    items = np.asarray(pd.factorize(table["item_id"])[0]) + 1
    history = own.test.history[own.test.request]
    kinds = own.test.history_kinds[own.test.request]
    for place, row in enumerate(range(160, 200)):
        past = [
            n for n in range(160)
            if table["user_id"][n] == table["user_id"][row] and table["at"][n] < table["at"][row]
        ][-3:]  # fmt: skip
        assert history[place][history[place] > 0].tolist() == items[past].tolist()
        assert kinds[place][kinds[place] > 0].tolist() == [1 + table["clicked"][n] for n in past]


def test_other_columns_are_features_and_texts_are_codes():
    own = read_own_log(frame())
    assert own.shape.numbers[-1] == "price"
    assert [name for name, _ in own.shape.categories] == ["user_id", "colour"]
    assert own.shape.categories[1][1] == 3
    assert own.shape.slots == 3


def test_the_last_of_each_user_may_be_the_test():
    table = frame()
    own = read_own_log(table, per_user=True)
    tested = pd.Series(own.labels.user_id).value_counts()
    sizes = table["user_id"].value_counts()
    for user, count in sizes.items():
        assert tested[user] == sum(place / count >= 0.8 for place in range(count))


def test_the_label_of_a_row_changes_nothing_that_it_is_predicted_by():
    table = frame()
    changed = table.assign(clicked=np.where(np.arange(200) >= 160, 1 - table["clicked"], table["clicked"]))
    one, other = read_own_log(table).test, read_own_log(changed).test
    np.testing.assert_array_equal(one.numbers, other.numbers)
    np.testing.assert_array_equal(one.history_kinds, other.history_kinds)
    np.testing.assert_allclose(one.user_vectors, other.user_vectors)


def test_answers_are_never_cut():
    table = frame().assign(request_id=[f"r{n // 7:03}" for n in range(200)], at=[n // 7 for n in range(200)])
    own = read_own_log(table)
    parts = [set(part.request.tolist()) for part in (own.train, own.held, own.test)]
    assert not parts[0] & parts[1]
    assert not (parts[0] | parts[1]) & parts[2]


def test_a_log_without_users_or_instants_is_refused():
    with pytest.raises(DataError, match="needs user_id and an instant"):
        read_own_log(frame().drop(columns="user_id"))
