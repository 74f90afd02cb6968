"""Softmax over groups."""

from __future__ import annotations

import torch

from vanhove.models.scatter import scatter_softmax


def test_softmax_of_each_group():
    torch.manual_seed(0)
    logits = 100 * torch.randn(7, 2)  # exponentials overflow unless shifted
    group = torch.tensor([0, 2, 0, 2, 2, 3, 0])  # group 1 is empty
    weights = scatter_softmax(logits, group, 4)
    for g in (0, 2, 3):
        torch.testing.assert_close(weights[group == g], torch.softmax(logits[group == g], dim=0))


def test_weights_fade_rows_in():
    logits, group = torch.tensor([[0.0], [5.0], [1.0]]), torch.tensor([0, 0, 1])
    weights = scatter_softmax(logits, group, 2, torch.tensor([[1.0], [0.0], [0.0]]))
    assert weights[:, 0].tolist() == [1, 0, 0]


def test_half_precision_is_summed_in_float32():
    logits = torch.zeros(1000, 1, dtype=torch.bfloat16)
    weights = scatter_softmax(logits, torch.zeros(1000, dtype=torch.long), 1)
    assert weights.dtype == torch.float32
    torch.testing.assert_close(weights.sum(), torch.tensor(1.0))
