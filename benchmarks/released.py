"""The arithmetic of the released DOSTransformer, for a comparison within one run.

Written from a description of what that code computes (both branches at inference, the edge network
on joined inputs, no mask), in our own words and with random weights: it predicts nothing. Sizes are
the published ones. Its FLOP count is checked against that of the released code, 1.0822 (51
energies, phonon) and 2.9169 (201, electron) GFLOP per crystal of 12 atoms with 12 neighbours.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vanhove.crystal.graph import Batch

WIDTH, PROMPT, N_ROUNDS, N_LAYERS = 256, 128, 3, 2


def mlp(n_in: int, n_hidden: int, n_out: int, norm: bool = True) -> nn.Sequential:
    between = [nn.LayerNorm(n_hidden)] if norm else []
    return nn.Sequential(
        nn.Linear(n_in, n_hidden), *between, nn.PReLU(), nn.Linear(n_hidden, n_out)
    )


class Layer(nn.Module):
    """Pre-norm attention without projections, then a feed-forward block of width 4."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.second_norm = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x: Tensor, keys: Tensor | None) -> Tensor:
        query = self.norm(x)
        key = query if keys is None else self.norm(keys)
        weights = torch.softmax(torch.bmm(WIDTH**-0.5 * query, key.transpose(1, 2)), dim=-1)
        x = x + torch.bmm(weights, key)
        return x + self.down(torch.relu(self.up(self.second_norm(x))))


class Stack(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Layer() for _ in range(N_LAYERS))
        self.norm = nn.LayerNorm(WIDTH)

    def forward(self, x: Tensor, keys: Tensor | None = None) -> Tensor:
        for layer in self.layers:
            x = layer(x, keys)
        return self.norm(x)


class ReleasedWork(nn.Module):
    """What the released code computes for a batch; ``electron``: its second variant.

    Args:
        n_energies: of the grid, 51 (phonon) or 201 (electron).
        electron: 200 atom features, 41 distances, summed messages, a node more per crystal.
    """

    def __init__(self, n_energies: int, electron: bool):
        super().__init__()
        self.electron = electron
        self.n_atom, self.n_edge = (200, 41) if electron else (118, 4)
        self.atom_in = mlp(self.n_atom, WIDTH, WIDTH, norm=False)
        self.edge_in = mlp(self.n_edge, WIDTH, WIDTH, norm=False)
        self.edge_rounds = nn.ModuleList(mlp(3 * WIDTH, 2 * WIDTH, WIDTH) for _ in range(N_ROUNDS))
        self.node_rounds = nn.ModuleList(mlp(2 * WIDTH, 2 * WIDTH, WIDTH) for _ in range(N_ROUNDS))
        self.energies = nn.Embedding(n_energies, WIDTH)
        self.prompts = nn.Embedding(7, PROMPT)
        self.pooled = nn.Linear(WIDTH, WIDTH)
        self.first, self.own, self.second = Stack(), Stack(), Stack()
        self.without_system = nn.Linear(2 * WIDTH, WIDTH)
        self.with_system = nn.Linear(2 * WIDTH + PROMPT, WIDTH)
        self.out = nn.Linear(WIDTH, 1)

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Both branches, each ``[n_crystals, n_energies]``."""
        n_crystals, extra = batch.n_crystals, int(self.electron)
        per_crystal = batch.max_atoms + extra
        source, target = (
            index + extra * batch.crystal_of_atom[index] for index in batch.edge_index
        )
        x = self.atom_in(torch.ones(n_crystals * per_crystal, self.n_atom))
        e = self.edge_in(torch.ones(len(source), self.n_edge))
        degree = torch.zeros(len(x), 1).index_add(0, target, torch.ones(len(target), 1))
        for edge, node in zip(self.edge_rounds, self.node_rounds, strict=True):
            message = edge(torch.cat([x[source], x[target], e], dim=-1))
            received = torch.zeros_like(x).index_add(0, target, message)
            if not self.electron:
                received = received / degree.clamp(min=1)
            x, e = x + node(torch.cat([x, received], dim=-1)), e + message
        atoms = x.view(n_crystals, per_crystal, WIDTH)
        states = self.first(self.energies.weight.expand(n_crystals, -1, -1), atoms)
        crystal = self.pooled(atoms.sum(dim=1))[:, None].expand_as(states)
        system = self.prompts(batch.crystal_system)[:, None].expand(-1, states.shape[1], -1)
        return (
            self.branch(self.without_system(torch.cat([states, crystal], -1)), atoms),
            self.branch(self.with_system(torch.cat([states, crystal, system], -1)), atoms),
        )

    def branch(self, joined: Tensor, atoms: Tensor) -> Tensor:
        states = self.own(nn.functional.leaky_relu(joined))
        return self.out(self.second(states, atoms)).squeeze(-1)

    def loss(self, batch: Batch, target: Tensor) -> Tensor:
        """Root mean square error of each crystal, of both branches."""
        return torch.stack(
            [((values - target) ** 2).mean(dim=1).sqrt().mean() for values in self(batch)]
        ).sum()
