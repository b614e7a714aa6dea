"""P_m = [D_m ; F_m]: the item vector, from text, attributes and what the item's own buyers did."""

import torch
from torch import Tensor, nn


class ItemTower(nn.Module):
    """Item vectors by index: normalise(W_D D_m + F_m), F_m = mean of attribute tokens + W_x x_m + e_m.

    This is the article's concatenation [D_m ; F_m] under one linear map W: W [D ; F] = W_D D + W_F F.
    The tables behind F are learned, so W_F is folded into them and F lives in the output's space.

    e_m is the item's own residual. It starts from the item graph (`graph_directions`) less what the text
    explains of it, so that an item without events (e_m = 0) stands where its text says.

    Shapes: N items, T text width, A attribute tokens, X numeric inputs, D width.
    """

    text: Tensor
    tokens: Tensor
    numbers: Tensor

    def __init__(self, items: int, text: int, tokens: int, vocabulary: int, numbers: int, width: int) -> None:
        super().__init__()
        self.register_buffer("text", torch.zeros(items + 1, text))  # (N + 1, T), D_m
        self.register_buffer("tokens", torch.zeros(items + 1, tokens, dtype=torch.int32))  # (N + 1, A)
        self.register_buffer("numbers", torch.zeros(items + 1, numbers))  # (N + 1, X)
        self.text_in = nn.Linear(text, width, bias=False)  # W_D
        self.token_in = nn.EmbeddingBag(vocabulary + 1, width, mode="mean", padding_idx=0)
        self.number_in = nn.Linear(numbers, width, bias=False) if numbers else None  # W_x
        self.residual = nn.Parameter(torch.zeros(items + 1, width))  # e_m
        nn.init.normal_(self.token_in.weight, std=0.02)
        nn.init.zeros_(self.token_in.weight[0])

    def forward(self, index: Tensor) -> Tensor:
        """(K,) item indexes -> (K, D) unit rows; zero for index 0."""
        vectors = self.content(self.text[index], self.tokens[index], self.numbers[index])  # (K, D)
        vectors = nn.functional.normalize(vectors + self.residual[index], dim=-1)
        return vectors * (index > 0).unsqueeze(-1)

    def content(self, text: Tensor, tokens: Tensor, numbers: Tensor) -> Tensor:
        """(K, D), not normalised: what text (K, T), tokens (K, A) and numbers (K, X) say without e_m."""
        vectors: Tensor = self.text_in(text) + self.token_in(tokens)
        return vectors if self.number_in is None else vectors + self.number_in(numbers)
