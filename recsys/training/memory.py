"""How much memory each stage of a training takes, and what to lower where that is too much.

The stages come one after the other. Each holds what those before it left, and takes something of its own
while it runs; the process's peak is the largest of the sums. What a stage takes is arithmetic over the shapes
of its arrays. How many copies of an array live at once, and what libraries and the allocator keep of freed
memory, no shape tells: those factors were measured, by the resident size at each stage's end and its peak in
between, on MovieLens-100k (100,000 events, 1,682 items) and on a random shop (1,000,000 events, 100,000
items).
It is the memory of the processor: on a GPU the network and a step's arrays are there.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from recsys.columns import RANKING_FEATURES
from recsys.config import Settings
from recsys.models.signals import SIGNALS
from recsys.training.stages.first_stage import GRAPH_NEIGHBOURS

_FLOAT, _DOUBLE, _INDEX = 4, 8, 8  # bytes
_CELL = 2 * _FLOAT  # of a table of neighbours: an index of 4 bytes and a score
_FEAST = 110_000_000  # Feast and DuckDB once they have read, and what `recsys train` imports besides
_ENCODER = 240_000_000  # transformers, and what remains of a small encoder and its texts
_PLOTS = 60_000_000  # matplotlib, which draws the first learning curves
_EVENT = 200  # of an event: as arrays, those to train on once more, and what remains of the table read
_FEATURE_EVENT = 400  # of an event, while the rows of a view are made
_ITEM = 1500  # of an item: ids, title, attributes, and what remains of the frame read
_TEXTS_BUILT, _TEXTS_READ, _TEXTS_KEPT = 3, 3.7, 2.6  # text vectors, times their size
_PAIRS, _PAIRS_OF_ACTION = 170_000_000, 4_300  # pairs of actions: those counted at a time, those of one
_STEP_COPIES = 2.5  # what autograd keeps of a step, times its arrays
_SCORES = 8_000_000  # cells of cases and items that are ranked at a time
_RANKING_COPIES = 25  # bytes of a feature of a candidate: Feast's frame, joined, as a matrix, and split


@dataclass(frozen=True)
class Sizes:
    """What memory depends on.

    Attributes:
        events: all actions. windows: R, rows to train on. targets: P, pairs to learn.
        parameters: of the retriever. buffers: its numbers that are not learned.
        cases: of the validation period, that fusion and the ranker can learn from.
    """

    users: int
    items: int
    events: int
    windows: int
    targets: int
    steps_an_epoch: int
    text_dimensions: int
    parameters: int
    buffers: int
    cases: int


@dataclass(frozen=True)
class Stage:
    """A stage of a training.

    Attributes:
        peak_bytes: the most that the process holds while the stage runs.
        lower: settings that it depends on most.
    """

    name: str
    peak_bytes: int
    lower: str


def training_stages(
    settings: Settings, sizes: Sizes, process: int, *, ranker: bool, builds_features: bool, encodes_text: bool
) -> tuple[Stage, ...]:
    """The stages that a training will go through, in their order.

    Args:
        process: bytes that this process holds before the shop is read, libraries included.
        ranker: whether there will be a second stage.
        builds_features: whether feature rows are missing or old. encodes_text: texts among them.
    """
    section, items = settings.retriever, sizes.items + 1
    text, neighbours = items * sizes.text_dimensions * _FLOAT, items * GRAPH_NEIGHBOURS
    stages: list[Stage] = []
    kept = process + sizes.events * _EVENT

    def add(name: str, taken: float, left: float, lower: str) -> None:
        nonlocal kept
        stages.append(Stage(name, int(kept + max(taken, left)), lower))
        kept += int(left)

    if encodes_text:
        kept += _ENCODER
    if builds_features:
        built = sizes.events * _FEATURE_EVENT + _TEXTS_BUILT * text * encodes_text
        add("features", built, 0, "`recsys features build` alone before")
    catalog = _FEAST + items * _ITEM
    add("catalog", catalog + _TEXTS_READ * text, catalog + _TEXTS_KEPT * text, "text.encoder")
    graph = neighbours * _CELL + neighbours * _DOUBLE
    pairs = min(_PAIRS, sizes.targets * _PAIRS_OF_ACTION)
    add("item graph", graph + max(pairs, 2 * neighbours * _DOUBLE), graph, "fewer items")
    model = (sizes.parameters + sizes.buffers) * _FLOAT
    add("network's start", model + _start_bytes(settings, sizes), model, "text.encoder or fewer items")
    add("network", _network_bytes(settings, sizes), _PLOTS, "retriever.width, batch_size or history_length")
    tables = 3 * items * settings.fusion.neighbours * _CELL
    add("neighbours", tables + items * section.text_width * _FLOAT, tables, "fusion.neighbours")
    add("fusion", _fusion_bytes(settings, sizes), 0, "fusion.requests or fusion.candidates")
    if ranker:
        add("ranker", _ranker_bytes(settings, sizes), 0, "ranker.requests or ranker.candidates")
    return tuple(stages)


def largest_stage(stages: Sequence[Stage]) -> Stage:
    """The stage with the highest peak, which is the training's; of equal ones the first."""
    return max(stages, key=lambda stage: stage.peak_bytes)


