"""What each baseline recommends in a shop whose right list is obvious."""

from dataclasses import replace

import numpy as np
import pytest

from recsys.dataset.interactions import EvalCases, Interactions, Vocabulary
from recsys.dataset.split import Split, leave_one_out
from recsys.evaluation.baselines import (
    PersonalFrequency,
    Popularity,
    RecentPopularity,
    build_baselines,
    center_vectors,
    recent_history,
    reference_baseline,
)
from recsys.instants import DAY, NEVER
from recsys.retrieval.popularity import decayed_popularity


def case_of(user: int, day: int) -> EvalCases:
    """One case without targets: scorers must not look at them anyway."""
    return EvalCases(np.array([user]), np.array([day * DAY]), np.array([0, 0]), np.zeros(0, np.int64))


def split_of(shop: Interactions) -> Split:
    return leave_one_out(shop)


def test_history_decays_by_moments_and_stops_before_the_instant(shop: Interactions) -> None:
    # u1 took 1, 2, 3 on days 0, 1, 2 and 4 on day 3.
    assert recent_history(shop, case_of(1, 3), None, 0.5).toarray().tolist() == [[0, 0.25, 0.5, 1, 0, 0]]
    assert recent_history(shop, case_of(1, 3), 2, 0.5).toarray().tolist() == [[0, 0, 0.5, 1, 0, 0]]
    assert recent_history(shop, case_of(1, 0), None, 0.5).nnz == 0


def test_popularity_counts_training_events_only(shop: Interactions) -> None:
    # Training holds 1, 2 of u1; 2, 3 of u2; 3, 4 of u3; 4 of u4.
    assert Popularity(split_of(shop).train).score(case_of(1, 3)).tolist() == [[0, 1, 2, 2, 2, 0]]


def test_recent_popularity_sees_all_that_happened_before_the_case_and_nothing_after(
    shop: Interactions,
) -> None:
    scorer = RecentPopularity(shop, half_life_days=1)
    # Before day 1 there is day 0 alone: items 1, 2, 3, 4 once each, one half-life ago.
    assert scorer.score(case_of(1, 1)).tolist() == [[0, 0.5, 0.5, 0.5, 0.5, 0]]


def test_recent_popularity_scores_cases_of_different_days_each_by_its_own(shop: Interactions) -> None:
    scorer = RecentPopularity(shop, half_life_days=1)
    both = EvalCases(np.array([1, 2]), np.array([1, 2]) * DAY, np.zeros(3, np.int64), np.zeros(0, np.int64))
    expected = [scorer.score(case_of(1, 1))[0].tolist(), scorer.score(case_of(2, 2))[0].tolist()]
    assert scorer.score(both).tolist() == expected


def test_recent_popularity_counts_a_cancelled_purchase_until_it_is_cancelled(shop: Interactions) -> None:
    undone_at = np.where(shop.at == 0, 2 * DAY, NEVER)  # what was bought on day 0 goes back on day 2
    shop = replace(shop, undone_at=undone_at)
    days = np.array([1, 2, 3]) * DAY
    cases = EvalCases(np.arange(1, 4), days, np.zeros(4, np.int64), np.zeros(0, np.int64))
    expected = [decayed_popularity(shop, int(day), 2.0) for day in days]
    assert expected[0].sum() > 0
    assert RecentPopularity(shop, half_life_days=2.0).score(cases) == pytest.approx(np.stack(expected))


def test_recent_popularity_carried_from_day_to_day_is_what_counting_anew_gives(shop: Interactions) -> None:
    days = np.array([4, 1, 2, 3]) * DAY
    cases = EvalCases(np.arange(1, 5), days, np.zeros(5, np.int64), np.zeros(0, np.int64))
    expected = [decayed_popularity(shop, int(day), 2.0) for day in days]
    assert RecentPopularity(shop, half_life_days=2).score(cases) == pytest.approx(np.stack(expected))


