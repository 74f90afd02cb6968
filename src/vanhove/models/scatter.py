"""Softmax over groups of rows: the edges of an atom, the atoms of a crystal."""

from __future__ import annotations

import torch
from torch import Tensor


def scatter_softmax(
    logits: Tensor, group: Tensor, n_groups: int, weight: Tensor | None = None
) -> Tensor:
    """Softmax over the rows of each group, in float32 at least.

    Args:
        logits: ``[n, k]``, each of the ``k`` columns by itself.
        group: ``[n]``, below ``n_groups``.
        n_groups: groups may be empty.
        weight: ``[n, 1]``, not negative, multiplies the exponentials: a row fades in smoothly.

    Returns:
        ``[n, k]``; sums to 1 over each group, to 0 where all weights of a group vanish.
    """
    logits = logits.float() if logits.dtype in (torch.bfloat16, torch.float16) else logits
    top = logits.new_zeros(n_groups, logits.shape[1]).scatter_reduce(
        0, group[:, None].expand_as(logits), logits.detach(), "amax", include_self=False
    )
    exponential = torch.exp(logits - top.index_select(0, group))
    if weight is not None:
        exponential = exponential * weight
    total = torch.zeros_like(top).index_add(0, group, exponential)
    return exponential / total.clamp(min=1e-12).index_select(0, group)
