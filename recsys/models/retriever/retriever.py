"""y = f(P_u, P_m): two towers whose dot product ranks the whole catalog."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from recsys.arrays import FloatArray, IntArray
from recsys.dataset.interactions import Histories
from recsys.documents import JsonObject
from recsys.errors import ArtifactMismatchError
from recsys.models.numpy_forward.layers import ViewsOf
from recsys.models.retriever.attributes import Attributes, AttributeVocabulary
from recsys.models.retriever.cold_start import knn_residuals, shrink_residuals
from recsys.models.retriever.item_tower import ItemTower
from recsys.models.retriever.micro_batches import MicroBatcher
from recsys.models.retriever.ready_vectors import ReadyProjection, ready_rows
from recsys.models.retriever.shape import RetrieverShape
from recsys.models.retriever.text_projection import TextProjection
from recsys.models.retriever.user_tower import Places, TimeEncoder, UserTower
from recsys.models.retriever.user_vector import UserVectorForward

if TYPE_CHECKING:
    from recsys.dataset.item_vectors import VectorLayout

_Request = tuple[Histories, FloatArray]  # one user's history, and the item vectors
_ROWS_AT_ONCE = 512  # histories; bounds the attention's memory
_ITEMS_AT_ONCE = 65_536
FIRST_SCALE = 12.0


class Retriever(nn.Module):
    """Item vectors P_m and user vectors P_u, both of unit length; the score is their dot product.

    P_u = normalise(W_K K_u + T_u): K_u is the user tower's last state, T_u the time vector; this is
    [K_u ; T_u] under one linear map, with the time half of it folded into the time encoder's last layer.
    Training multiplies the cosine by a learned scale.
    """

    def __init__(self, shape: RetrieverShape, attributes: AttributeVocabulary) -> None:
        super().__init__()
        self.shape = shape
        self.attributes = attributes
        numbers = 2 * len(attributes.numbers) + sum(kept for _, _, kept in shape.vectors)
        self.ready_projection = ReadyProjection([(width, kept) for _, width, kept in shape.vectors])
        self.text_projection = TextProjection(shape.text_dimensions, shape.text)
        self.item_tower = ItemTower(
            shape.items,
            shape.text,
            shape.tokens,
            len(attributes.tokens),
            numbers,
            shape.width,
            shape.text_missing,
        )
        self.user_tower = UserTower(
            shape.width, shape.layers, shape.heads, shape.history_length, shape.dropout, shape.clock
        )
        self.time_encoder = TimeEncoder(shape.width, shape.season) if shape.clock else None
        self.behaviour_out = nn.Linear(shape.width, shape.width, bias=False)  # W_K
        nn.init.eye_(self.behaviour_out.weight)
        self._contents: Tensor | None = None
        self._forward: ViewsOf[UserVectorForward] = ViewsOf()
        self._batcher: MicroBatcher[_Request, FloatArray] | None = None
        self.log_scale = nn.Parameter(torch.tensor(FIRST_SCALE).log())

    @property
    def device(self) -> torch.device:
        """Where its weights lie."""
        return self.log_scale.device

    @property
    def scale(self) -> Tensor:
        """What the cosine is multiplied with to make a logit; at most 100."""
        return self.log_scale.exp().clamp(max=100.0)

    def states(
        self, vectors: Tensor, kinds: Tensor, at_seconds: Tensor, places: Places | None = None
    ) -> Tensor:
        """(B, L, D) behaviour states K from item vectors (B, L, D), kinds and instants (B, L).

        Args:
            places: those whose states are wanted: (S, D) then.
        """
        out: Tensor = self.user_tower(vectors, kinds, at_seconds, places)
        return out

    def users(self, states: Tensor, request_at: Tensor, last_at: Tensor) -> Tensor:
        """(S, D) unit P_u from states (S, D), the request's instant and the last action's (S,), seconds."""
        vectors = self.behaviour_out(states).float()
        if self.time_encoder is not None:
            vectors = vectors + self.time_encoder(request_at, last_at).float()
        return nn.functional.normalize(vectors, dim=-1)

    def user_vectors(self, histories: Histories, item_vectors: FloatArray | None = None) -> FloatArray:
        """(B, D) float32 unit rows; a zero row for a user without any known action.

        Args:
            item_vectors: what `item_vectors()` gave, where it is at hand: the same answer for less work. A
                single user's is computed in numpy then, unless the weights lie elsewhere.
        """
        if self._batcher is not None and item_vectors is not None and len(histories) == 1:
            return self._batcher.ask((histories, item_vectors))
        if item_vectors is not None and len(histories) == 1 and self.device.type == "cpu":
            return self._user_vector(histories, item_vectors)[None]
        return self._vectors_of(histories, item_vectors)

    def batch_requests(self, wait_seconds: float, most: int) -> None:
        """From now on single users that several threads ask for at about the same time are computed together.

        Args:
            wait_seconds: that one waits for others. most: users of a batch.
        """
        self._batcher = MicroBatcher(self._answer_requests, wait_seconds, most)

    def _answer_requests(self, requests: Sequence[_Request]) -> list[FloatArray]:
        """(1, D) for each request; those that read one catalog at once, for it may have changed meanwhile."""
        out: list[FloatArray] = [np.zeros((1, self.shape.width), np.float32)] * len(requests)
        groups: dict[tuple[int, int], list[int]] = {}
        for place, (histories, item_vectors) in enumerate(requests):
            groups.setdefault((id(item_vectors), histories.items.shape[1]), []).append(place)
        for places in groups.values():
            together = Histories.joined([requests[place][0] for place in places])
            vectors = self._vectors_of(together, requests[places[0]][1])
            for row, place in enumerate(places):
                out[place] = vectors[row : row + 1]
        return out

    def _vectors_of(self, histories: Histories, item_vectors: FloatArray | None) -> FloatArray:
        length = self.shape.history_length
        out = np.zeros((len(histories), self.shape.width), np.float32)
        by_length = np.argsort((histories.kinds > 0).sum(1), kind="stable")  # so that little is padded
        with _inference(self):
            for start in range(0, len(histories), _ROWS_AT_ONCE):
                rows = by_length[start : start + _ROWS_AT_ONCE]
                out[rows] = self._user_vectors(histories.take(rows), length, item_vectors)
        return out

    def _user_vector(self, histories: Histories, item_vectors: FloatArray) -> FloatArray:
        """(D,) of one history."""
        columns = max(1, min(self.shape.history_length, int(np.count_nonzero(histories.kinds))))
        parts = (histories.items[0], histories.kinds[0], histories.at_seconds[0])
        items, kinds, at = (part[-columns:] for part in parts)
        forward = self._forward.get(
            self.log_scale,
            lambda: UserVectorForward.of(self.user_tower, self.time_encoder, self.behaviour_out),
        )
        return forward.vector(item_vectors[items], kinds, at, int(histories.request_at_seconds[0]))

    def _user_vectors(self, histories: Histories, length: int, item_vectors: FloatArray | None) -> FloatArray:
        columns = max(1, min(length, int((histories.kinds > 0).sum(1).max(initial=0))))
        items, kinds, at = (
            torch.from_numpy(np.ascontiguousarray(part[:, -columns:])).to(self.device)
            for part in (histories.items, histories.kinds, histories.at_seconds)
        )
        request_at = torch.from_numpy(histories.request_at_seconds).to(self.device)
        if item_vectors is None:
            distinct, place = torch.unique(items, return_inverse=True)
            vectors = self.item_tower(distinct)[place]  # (B, L, D)
        else:
            vectors = torch.from_numpy(item_vectors[histories.items[:, -columns:]]).to(self.device)
        row = np.arange(len(items))
        last = Places.of(row, np.full_like(row, columns - 1), len(row), self.device)
        states = self.states(vectors, kinds, at, last)
        users = self.users(states, request_at, at[:, -1]) * (kinds[:, -1:] > 0)
        out: FloatArray = users.float().cpu().numpy()
        return out

    def item_vectors(self) -> FloatArray:
        """(N + 1, D) float32 unit rows, row 0 zero."""
        with _inference(self):
            index = torch.arange(self.shape.items + 1, device=self.device)
            parts = [self.item_tower(part).float().cpu() for part in torch.split(index, _ITEMS_AT_ONCE)]
            out: FloatArray = torch.cat(parts).numpy()
        return out

    def new_item_vectors(self, text_vectors: FloatArray, attributes: Sequence[Attributes]) -> FloatArray:
        """(K, D) float32 unit rows for items that training did not know, from text (K, E) and attributes."""
        with _inference(self):
            text, content = self._content(text_vectors, attributes)
            content = self.item_tower.flag_missing_text(content, text)
            out: FloatArray = nn.functional.normalize(content, dim=-1).float().cpu().numpy()
        return out

    def content_vectors(
        self,
        index: IntArray,
        text_vectors: FloatArray,
        attributes: Sequence[Attributes],
        near: Callable[[FloatArray], IntArray] | None = None,
    ) -> FloatArray:
        """(K, D) float32 unit rows of items whose content is another now: text (K, E) and attributes.

        An item that training knew keeps its residual e_m; one with an index above N gets that of its
        neighbours, see `recsys.models.retriever.cold_start`.

        Args:
            near: finds items (K, C), among them the most similar, by contents (K, D); None = look at all.
        """
        new = torch.from_numpy(index > self.shape.items).to(self.device)
        known = torch.from_numpy(np.where(index > self.shape.items, 0, index)).to(self.device)
        with _inference(self):
            text, content = self._content(text_vectors, attributes)
            residual = self.item_tower.residual[known]
            if bool(new.any()):
                rows = None if near is None else torch.from_numpy(near(content[new].cpu().numpy()))
                contents, learned = self._known_contents(), self.item_tower.residual
                residual[new] = knn_residuals(content[new], contents, learned, rows)
            vectors = self.item_tower.flag_missing_text(content + residual, text)
            out: FloatArray = nn.functional.normalize(vectors, dim=-1).float().cpu().numpy()
        return out

    def shrink_cold_residuals(self, events: FloatArray) -> None:
        """Shrinks the residuals of items with few events, see `cold_start.shrink_residuals`.

        Args:
            events: (N + 1,) training events.
        """
        tower = self.item_tower
        with torch.no_grad():
            content = tower.content(tower.text, tower.tokens, tower.numbers)
            counts = torch.from_numpy(events).to(self.device)
            tower.residual.copy_(shrink_residuals(content, tower.residual, counts))

    def text_cosines(self, text_vectors: FloatArray, items: IntArray | None = None) -> FloatArray:
        """(K, N + 1) float32 cosines of projected texts (K, E) with those of the items of training.

        Or (K, C), with those of `items` (K, C) alone.
        """
        with _inference(self):
            text, known = self._project(text_vectors), self.item_tower.text
            cosines = text @ known.T if items is None else torch.einsum("kt,kct->kc", text, known[items])
            out: FloatArray = cosines.float().cpu().numpy()
        return out

    def project_texts(self, text_vectors: FloatArray) -> FloatArray:
        """(K, T) float32 unit rows, what is compared of texts (K, E)."""
        with _inference(self):
            out: FloatArray = self._project(text_vectors).float().cpu().numpy()
        return out

    def known_items(self) -> tuple[FloatArray, FloatArray]:
        """(N + 1, T) texts and (N + 1, D) contents of the items of training, unit rows; row 0 zero."""
        with _inference(self):
            return self.item_tower.text.cpu().numpy(), self._known_contents().cpu().numpy()

    def _project(self, text_vectors: FloatArray) -> Tensor:
        projected: Tensor = self.text_projection(torch.from_numpy(text_vectors).to(self.device))
        return projected

    def train(self, mode: bool = True) -> "Retriever":
        """As every module; what was computed from the weights is forgotten when they may change."""
        if mode:
            self._contents = None
        return super().train(mode)

    @property
    def vector_layout(self) -> "VectorLayout":
        """Names and widths of the ready vectors that it reads."""
        return tuple((name, width) for name, width, _ in self.shape.vectors)

    def numbers(self, numbers: FloatArray, vectors: FloatArray | None) -> Tensor:
        """x (n, X): numeric attributes (n, 2 F), and behind them what ready vectors (n, V) project to."""
        inputs = torch.from_numpy(numbers).to(self.device)
        if not self.shape.vectors:
            return inputs
        if vectors is None:
            vectors = np.zeros((len(numbers), sum(width for _, width, _ in self.shape.vectors)), np.float32)
        return torch.cat([inputs, self.ready_projection(torch.from_numpy(vectors).to(self.device))], dim=-1)

    def _content(self, text_vectors: FloatArray, attributes: Sequence[Attributes]) -> tuple[Tensor, Tensor]:
        """D_m (K, T) and the content's vectors (K, D)."""
        bags, values = self.attributes.encode(attributes)
        tokens = torch.from_numpy(bags).to(self.device)
        numbers = self.numbers(values, ready_rows(attributes, self.vector_layout))
        text = self._project(text_vectors)
        return text, self.item_tower.content(text, tokens, numbers)

    def _known_contents(self) -> Tensor:
        """(N + 1, D) unit rows, what text and attributes of the items of training say; row 0 zero."""
        if self._contents is None:
            tower = self.item_tower
            columns = (tower.text, tower.tokens, tower.numbers)
            rows = zip(*(torch.split(column, _ITEMS_AT_ONCE) for column in columns), strict=True)
            contents = [nn.functional.normalize(tower.content(*part), dim=-1) for part in rows]
            self._contents = torch.cat(contents)
            self._contents[0] = 0
        return self._contents

    def describe(self) -> JsonObject:
        """What `rebuild` needs besides the tensors, as JSON."""
        return {"shape": asdict(self.shape), "attributes": self.attributes.describe()}

    @classmethod
    def rebuild(cls, description: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> "Retriever":
        """The retriever that `describe` and `state_dict` were taken from, ready to answer.

        Raises:
            ArtifactMismatchError: tensors and description do not belong together.
        """
        try:
            sizes = description["shape"]
            vectors = tuple((name, width, kept) for name, width, kept in sizes.get("vectors", ()))
            shape = RetrieverShape(**(sizes | {"vectors": vectors}))
            retriever = cls(shape, AttributeVocabulary.rebuild(description["attributes"]))
            own = retriever.state_dict()  # whose types they get, in the memory that they have
            state = {name: each.to(own.get(name, each)) for name, each in tensors.items()}
            retriever.load_state_dict(state, assign=True)
        except (KeyError, TypeError, RuntimeError) as error:
            raise ArtifactMismatchError(
                f"The retriever's tensors do not fit its description: {error}. Train the bundle again."
            ) from error
        return retriever.eval()


@contextmanager
def _inference(model: nn.Module) -> Iterator[None]:
    """No gradients and no dropout inside; a model that was in training goes back to it."""
    training = model.training
    if training:
        model.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        if training:
            model.train()
