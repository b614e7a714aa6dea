"""P_m = [D_m ; F_m]: the item vector, from text, attributes and what the item's own buyers did."""

import torch
from torch import Tensor, nn


class ItemTower(nn.Module):
    """Item vectors by index: normalise(W_D D_m + F_m), F_m = mean of attribute tokens + W_x x_m + e_m.

    This is the article's concatenation [D_m ; F_m] under one linear map W: W [D ; F] = W_D D + W_F F.
    The tables behind F are learned, so W_F is folded into them and F lives in the output's space.

    e_m is the item's own residual. It starts from the item graph (`graph_directions`) less what the text
    explains of it, so that an item without events (e_m = 0) stands where its text says.

    An item without text has D_m = 0, and a learned vector in place of W_D D_m where other items have one.

    Shapes: N items, T text width, A attribute tokens, X numeric inputs, D width.
    """

    text: Tensor
    tokens: Tensor
    numbers: Tensor

    def __init__(
        self,
        items: int,
        text: int,
        tokens: int,
        vocabulary: int,
        numbers: int,
        width: int,
        text_missing: bool = False,
    ) -> None:
        """Args:
        text_missing: whether some items have a text and others none.
        """
        super().__init__()
        self.register_buffer("text", torch.zeros(items + 1, text))  # (N + 1, T), D_m
        self.register_buffer("tokens", torch.zeros(items + 1, tokens, dtype=torch.int32))  # (N + 1, A)
        self.register_buffer("numbers", torch.zeros(items + 1, numbers))  # (N + 1, X)
        self.text_in = nn.Linear(text, width, bias=False)  # W_D
        self.token_in = nn.EmbeddingBag(vocabulary + 1, width, mode="mean", padding_idx=0)
        self.number_in = nn.Linear(numbers, width, bias=False) if numbers else None  # W_x
        self.residual = nn.Parameter(torch.zeros(items + 1, width))  # e_m
        self.text_missing = nn.Parameter(torch.zeros(width)) if text_missing else None
        nn.init.normal_(self.token_in.weight, std=0.02)
        nn.init.zeros_(self.token_in.weight[0])

    def forward(self, index: Tensor, residual: Tensor | None = None) -> Tensor:
        """(K,) item indexes -> (K, D) unit rows; zero for index 0.

        Args:
            residual: (K, D) e_m of these items, to be taken in place of the table's rows.
        """
        text = self.text[index]
        vectors = self.content(text, self.tokens[index], self.numbers[index])  # (K, D)
        vectors = self.flag_missing_text(
            vectors + (self.residual[index] if residual is None else residual), text
        )
        vectors = nn.functional.normalize(vectors, dim=-1)
        return vectors * (index > 0).unsqueeze(-1)

    def content(self, text: Tensor, tokens: Tensor, numbers: Tensor) -> Tensor:
        """(K, D), not normalised: what text (K, T), tokens (K, A) and numbers (K, X) say without e_m.

        Contents are compared, and that two items have no text does not make them similar: their flag comes
        on top, by `flag_missing_text`.
        """
        vectors: Tensor = self.text_in(text) + self.token_in(tokens)
        return vectors if self.number_in is None else vectors + self.number_in(numbers)

    def flag_missing_text(self, vectors: Tensor, text: Tensor) -> Tensor:
        """(K, D) `vectors` plus the learned vector that stands for no text, where `text` (K, T) is zero."""
        if self.text_missing is None:
            return vectors
        return vectors + (text == 0).all(-1, keepdim=True) * self.text_missing
