"""The row of a figure that has no peer: judged by a bound of its own."""


def bounded_row(name: str, unit: str, ours: float, at_least: float, aim: float) -> dict[str, object]:
    """A row of the table whose figure must not be above `at_least`, or below it where it is a rate."""
    is_rate = unit.endswith("/s")
    return {
        "name": name,
        "unit": unit,
        "ours": ours,
        "peer": None,
        "peer_value": None,
        "ratio": None,
        "at_least": at_least,
        "aim": aim,
        "ok": ours >= at_least if is_rate else ours <= at_least,
    }
