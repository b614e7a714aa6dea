"""Dropout that costs a processor an eighth of the random numbers."""

import torch
from torch import Tensor, nn

_LEVELS = 256  # what a byte tells apart


class Dropout(nn.Module):
    """Zeroes each number with chance `share` while training, and scales up the others to keep the mean.

    One byte of randomness decides on a number, where `nn.Dropout` spends a 64-bit draw on it: on a CPU that
    made a fifth of a training step. So the share is rounded to a 256th there; on CUDA it is `nn.Dropout`.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, values: Tensor) -> Tensor:
        """Of the shape that came in."""
        dropped = round(self.share * _LEVELS)
        if not self.training or not dropped:
            return values
        if values.device.type != "cpu":
            return nn.functional.dropout(values, self.share)
        words = torch.empty(-(-values.numel() // 8), dtype=torch.int64).random_(-(1 << 63), None)
        bytes_ = words.view(torch.uint8)[: values.numel()].view(values.shape)
        factor = (bytes_ >= dropped).to(values.dtype).mul_(_LEVELS / (_LEVELS - dropped))
        return values * factor
