"""What new texts are compared with."""

from recsys.models.bundle import Bundle
from recsys.retrieval.near_items import NearItems

COMPARED_UP_TO = 30_000  # items; the table of similar texts was made of so many by looking at all


def near_items(bundle: Bundle, compared_up_to: int = COMPARED_UP_TO) -> NearItems | None:
    """Finds the items near a text; None where all are compared, for they are few or a GPU has them."""
    if len(bundle.items) <= compared_up_to or bundle.retriever.device.type != "cpu":
        return None
    return NearItems(bundle.retriever.known_items)