def _start_bytes(settings: Settings, sizes: Sizes) -> int:
    """The principal directions of the texts in doubles, then those of the item graph."""
    items, width = sizes.items + 1, settings.retriever.width
    directions = 3 * items * sizes.text_dimensions * _DOUBLE
    graph = 6 * items * GRAPH_NEIGHBOURS * _DOUBLE + 3 * items * width * _DOUBLE
    return max(directions, graph)


def _network_bytes(settings: Settings, sizes: Sizes) -> int:
    """Histories twice (as they come, and as arrays), the optimizer with its checkpoint, and what is larger:
    a step, or the validation between the epochs."""
    arrays = 2 * sizes.windows * settings.retriever.history_length * 3 * _INDEX + sizes.targets * 5 * _INDEX
    # Two moments, the best weights so far, and a copy of all of it with the weights in the checkpoint.
    optimizer = 7 * sizes.parameters * _FLOAT
    ranked = 3 * min(_SCORES, sizes.cases * (sizes.items + 1)) * _FLOAT
    return arrays + optimizer + max(int(_STEP_COPIES * _step_bytes(settings, sizes)), ranked) + _PLOTS


def _step_bytes(settings: Settings, sizes: Sizes) -> int:
    """Activations of one batch."""
    section = settings.retriever
    batch, length, width = section.batch_size, section.history_length, section.width
    touched = min(sizes.items, section.negatives + 2 * batch * length)
    if section.loss == "full-softmax":
        touched = sizes.items
    tower = touched * (sizes.text_dimensions + 6 * width)
    states = batch * length * width * (8 + 16 * section.layers)
    attention = 4 * batch * section.heads * length * length * section.layers
    return (tower + states + attention) * _FLOAT


def _fusion_bytes(settings: Settings, sizes: Sizes) -> int:
    """Signals of the candidates twice: as found and joined, then joined and split into held out and not."""
    requests = min(settings.fusion.requests, sizes.cases) * 2  # with repeats and without
    histories = min(settings.fusion.requests, sizes.cases) * 100 * 3 * _INDEX
    cells = requests * settings.fusion.candidates
    # Beside the signals: an item index, a label and a mask.
    return 2 * cells * (len(SIGNALS) * _FLOAT + _INDEX + 2) + histories + 2 * _SCORES * _FLOAT


def _ranker_bytes(settings: Settings, sizes: Sizes) -> int:
    """Features of the candidates, as Feast joins them and as they are learned from."""
    requests = min(settings.ranker.requests, sizes.cases)
    return requests * settings.ranker.candidates * len(RANKING_FEATURES) * _RANKING_COPIES
