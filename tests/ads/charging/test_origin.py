"""Hashes of where events came from."""

from datetime import date

from recsys.ads.charging.origin import address_hash, hashed_origin

SECRET, DAY = b"s" * 32, date(2026, 5, 1)
ORIGIN = hashed_origin(SECRET, DAY, "192.0.2.7", "Firefox")


def test_one_address_has_one_hash_a_day_whatever_its_agent() -> None:
    other = hashed_origin(SECRET, DAY, "192.0.2.7", "Chrome")
    assert address_hash(other) == address_hash(ORIGIN)
    assert other != ORIGIN
    assert hashed_origin(SECRET, DAY, "192.0.2.7", "Firefox") == ORIGIN


def test_another_day_address_or_secret_has_other_hashes() -> None:
    others = [
        hashed_origin(SECRET, date(2026, 5, 2), "192.0.2.7", "Firefox"),
        hashed_origin(SECRET, DAY, "192.0.2.8", "Firefox"),
        hashed_origin(b"t" * 32, DAY, "192.0.2.7", "Firefox"),
    ]
    parts = [part for origin in (ORIGIN, *others) for part in origin.split(".")]
    assert len(set(parts)) == len(parts) == 8
    assert {len(part) for part in parts} == {16}
