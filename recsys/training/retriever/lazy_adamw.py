"""AdamW for a large table of which each step touches few rows."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from recsys.arrays import DoubleArray, IntArray
from recsys.training.schedule import BETAS, EPSILON, build_adamw, set_rate

_WINDOW = 256  # steps after which a row's momentum has faded: q^256 = 3e-11
_ROWS_AT_ONCE = 65_536


class LazyAdamW:
    """AdamW that visits only the rows which a step touches, and ends where dense AdamW ends.

    Dense AdamW moves every row at every step: a row without a gradient decays and follows its fading
    momentum. All of that is known from the row's last touched step l and the rates since, so it is made up
    for when the row is read again. With q = beta_1 / sqrt(beta_2) and D_n the product of
    (1 - rate_i weight_decay) over i = 1..n,

        w_n = (w_l - S_l m_l / sqrt(v_l)) D_n / D_l
        S_l = sum over i = l + 1..n of rate_i sqrt(1 - beta_2^i) / (1 - beta_1^i) q^(i - l) D_l / D_i
        m_n = beta_1^(n - l) m_l,    v_n = beta_2^(n - l) v_l

    S_l is one number for all rows last touched at step l, and is kept up for the last 256 steps: what a row
    gains after that is below float32's resolution.

    Paper: Loshchilov and Hutter 2019, arXiv 1711.05101. Deviation: in the steps that are made up for,
    epsilon is added to sqrt(v_l) once, as large as it is in the mean of their moves, instead of in each
    step. That is exact to the first order of epsilon / sqrt(v_l).
    """

    def __init__(self, table: nn.Parameter, steps: int, weight_decay: float) -> None:
        """Args:
        table: (N, D). Between `take` and `settle` its rows may lag behind.
        steps: the most that will be made.
        """
        self.table = table
        self._weight_decay = weight_decay
        self._momentum = torch.zeros_like(table, requires_grad=False)  # (N, D), m_l
        self._square = torch.zeros_like(table, requires_grad=False)  # (N, D), v_l
        self._last = np.zeros(len(table), np.int64)  # (N,), l
        self._log_decay: DoubleArray = np.zeros(steps + 1)  # log D_n
        self._moved: DoubleArray = np.zeros(steps + 1)  # S_l
        self._epsilon: DoubleArray = np.zeros(steps + 1)  # the sum of S_l, each term times its epsilon
        self._done = 0
        self._taken: IntArray = np.zeros(0, np.int64)
        self._rows = nn.Parameter(table.new_zeros(0, table.shape[1]), requires_grad=table.requires_grad)
        self._optimizer = build_adamw([self._rows], 0.0, weight_decay)

    def take(self, index: IntArray) -> nn.Parameter:
        """(U, D) rows `index` (U,), distinct, as after all steps so far: to learn in place of the table's."""
        rows, momentum, square = self._current(index)
        self._taken, self._rows.data, self._rows.grad = index, rows, None
        self._optimizer.state[self._rows] = {
            "step": torch.tensor(float(self._done), device=rows.device),
            "exp_avg": momentum,
            "exp_avg_sq": square,
        }
        return self._rows

    def step(self, rate: float) -> None:
        """Moves the rows that were taken by their gradient, if they have one, and puts them back."""
        if self._rows.grad is None:
            return
        set_rate(self._optimizer, rate)
        self._optimizer.step()
        self._count_step(rate)
        state = self._optimizer.state[self._rows]
        self._put(self._taken, self._rows.detach(), state["exp_avg"], state["exp_avg_sq"])

    def settle(self) -> None:
        """Brings all rows of the table up to now, for whoever reads it."""
        behind = np.flatnonzero(self._last < self._done)
        for start in range(0, len(behind), _ROWS_AT_ONCE):
            index = behind[start : start + _ROWS_AT_ONCE]
            self._put(index, *self._current(index))

    def tensors(self) -> dict[str, Tensor]:
        """What `restore` needs besides the table, on the CPU."""
        return {
            "momentum": self._momentum.cpu(),
            "square": self._square.cpu(),
            "last": torch.from_numpy(self._last),
            "log_decay": torch.from_numpy(self._log_decay),
            "moved": torch.from_numpy(self._moved),
            "epsilon": torch.from_numpy(self._epsilon),
            "done": torch.tensor(self._done),
        }

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Goes on from what `tensors` gave; the table's rows of that moment are put back by the caller."""
        self._momentum.copy_(tensors["momentum"])
        self._square.copy_(tensors["square"])
        self._last, self._log_decay, self._moved, self._epsilon = (
            tensors[name].numpy().copy() for name in ("last", "log_decay", "moved", "epsilon")
        )
        self._done = int(tensors["done"])

    def _count_step(self, rate: float) -> None:
        """Adds a step to D, and to S of the steps before it."""
        self._done += 1
        now, (first, second) = self._done, BETAS
        self._log_decay[now] = self._log_decay[now - 1] + np.log1p(-rate * self._weight_decay)
        since = np.arange(max(0, now - _WINDOW), now)
        unbiased = np.sqrt(1 - second**now)
        faded = (first / np.sqrt(second)) ** (now - since)
        decayed = np.exp(self._log_decay[since] - self._log_decay[now])
        moves = rate * unbiased / (1 - first**now) * faded * decayed
        self._moved[since] += moves
        self._epsilon[since] += EPSILON * moves * unbiased * second ** (-0.5 * (now - since))

    def _current(self, index: IntArray) -> tuple[Tensor, Tensor, Tensor]:
        """w, m and v (U, D) of rows `index` (U,) as dense AdamW would have them now."""
        place = torch.from_numpy(index).to(self.table.device)
        rows, momentum, square = (
            values.index_select(0, place) for values in (self.table.detach(), self._momentum, self._square)
        )
        last = self._last[index]
        skipped = self._done - last
        if not skipped.any():
            return rows, momentum, square
        decay = np.exp(self._log_decay[self._done] - self._log_decay[last])
        moved = self._moved[last]
        epsilon = self._epsilon[last] / np.where(moved > 0, moved, 1.0)
        epsilon[moved == 0] = EPSILON  # nothing was skipped, or the rates were 0
        moves, small, decay_column, first, second = (
            torch.from_numpy(factors.astype(np.float32)).to(rows.device).unsqueeze(1)  # (U, 1)
            for factors in (moved * decay, epsilon, decay, BETAS[0] ** skipped, BETAS[1] ** skipped)
        )
        direction = momentum / square.sqrt().add_(small)
        rows.mul_(decay_column).sub_(direction.mul_(moves))
        return rows, momentum.mul_(first), square.mul_(second)

    def _put(self, index: IntArray, rows: Tensor, momentum: Tensor, square: Tensor) -> None:
        place = torch.from_numpy(index).to(self.table.device)
        self.table.detach().index_copy_(0, place, rows)
        self._momentum.index_copy_(0, place, momentum)
        self._square.index_copy_(0, place, square)
        self._last[index] = self._done
