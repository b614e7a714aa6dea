"""Generations: everybody reads one whole generation, and writes reach whichever is read next."""

from recsys.stores.packed.generations import Generations
from recsys.stores.packed.layout import layout_of
from recsys.stores.packed.rows import PackedView

LAYOUT = layout_of("activity", (("user_id", "STRING"),), (("count", "INT64"),))
HEAD = f"shop:activity:{LAYOUT.fingerprint}"
VIEW = PackedView(LAYOUT, f"{HEAD}:{{".encode(), b"shop:activity:schema", 0)


def test_the_first_generation_has_the_keys_that_rows_always_had() -> None:
    assert Generations().reading(VIEW) == VIEW
    assert Generations().writing(VIEW) == [VIEW]
    assert VIEW.of_generation(0) == VIEW


def test_a_generation_has_keys_of_its_own_in_the_same_cluster_slot() -> None:
    generations = Generations(current={"activity": 2}, building={"activity": 3, "other": 3})
    assert [view.keys([b"ann"]) for view in generations.writing(VIEW)] == [
        [f"{HEAD}.2:{{ann}}".encode()],
        [f"{HEAD}.3:{{ann}}".encode()],
    ]
    assert generations.shadow(VIEW) == [VIEW.of_generation(3)]


def test_the_pointer_says_what_it_was_told() -> None:
    told = Generations(current={"activity": 2}, building={"history": 3})
    read = Generations.parse(told.encoded())
    assert (read.current, read.building, read.raw) == (told.current, told.building, told.encoded())
    assert Generations.parse(None) == Generations()
