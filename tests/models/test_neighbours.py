"""The rows of a table of neighbours that new texts change, against a plain sort of what each may have."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.models.neighbours import Neighbours, NewText, weakest_scores
from tests.models.new_texts import with_new_texts

SIZE, NEW, WIDTH = 12, 3, 4


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 1000), st.sets(st.integers(1, SIZE + NEW - 1), min_size=1, max_size=4))
def test_a_row_keeps_the_strongest_of_what_it_had_and_of_the_new_texts(seed: int, items: set[int]) -> None:
    rng, index = np.random.default_rng(seed), np.array(sorted(items))
    others = [np.delete(np.arange(1, SIZE), max(row - 1, 0)) for row in range(SIZE)]
    neighbours = np.stack([rng.permutation(row)[:WIDTH] for row in others])
    scores = (rng.permutation(SIZE * WIDTH).reshape(SIZE, WIDTH) + 1).astype(np.float32)
    neighbours[0], scores[0] = 0, 0
    table = Neighbours(neighbours, scores)
    cosines = rng.permutation(len(index) * SIZE).reshape(-1, SIZE).astype(np.float32) + np.float32(0.5)

    found = with_new_texts(table, SIZE + NEW, index, cosines)

    for row in set(range(1, SIZE)) - items:
        had = {n: s for n, s in zip(neighbours[row].tolist(), scores[row].tolist(), strict=True)}
        offered = {item: float(cosines[place, row]) for place, item in enumerate(index.tolist())}
        all_of_it = {n: s for n, s in had.items() if n not in items} | offered
        best = sorted(all_of_it.items(), key=lambda pair: -pair[1])[:WIDTH]
        ours = dict(zip(found.index[row].tolist(), found.score[row].tolist(), strict=True))
        assert ours == dict(best)
    texts = [NewText(item, np.arange(SIZE), row) for item, row in zip(index.tolist(), cosines, strict=True)]
    changed = table.rows_with_new_texts(SIZE + NEW, texts, weakest_scores(scores))
    np.testing.assert_array_equal(changed.weakest, weakest_scores(found.score)[changed.places])
    some = table.rows_with_new_texts(SIZE + NEW, texts, weakest_scores(scores), np.arange(SIZE))
    np.testing.assert_array_equal(some.index, changed.index)
    same = np.setdiff1d(np.arange(SIZE), changed.places)
    np.testing.assert_array_equal(found.score[same], scores[same])
    np.testing.assert_array_equal(found.index[changed.places], changed.index)
