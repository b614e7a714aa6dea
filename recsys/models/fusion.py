"""The fused score: all signals of an item as one number, by which the catalog is ranked."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from recsys.arrays import FloatArray
from recsys.documents import JsonObject
from recsys.errors import ArtifactMismatchError
from recsys.models.numpy_forward.hidden_layers import LayersForward
from recsys.models.numpy_forward.layers import ViewsOf, weight_view
from recsys.models.retriever.cold_start import COLD_EVENTS
from recsys.models.signals import (
    ITEM_COSINE,
    ITEM_EVENTS,
    NETWORK,
    OWN_COUNT,
    OWN_DUE,
    OWN_LONG,
    OWN_RECENT,
    POPULARITY,
    SIGNALS,
    TEXT,
    TEXT_MISSING,
    TOGETHER,
    USER_EVENTS,
    WORDS,
)

_COUNTS = frozenset({ITEM_EVENTS, POPULARITY, USER_EVENTS})
_PLAIN = frozenset({NETWORK, OWN_DUE, TEXT_MISSING})
_CLIP = 6.0  # deviations


@dataclass(frozen=True)
class FusionShape:
    """The MLP's width, the network's scale, and the weights of the log-linear form that fusion starts from.

    Attributes:
        scale: what the network's cosine is multiplied by to make a logit.
        clock: whether instants mean anything.
        text, words: weight of a similar text, co-occurrence being 1. own: weight of an own action.
        floor: what an item has without any signal.
        network: exponent of the network's softmax. popularity: exponent of the events that its
            preference for popular items is divided by.
        recent: exponent of what is popular lately.
        cold: what an item without events is given; shrinks as its events come in.
        cold_text: how much more its text counts, in logarithms.
        without: signals that are left out, each by the beginning of its name: `text` is text and text_now.
        text_missing: whether it reads that an item has no text; of use only where some items have one and
            others none.
        own_counts: whether it reads the user's plain and time-decayed counts. item_cosine: whether it reads
            the items taken by the same users. Fusions of earlier versions do not.
    """

    hidden: int
    scale: float
    clock: bool
    text: float = 0.5
    words: float = 1.0
    own: float = 0.0
    floor: float = 0.03
    network: float = 0.375
    popularity: float = 0.15
    recent: float = 0.0
    cold: float = 0.3
    cold_text: float = 0.2
    without: tuple[str, ...] = ()
    text_missing: bool = False
    own_counts: bool = False
    item_cosine: bool = False

    @property
    def signals(self) -> tuple[str, ...]:
        """Those of SIGNALS that it reads, in their order."""
        unread = set() if self.text_missing else {TEXT_MISSING}
        unread |= set() if self.own_counts else {OWN_COUNT, OWN_RECENT}
        unread |= set() if self.item_cosine else {ITEM_COSINE}
        return tuple(name for name in SIGNALS if name not in unread)

    @property
    def places(self) -> slice | list[int]:
        """Where they stand among SIGNALS: a slice if they are the first ones, which costs no copy."""
        signals = self.signals
        if signals == SIGNALS[: len(signals)]:
            return slice(len(signals))
        return [SIGNALS.index(name) for name in signals]


class Fusion(nn.Module):
    """s(u, i) = w prior(u, i) + MLP(signals), the MLP starting at zero and w at one.

        prior = log(floor + together + e^(cold_text c) (text + words) + own)
                + network scale z - popularity log(1 + n) + recent log(1 + p) + cold c,      c = 5 / (5 + n)

    z is the network's cosine, n the item's training events and p its decayed popularity; the neighbours'
    sums are those of `UserSignals`, with their weights. The sum inside the logarithm lets any one signal lift
    an item, the product with the network's softmax needs both. c is the gate: it is 1 for an item without
    events, of which a softmax only learned that it was never right, and shrinks as they come in.

    The MLP sees the signals of its shape, counts and sums through a logarithm, standardised. It learns from
    the candidates of requests that the network and the neighbours did not learn from.
    """

    mean: Tensor
    deviation: Tensor
    active: Tensor

    def __init__(self, shape: FusionShape) -> None:
        super().__init__()
        self.shape = shape
        hidden = shape.hidden
        columns = len(shape.signals) + 1
        self.register_buffer("mean", torch.zeros(columns))
        self.register_buffer("deviation", torch.ones(columns))
        active = [not name.startswith(shape.without) if shape.without else True for name in shape.signals]
        self._places = shape.places
        self.register_buffer("active", torch.tensor(active, dtype=torch.float32), persistent=False)
        self.weight = nn.Parameter(torch.ones(()))
        self._forward: ViewsOf[tuple[LayersForward, FloatArray, FloatArray]] = ViewsOf()
        self.layers = nn.Sequential(
            nn.Linear(columns, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU(), nn.Linear(hidden, 1)
        )
        last = self.layers[-1]
        nn.init.zeros_(last.weight)  # type: ignore[arg-type]
        nn.init.zeros_(last.bias)  # type: ignore[arg-type]

    def forward(self, signals: Tensor) -> Tensor:
        """(..., S) SIGNALS -> (...,) scores."""
        signals = self._active(signals)
        prior = _prior(self.shape, signals, torch)
        inputs = torch.stack(_inputs(self.shape, signals, prior, torch), -1)
        inputs = _standardise(inputs, self.mean, self.deviation, torch)
        out: Tensor = self.weight * prior + self.layers(inputs).squeeze(-1)
        return out

    def prior_score(self, signals: Tensor) -> Tensor:
        """(..., S) -> (...,): the log-linear form alone, by which candidates are chosen."""
        out: Tensor = _prior(self.shape, self._active(signals), torch)
        return out

    def fit_statistics(self, signals: Tensor) -> None:
        """Sets mean and deviation of each input from rows (n, S); what never varies counts as zero."""
        prior = self.prior_score(signals)
        inputs = torch.stack(_inputs(self.shape, self._active(signals), prior, torch), -1).double()
        deviation = inputs.std(0, correction=0)
        self.mean.copy_(inputs.mean(0))
        self.deviation.copy_(torch.where(deviation > 1e-6, deviation, torch.inf))

    def score(self, signals: FloatArray) -> FloatArray:
        """(..., K) float32 scores of candidates (..., K, S)."""
        signals = self._read(signals)
        prior = _prior(self.shape, signals, np)
        columns = np.stack([column.ravel() for column in _inputs(self.shape, signals, prior, np)])
        layers, mean, deviation = self._forward.get(self.weight, self._views)
        learnt = layers.scores(_standardise(columns, mean[:, None], deviation[:, None], np)).reshape(
            prior.shape
        )
        learnt += np.float32(self.weight.item()) * prior
        return learnt

    def score_by_prior(self, signals: FloatArray) -> FloatArray:
        """(K,) float32 `prior_score` of items (K, S)."""
        out: FloatArray = _prior(self.shape, self._read(signals), np)
        return out

    def _read(self, signals: FloatArray) -> FloatArray:
        """(K, S) -> (K, those that it reads), what is left out being 0."""
        read = signals[..., self._places]
        return read * self.active.numpy() if self.shape.without else read

    def _views(self) -> tuple[LayersForward, FloatArray, FloatArray]:
        return LayersForward.of(self.layers), weight_view(self.mean), weight_view(self.deviation)

    def _active(self, signals: Tensor) -> Tensor:
        """(..., S) -> (..., those that it reads), what is left out being 0."""
        return signals[..., self._places] * self.active

    def describe(self) -> JsonObject:
        """What `rebuild` needs besides the tensors, as JSON."""
        return {"signals": list(self.shape.signals), "shape": vars(self.shape)}

    @classmethod
    def rebuild(cls, description: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> "Fusion":
        """The fusion that `describe` and `state_dict` were taken from.

        Raises:
            ArtifactMismatchError: it reads other signals than today's, or the tensors do not fit.
        """
        try:
            sizes = dict(description["shape"])
            shape = FusionShape(**(sizes | {"without": tuple(sizes.get("without", ()))}))
            if tuple(description.get("signals", ())) != shape.signals:
                raise ArtifactMismatchError(
                    "The fusion was trained with other signals. Train the bundle again."
                )
            fusion = cls(shape)
            fusion.load_state_dict(dict(tensors))
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise ArtifactMismatchError(
                f"The fusion's tensors do not fit its description: {error}. Train the bundle again."
            ) from error
        return fusion.eval()


# The formulas below read the same in numpy, which answers requests, and in torch, which learns: `xp` is one
# of the two. Small arrays cost torch several times what they cost numpy, and log(1 + n) costs numpy less
# than log1p does.


def _prior(shape: FusionShape, signals: Any, xp: Any) -> Any:
    """(..., S) active signals -> (...,), see `Fusion`."""
    column = {name: signals[..., place] for place, name in enumerate(shape.signals)}
    cold = COLD_EVENTS / (COLD_EVENTS + column[ITEM_EVENTS])
    similarity = shape.text * column[TEXT] + shape.words * column[WORDS]
    related = column[TOGETHER] + similarity * xp.exp(shape.cold_text * cold) + shape.own * column[OWN_LONG]
    return (
        xp.log(related + shape.floor)
        + shape.network * shape.scale * column[NETWORK]
        - shape.popularity * xp.log(column[ITEM_EVENTS] + 1)
        + shape.recent * xp.log(column[POPULARITY] + 1)
        + shape.cold * cold
    )


def _inputs(shape: FusionShape, signals: Any, prior: Any, xp: Any) -> list[Any]:
    """The signals + 1 columns (...) that the MLP sees standardised: counts and sums by their logarithm."""
    columns = []
    for place, name in enumerate(shape.signals):
        value = signals[..., place]
        if name in _COUNTS:
            value = xp.log(value + 1)
        elif name not in _PLAIN:
            value = xp.log(value + shape.floor)
        columns.append(value)
    return [*columns, prior]


def _standardise(inputs: Any, mean: Any, deviation: Any, xp: Any) -> Any:
    return xp.clip((inputs - mean) / deviation, -_CLIP, _CLIP)


def initial_fusion(
    hidden: int,
    *,
    scale: float = 12.0,
    clock: bool = True,
    repeats: bool = False,
    seed: int = 0,
    without: tuple[str, ...] = (),
    text_missing: bool = False,
) -> Fusion:
    """A fusion before training, which answers by its prior.

    Args:
        clock: whether instants are real; then what is popular lately counts more than what ever was.
        repeats: whether people buy again; then an own action weighs as much as ten perfect neighbours.
        without: signals that are left out; text_missing: whether it reads that signal; see `FusionShape`.
    """
    own, recent = 10.0 if repeats else 0.0, 0.3 if clock else 0.0
    shape = FusionShape(
        hidden,
        scale,
        clock,
        own=own,
        recent=recent,
        without=without,
        text_missing=text_missing,
        own_counts=True,
        item_cosine=True,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Fusion(shape).eval()
