import json
from pathlib import Path

from recsys.training.curves import Curves, Epoch


def curves(values: list[float]) -> Curves:
    out = Curves("retriever", "ndcg@10")
    for number, value in enumerate(values, start=1):
        out = out.add(Epoch(number, 1.0 / number, 0.1, 2.0, {"ndcg@10": value, "hr@10": value}))
    return out


def test_the_best_epoch_is_the_first_with_the_highest_metric():
    assert curves([0.1, 0.3, 0.2, 0.3]).best_epoch == 2
    assert curves([0.1, 0.3]).best == 0.3


def test_nothing_is_best_before_the_first_epoch():
    empty = curves([])
    assert (empty.best_epoch, empty.best) == (0, float("-inf"))
    assert not empty.stale(1)


def test_a_run_is_stale_after_as_many_epochs_without_a_better_one():
    assert not curves([0.3, 0.2]).stale(2)
    assert curves([0.3, 0.2, 0.1]).stale(2)
    assert not curves([0.3, 0.2, 0.4]).stale(2)


def test_written_as_json_it_is_read_back_whole(tmp_path: Path):
    written = curves([0.1, 0.2])
    written.save(tmp_path)
    assert Curves.rebuild(json.loads((tmp_path / "curves.json").read_text())) == written
    assert [path.name for path in tmp_path.iterdir()] == ["curves.json"]


def test_the_picture_is_a_png_and_needs_an_epoch(tmp_path: Path):
    path = curves([0.1, 0.2]).draw(tmp_path / "run")
    assert path is not None
    assert path.read_bytes().startswith(b"\x89PNG")
    assert curves([]).draw(tmp_path) is None
