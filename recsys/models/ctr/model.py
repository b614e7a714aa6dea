"""A trained click-through model: the network, its calibration, and what it says of impressions."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recsys.arrays import BoolArray, DoubleArray, IntArray
from recsys.documents import JsonObject
from recsys.errors import ArtifactMismatchError, DataError
from recsys.models.ctr.calibration import AttractionCalibration
from recsys.models.ctr.impressions import Impressions, make_batch
from recsys.models.ctr.network import CtrNetwork
from recsys.models.ctr.shape import CtrShape

NEW_BELOW = 50  # impressions of an item in training, below which its own embedding says little
_ROWS_AT_ONCE = 4096  # bounds the attention's memory
_SHOWN = "items_shown"  # beside the network's tensors


@dataclass(frozen=True)
class RawPredictions:
    """Of I impressions, before calibration.

    Attributes:
        log_odds: (I,) of a click where the slot is looked at. examination: (I,) probabilities.
        conversion: (I,) probability of a conversion after a click; NaN where the model has no such head.
    """

    log_odds: DoubleArray
    examination: DoubleArray
    conversion: DoubleArray


@dataclass(frozen=True)
class ClickPredictions:
    """Of I impressions.

    Attributes:
        attraction: (I,) probability of a click where the slot is looked at.
        examination: (I,) probability that it is. conversion: (I,) of a conversion after a click.
    """

    attraction: DoubleArray
    examination: DoubleArray
    conversion: DoubleArray

    @property
    def p_click(self) -> DoubleArray:
        """(I,) attraction x examination: what is logged, billed by and measured."""
        return self.attraction * self.examination

    @property
    def p_purchase(self) -> DoubleArray:
        """(I,) p_click x conversion: of a click and a conversion, over all impressions."""
        return self.p_click * self.conversion


@dataclass(frozen=True)
class CtrModel:
    """A network with a calibration of attraction for each surface; unchanged once made.

    Attributes:
        calibrations: by surface. new_calibrations: of items that training hardly saw; () = no others.
        shown: (N + 1,) how often training saw each item; of no length = not known, so that no item is new.
    """

    network: CtrNetwork
    calibrations: tuple[AttractionCalibration, ...]
    new_calibrations: tuple[AttractionCalibration, ...] = ()
    shown: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))

    @property
    def shape(self) -> CtrShape:
        """What the network reads."""
        return self.network.shape

    def predict(self, impressions: Impressions) -> ClickPredictions:
        """Calibrated probabilities of I impressions."""
        raw = predict_raw(self.network, impressions)
        attraction, surfaces = np.empty(len(impressions)), impressions.surfaces
        for surface in range(len(self.calibrations)):
            rows = surfaces == surface
            attraction[rows] = self.attraction(surface, impressions.item[rows], raw.log_odds[rows])
        return ClickPredictions(attraction, raw.examination, raw.conversion)

    def attraction(self, surface: int, item: IntArray, log_odds: DoubleArray) -> DoubleArray:
        """(K,) calibrated attraction on one surface of items (K,) with raw log-odds (K,)."""
        found = self.calibrations[surface].probabilities(log_odds)
        if not self.new_calibrations or not len(self.shown):
            return found
        new = is_new_item(self.shown, item)
        return np.where(new, self.new_calibrations[surface].probabilities(log_odds), found)

    def examination(self, surface: int) -> DoubleArray:
        """(P,) how likely each slot of a surface is looked at, the first being 1."""
        slots = torch.arange(1, max(self.shape.slots, 1) + 1)
        with torch.inference_mode():
            seen, _ = self.network.examination(torch.full_like(slots, surface), slots)
        return np.asarray(seen.double().exp().numpy(), np.float64)

    def describe(self) -> JsonObject:
        """What `rebuild` needs besides the tensors, as JSON."""
        return {
            "shape": self.shape.describe(),
            "calibrations": [calibration.describe() for calibration in self.calibrations],
            "new_calibrations": [calibration.describe() for calibration in self.new_calibrations],
        }

    def tensors(self) -> dict[str, Tensor]:
        """The network's weights by name, as a safetensors file holds them, and how often items were shown."""
        return {**self.network.state_dict(), _SHOWN: torch.from_numpy(self.shown)}

    @classmethod
    def rebuild(cls, description: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> "CtrModel":
        """The model that `describe` and `tensors` were taken from.

        Raises:
            ArtifactMismatchError: they are of another version, or do not fit each other.
        """
        try:
            network = CtrNetwork(CtrShape.rebuild(description["shape"]))
            weights = {name: tensor for name, tensor in tensors.items() if name != _SHOWN}
            network.load_state_dict(weights)
            old, new = (
                tuple(AttractionCalibration.rebuild(each) for each in description[name])
                for name in ("calibrations", "new_calibrations")
            )
            shown = tensors[_SHOWN].numpy()
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise ArtifactMismatchError(
                f"The click model's tensors do not fit its description: {error}. Train it again."
            ) from error
        return cls(network.eval(), old, new, shown)


def is_new_item(shown: IntArray, item: IntArray) -> BoolArray:
    """(K,) whether training saw items (K,) fewer than NEW_BELOW times; it never saw those it lacks."""
    known = item < len(shown)
    return np.asarray(shown[np.where(known, item, 0)] * known < NEW_BELOW)


def predict_raw(network: CtrNetwork, impressions: Impressions) -> RawPredictions:
    """What the network says of I impressions, in float64.

    Raises:
        DataError: the impressions are not what the network reads.
    """
    check_impressions(network.shape, impressions)
    out = np.full((3, len(impressions)), np.nan)
    device = network.attraction.weight.device
    with torch.inference_mode():
        for rows in _by_history(impressions):
            logits = network(make_batch(impressions, rows).to(device))
            out[0, rows] = logits.attraction.double().cpu().numpy()
            out[1, rows] = logits.seen.double().exp().cpu().numpy()
            if logits.conversion is not None:
                out[2, rows] = logits.conversion.double().sigmoid().cpu().numpy()
    return RawPredictions(out[0], out[1], out[2])


def _by_history(impressions: Impressions) -> list[IntArray]:
    """Rows in parts, short histories together so that little is padded."""
    lengths = (impressions.history_kinds > 0).sum(1)[impressions.request]
    order = np.argsort(lengths, kind="stable")
    return [order[start : start + _ROWS_AT_ONCE] for start in range(0, len(order), _ROWS_AT_ONCE)]


def check_impressions(shape: CtrShape, impressions: Impressions) -> None:
    """Raises DataError where the impressions are not what a network of this shape reads."""
    widths = {
        "numbers": (impressions.numbers.shape[1], len(shape.numbers)),
        "categories": (impressions.categories.shape[1], len(shape.categories)),
        "user_vectors": (impressions.user_vectors.shape[1], shape.vector),
        "query_vectors": (impressions.query_vectors.shape[1], shape.query),
    }
    for name, (found, wanted) in widths.items():
        if found != wanted:
            raise DataError(
                f"{name} of the impressions have {found} columns, and the click model reads {wanted}."
            )
    if impressions.history.shape[1] > shape.history:
        raise DataError(
            f"histories have {impressions.history.shape[1]} places, and the click model reads "
            f"{shape.history}. Keep the latest."
        )
    codes = {name: size for name, size in shape.categories}
    columns = {name: impressions.categories[:, place] for place, name in enumerate(codes)}
    columns |= {"item": impressions.item, "surface": impressions.surface, "history": impressions.history}
    columns |= {"history_kinds": impressions.history_kinds}
    codes |= {"item": shape.items + 1, "surface": shape.surfaces, "history": shape.items + 1}
    codes |= {"history_kinds": shape.kinds}
    for name, column in columns.items():
        if column.size and not 0 <= int(column.min()) <= int(column.max()) < codes[name]:
            raise DataError(
                f"codes of {name} reach from {column.min()} to {column.max()}, and the click model knows 0 "
                f"to {codes[name] - 1}. Give 0 to those that are unknown."
            )
