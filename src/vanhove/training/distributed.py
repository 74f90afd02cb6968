"""Several processes under ``torchrun`` share every batch and sum their gradients."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Processes:
    """This process among all: ``rank`` of ``count``."""

    rank: int = 0
    count: int = 1

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    def share(self, rows: Tensor) -> Tensor:
        """This process's part of the rows of a batch."""
        return rows[self.rank :: self.count]

    def sum_(self, tensor: Tensor) -> Tensor:
        """Sum over processes, in place."""
        if self.count > 1:
            torch.distributed.all_reduce(tensor)
        return tensor

    def wait(self) -> None:
        """Until every process is here."""
        if self.count > 1:
            torch.distributed.barrier()

    def any(self, flag: bool, device: torch.device) -> bool:
        """True on every process if it is on one."""
        return bool(self.sum_(torch.tensor(float(flag), device=device)))

    def sum_gradients(self, model: nn.Module) -> None:
        """Sum the gradients of all processes, which then take the same step."""
        if self.count == 1:
            return
        parameters = [p for p in model.parameters() if p.requires_grad]
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        flat = self.sum_(torch.cat([g.flatten() for g in gradients]))
        offset = 0
        for parameter in parameters:
            piece = flat[offset : offset + parameter.numel()]
            parameter.grad = piece.view_as(parameter).clone()
            offset += parameter.numel()


@contextmanager
def processes() -> Iterator[Processes]:
    """Join the group that ``torchrun`` announces in the environment; alone without it."""
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield Processes()
        return
    torch.distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    try:
        yield Processes(torch.distributed.get_rank(), count)
    finally:
        torch.distributed.destroy_process_group()