def test_personal_frequency_puts_what_one_takes_again_first(shop: Interactions) -> None:
    scores = PersonalFrequency(split_of(shop).train, shop, decay=0.5).score(case_of(4, 3))[0]
    # u4 took 4, 5, 4: 4 counts 1 + .25, 5 counts .5, the rest a little popularity.
    assert scores[4] == pytest.approx(1.25, abs=2e-3)
    assert scores[5] == pytest.approx(0.5, abs=2e-3)
    assert 0 < scores[1] < scores[2] < 2e-3


def test_neighbours_lead_on_along_the_chain_that_others_walked(shop: Interactions) -> None:
    by_name = {s.name: s for s in build_baselines(split_of(shop).train, shop, clock=False, repeats=False)}
    # Whoever had 1 then took 2 in training.
    assert by_name["kNN"].score(case_of(1, 1)).argmax() == 2


def test_a_user_without_history_gets_what_is_popular(shop: Interactions) -> None:
    split = split_of(shop)
    for scorer in build_baselines(split.train, shop, clock=False, repeats=True, texts=["", *"abcde"]):
        scores = scorer.score(case_of(1, 0))[0]
        assert scores[1:].argmax() + 1 in (2, 3, 4), scorer.name


def test_text_reaches_an_item_without_any_event(shop: Interactions) -> None:
    texts = ["", "red tea", "rice", "salt", "soap", "red tea large"]
    by_name = {
        s.name: s
        for s in build_baselines(split_of(shop).train, shop, clock=False, repeats=False, texts=texts)
    }
    plain, with_text = by_name["kNN"].score(case_of(1, 1))[0], by_name["kNN + text"].score(case_of(1, 1))[0]
    assert plain[5] == 0  # item 5 is in no training event
    assert with_text[5] > 0.01


def test_the_text_of_an_item_does_not_recommend_the_item_itself(shop: Interactions) -> None:
    texts = ["", "red tea", "rice", "salt", "soap", "red tea large"]
    vectors = np.eye(6, 5, k=-1, dtype=np.float32)
    *_, knn, with_text, _ = build_baselines(
        split_of(shop).train, shop, clock=False, repeats=False, texts=texts, text_vectors=vectors
    )
    # u1 had item 1 alone before day 1.
    assert knn.score(case_of(1, 1))[0][1] == pytest.approx(0, abs=1e-5)
    assert with_text.score(case_of(1, 1))[0][1] == pytest.approx(0, abs=1e-5)


def test_encoder_vectors_add_to_words(shop: Interactions) -> None:
    vectors = np.eye(6, 4, k=-1, dtype=np.float32)  # item 5 has no text vector
    vectors[4] = vectors[1]  # and item 4 means the same as item 1
    texts = ["", "a", "b", "c", "d", "e"]
    *_, scorer, _ = build_baselines(
        split_of(shop).train, shop, clock=False, repeats=False, texts=texts, text_vectors=vectors
    )
    scores = scorer.score(case_of(1, 1))[0]
    assert scores[4] > scores[3] + 0.05
    assert scores[5] >= 0


@pytest.mark.parametrize(
    ("clock", "repeats", "texts", "names"),
    [
        (False, False, [], ["popularity", "kNN"]),
        (True, False, [], ["popularity", "recent popularity", "kNN"]),
        (
            False,
            True,
            ["", *"abcde"],
            ["popularity", "own actions", "personal frequency", "kNN", "kNN + text", "item cosine + TF-IDF"],
        ),
        (
            True,
            True,
            [],
            [
                "popularity",
                "recent popularity",
                "own actions",
                "personal frequency",
                "(count + recency) x recent popularity",
                "kNN",
            ],
        ),
    ],
)
def test_only_baselines_that_the_data_has_the_means_for_are_made(
    shop: Interactions, clock: bool, repeats: bool, texts: list[str], names: list[str]
) -> None:
    found = build_baselines(split_of(shop).train, shop, clock=clock, repeats=repeats, texts=texts)
    assert [scorer.name for scorer in found] == names
    # With text there is always the reference; habit is the one to beat where people come back.
    assert reference_baseline(repeats) in names or not texts


