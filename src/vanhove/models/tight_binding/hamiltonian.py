"""Hamiltonians of one crystal: the mean of several networks, and what follows at wave vectors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from vanhove.crystal.crystal import Crystal
from vanhove.models.tight_binding.atoms import SHELL_OF_ORBITAL
from vanhove.models.tight_binding.graph import collate_electrons, electron_graph
from vanhove.models.tight_binding.network import (
    Blocks,
    TightBinding,
    energies,
    hamiltonian,
)
from vanhove.physics.bloch import eigenvalues
from vanhove.physics.meshes import time_reversed_mesh

_AT_ONCE = 200_000
"""Numbers of the matrices that are diagonalised together: what a processor's cache holds."""
_WINDOW = (-7.0, 4.0)  # eV


class CrystalHamiltonian:
    """H(k) of one crystal in an orthonormal basis of s, p and d orbitals.

    Networks trained apart have zeros of their own; they are brought together where their bands
    around the Fermi level agree best on a coarse mesh. The mean of their blocks is one Hamiltonian
    again, as fast as a single one.

    Attributes:
        members: of each network.
        zeros: what to take off their energies, eV.
        mean: of all, from the common zero.
        spread: standard deviation over the networks of energies around the Fermi level, on a coarse
            mesh of the primitive or whatever cell this is, mean, eV.

    Args:
        models: the networks.
        crystal: in any cell.
        like: of the same crystal in another cell, whose zeros and spread are taken.

    Raises:
        StructureError: an element without levels.
    """

    def __init__(
        self,
        models: Sequence[TightBinding],
        crystal: Crystal,
        like: CrystalHamiltonian | None = None,
    ):
        self.crystal = crystal
        self.graph = electron_graph(crystal, models[0].settings.cutoff)
        batch = collate_electrons([self.graph])
        with torch.no_grad():
            self.members: list[Blocks] = [model(batch)[0] for model in models]
        self.zeros: list[float]
        self.spread: float
        self.zeros, self.spread = self._compared() if like is None else (like.zeros, like.spread)
        self.mean = self._mean()
        self.semicore = self.mean.semicore.double().numpy()

    @property
    def n_electrons(self) -> int:
        return self.graph.n_electrons

    @property
    def n_states(self) -> int:
        return self.graph.n_states

    @property
    def orbital_atom(self) -> np.ndarray:
        """Of each state's basis: the orbitals, then the semicore levels; numbers of atoms."""
        return np.concatenate([self.graph.orbitals.numpy() // 9, self.graph.semicore_atom.numpy()])

    @property
    def orbital_shell(self) -> np.ndarray:
        """0, 1, 2 for s, p, d, in the order of `orbital_atom`."""
        semicore = self.graph.semicore_shell.numpy()
        return np.concatenate([SHELL_OF_ORBITAL[self.graph.orbitals.numpy() % 9], semicore])

    def cartesian(self, fractional: np.ndarray) -> Tensor:
        """1/angstrom, ``[n_k, 3]``."""
        return torch.as_tensor(np.asarray(fractional), dtype=torch.float32) @ self.graph.reciprocal

    def matrix(self, kpoints: Tensor) -> Tensor:
        """Complex Hermitian, eV, ``[n_k, n_orbitals, n_orbitals]``; ``kpoints`` Cartesian."""
        with torch.no_grad():
            return hamiltonian(self.mean, kpoints)

    def energies(self, fractional: np.ndarray) -> np.ndarray:
        """All bands, semicore levels among them, increasing, eV, ``[n_k, n_states]``."""
        found = [
            torch.linalg.eigvalsh(self.matrix(part)).double().numpy()
            for part in self._parts(fractional)
        ]
        bands = np.concatenate(found)
        flat = np.broadcast_to(self.semicore, (len(bands), len(self.semicore)))
        return np.sort(np.concatenate([bands, flat], axis=1), axis=1)

    def states(self, fractional: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As `energies`, and the share of each orbital (rows) in each band (columns).

        Returns:
            ``[n_k, n_states]`` and ``[n_k, n_states, n_states]``; rows in the order of
            `orbital_atom`, each column of sum 1.
        """
        energies, shares = [], []
        n, m = len(self.graph.orbitals), self.n_states
        for part in self._parts(fractional):
            values, vectors = eigenvalues(self.matrix(part))
            share = np.zeros((len(part), m, m))
            share[:, :n, :n] = (vectors.abs() ** 2).numpy()
            share[:, n:, n:] = np.eye(m - n)
            flat = np.broadcast_to(self.semicore, (len(part), m - n))
            own = np.concatenate([values.double().numpy(), flat], axis=1)
            order = own.argsort(axis=1, kind="stable")
            energies.append(np.take_along_axis(own, order, axis=1))
            shares.append(np.take_along_axis(share, order[:, None, :], axis=2))
        return np.concatenate(energies), np.concatenate(shares)

    def member_energies(self, fractional: np.ndarray) -> np.ndarray:
        """Of each network by itself, from the common zero, ``[n_members, n_k, n_states]``."""
        result = []
        for member, zero in zip(self.members, self.zeros, strict=True):
            with torch.no_grad():
                bands = np.concatenate(
                    [
                        torch.linalg.eigvalsh(hamiltonian(member, part)).double().numpy()
                        for part in self._parts(fractional)
                    ]
                )
            flat = np.broadcast_to(
                member.semicore.double().numpy(), (len(bands), len(self.semicore))
            )
            result.append(np.sort(np.concatenate([bands, flat], axis=1), axis=1) - zero)
        return np.stack(result)

    def _parts(self, fractional: np.ndarray) -> list[Tensor]:
        size = max(1, _AT_ONCE // len(self.graph.orbitals) ** 2)
        return list(self.cartesian(fractional).split(size))

    def _mean(self) -> Blocks:
        """The mean of the members' blocks, each from its own zero."""
        orbitals = torch.eye(len(self.graph.orbitals), dtype=self.graph.vector.dtype)

        def mean(name: str, shift: Tensor | float | None = None) -> Tensor:
            values = [getattr(member, name) for member in self.members]
            if shift is not None:
                values = [v - shift * z for v, z in zip(values, self.zeros, strict=True)]
            return torch.stack(values).mean(dim=0)

        return Blocks(
            cells=self.graph.cells,
            even=mean("even"),
            odd=mean("odd"),
            own=mean("own", orbitals),
            centre=mean("centre", 1.0),
            semicore=mean("semicore", 1.0),
        )

    def _compared(self) -> tuple[list[float], float]:
        """Zeros and spread of the members, see the class."""
        points = self.cartesian(time_reversed_mesh((2, 2, 2))[0])
        with torch.no_grad():
            bands = torch.stack([energies(member, points) for member in self.members])
        first = bands[0]
        level = first[:, max(self.n_electrons // 2 - 1, 0)].max()
        inside = (first > level + _WINDOW[0]) & (first < level + _WINDOW[1])
        if not inside.any():
            inside[:] = True
        apart = (bands - first)[:, inside]
        zeros = apart.mean(dim=1)
        spread = (apart - zeros[:, None]).std(dim=0, correction=0).mean()
        return zeros.tolist(), float(spread)