def test_own_actions_are_counted_and_recency_and_popularity_break_ties() -> None:
    items, users = Vocabulary.of("abc"), Vocabulary.of(["u1", "u2"])
    user = np.array([1, 1, 1, 1, 2])  # u1: a, a, b, c on days 0 to 3; u2: b on day 3
    item, at = np.array([1, 1, 2, 3, 2]), np.array([0, 1, 2, 3, 3]) * DAY
    log = Interactions(users, items, user, item, np.full(5, 6), np.ones(5, np.float32), at)
    cases = EvalCases(np.array([1]), np.array([4 * DAY]), np.array([0, 1]), np.array([1]))
    found = {s.name: s.score(cases)[0] for s in build_baselines(log, log, clock=True, repeats=True)}
    assert found["own actions"][1:].round().tolist() == [2, 1, 1]
    # a was taken two moments before the last one (1/3), b one (1/2), c in the last (1); b is most popular.
    popularity = np.array([2 ** (-4 / 14) + 2 ** (-3 / 14), 2 ** (-2 / 14) + 2 ** (-1 / 14), 2 ** (-1 / 14)])
    share = popularity / popularity.max()
    expected = np.array([2 + 1 / 3, 1 + 1 / 2, 1 + 1]) * share**0.25
    assert found["(count + recency) x recent popularity"][1:] == pytest.approx(expected, rel=1e-4)


def test_item_cosines_are_those_of_the_items_users_and_words_add_half_of_theirs() -> None:
    items, users = Vocabulary.of("abc"), Vocabulary.of(["u1", "u2", "u3"])
    # a: u1, u2; b: u2, u3; c: u3. The third asks what goes with b and c.
    user, item = np.array([1, 2, 2, 3, 3]), np.array([1, 1, 2, 2, 3])
    log = Interactions(users, items, user, item, np.full(5, 6), np.ones(5, np.float32), np.arange(5) * DAY)
    cases = EvalCases(np.array([3]), np.array([9 * DAY]), np.array([0, 1]), np.array([1]))
    texts = ["", "red tea", "rice", "red tea"]
    (scorer,) = [
        s for s in build_baselines(log, log, clock=False, repeats=False, texts=texts) if "cosine" in s.name
    ]
    # a: cos(a, b) = 1 / sqrt(2 * 2), cos(a, c) = 0, and the words of c are its own: 1 / 2.
    assert scorer.score(cases)[0][1] == pytest.approx(0.5 + 0.5, abs=1e-4)
    # b: cos(b, c) = 1 / sqrt(2 * 1), itself left out.
    assert scorer.score(cases)[0][2] == pytest.approx(2**-0.5, abs=1e-4)


@pytest.mark.parametrize("day", [0, 1, 2, 3])
def test_no_baseline_looks_at_or_after_the_instant(shop: Interactions, day: int) -> None:
    """Changing what others and the user did from `day` on changes no score, once the models are fixed."""
    split = split_of(shop)
    later = shop.at >= day * DAY
    changed = Interactions(
        shop.users,
        shop.items,
        shop.user_index,
        np.where(later, 6 - shop.item_index, shop.item_index),
        shop.kind,
        shop.weight,
        shop.at,
    )
    texts = ["", *"abcde"]
    before = build_baselines(split.train, shop, clock=True, repeats=True, texts=texts)
    after = build_baselines(split.train, changed, clock=True, repeats=True, texts=texts)
    for one, other in zip(before, after, strict=True):
        assert one.score(case_of(1, day)).tolist() == other.score(case_of(1, day)).tolist(), one.name


def test_centring_takes_away_what_all_texts_share_and_leaves_empty_ones_alone() -> None:
    vectors = np.array([[0, 0], [3, 1], [3, -1], [0, 0]], np.float32)
    assert center_vectors(vectors, 4).tolist() == [[0, 0], [0, 1], [0, -1], [0, 0]]
    assert center_vectors(None, 4).shape == (4, 0)
