"""The dynamical matrix of large cells at Gamma, real: its sparse springs, and dipoles on a mesh."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vanhove.physics.dipoles import dipole_weights
from vanhove.physics.ewald import lattice_points
from vanhove.physics.harmonic import HarmonicCrystal

MOST_DENSE = 2000
"""Atoms: beyond, products with the matrix are cheaper than the matrix."""
_WIDTH = 5
"""Mesh points along each axis on which an atom is spread, see `MeshDipoles`."""
_OVERSAMPLING = 1.5
_STRIPES = 8
"""In which a symmetric product is taken."""


class GammaMatrix:
    """Products of vectors ``[3 n_atoms, n]`` with the dynamical matrix at Gamma.

    Its time and memory grow with the number of atoms alone, but for up to `MOST_DENSE` atoms, where
    the whole matrix is made. On the CPU, in float32.

    Args:
        crystal: in which acoustic modes cost nothing; without non-analytic term.
    """

    def __init__(self, crystal: HarmonicCrystal):
        self.n_atoms = crystal.n_atoms
        self.is_dense = crystal.n_atoms <= MOST_DENSE
        self.springs = _springs(crystal)
        self.dipoles: MeshDipoles | None = None
        if crystal.charges is not None and not self.is_dense:
            self.dipoles = MeshDipoles(crystal)
            self.springs = self.springs - _block_diagonal(self.dipoles.own)
        self.matrix: Tensor | None = None
        if self.is_dense:
            self.matrix = torch.from_numpy(self.springs.toarray())
            if crystal.charges is not None:
                self.matrix += _dense_dipoles(crystal)

    def __call__(self, vectors: Tensor) -> Tensor:
        if self.matrix is not None:
            return self.matrix @ vectors
        product = torch.from_numpy(self.springs @ vectors.numpy())
        return product if self.dipoles is None else product + self.dipoles(vectors)


def _springs(crystal: HarmonicCrystal) -> Any:
    from scipy.sparse import bsr_matrix

    n = crystal.n_atoms
    masses = crystal.masses.float()
    root = masses.rsqrt()
    source, target = crystal.source, crystal.target
    springs = crystal.springs.float()
    own = springs.new_zeros(n, 3, 3).index_add(0, target, springs) / masses[:, None, None]
    between = -springs * (root[source] * root[target])[:, None, None]
    atoms = torch.arange(n, device=source.device)
    pair = torch.cat([target * n + source, atoms * (n + 1)])
    kept, place = torch.unique(pair, return_inverse=True)
    blocks = springs.new_zeros(len(kept), 3, 3).index_add(0, place, torch.cat([between, own]))
    row = torch.bincount(kept // n, minlength=n).cumsum(0).cpu().numpy()
    parts = (blocks.cpu().numpy(), (kept % n).cpu().numpy(), np.append(0, row))
    return bsr_matrix(parts, shape=(3 * n, 3 * n)).tocsr()


def _block_diagonal(blocks: np.ndarray) -> Any:
    from scipy.sparse import bsr_matrix

    n = len(blocks)
    parts = (blocks.astype(np.float32), np.arange(n), np.arange(n + 1))
    return bsr_matrix(parts, shape=(3 * n, 3 * n)).tocsr()


def _moved(crystal: HarmonicCrystal) -> Tensor:
    """The crystal as a whole along each axis, in mass-weighted coordinates, ``[3 n_atoms, 3]``."""
    return (crystal.masses.cpu().float().sqrt()[:, None, None] * torch.eye(3)).flatten(0, 1)


def _own(crystal: HarmonicCrystal, product: Tensor) -> Tensor:
    """What makes forces vanish when the crystal moves, from the product with `_moved`,
    ``[n_atoms, 3, 3]``."""
    own = product.unflatten(0, (-1, 3)) / crystal.masses.cpu().float().sqrt()[:, None, None]
    return (own + own.transpose(1, 2)) / 2


def _dense_dipoles(crystal: HarmonicCrystal) -> Tensor:
    """As `Dipoles` at Gamma alone, mass-weighted: of each wave and its opposite one."""
    assert crystal.charges is not None
    assert crystal.dielectric is not None
    lattice = crystal.lattice.cpu().double().numpy()
    reach = 2 * crystal.inverse_range * crystal.accuracy
    waves = lattice_points(2 * math.pi * np.linalg.inv(lattice).T, reach)
    waves = waves[len(waves) // 2 + 1 :]  # opposite ones mirror each other around zero
    wave = torch.from_numpy(waves).float()
    weight = 2 * dipole_weights(
        wave, crystal.dielectric.cpu().float(), crystal.lattice.cpu(), reach, crystal.inverse_range
    )
    charges = crystal.charges.cpu().float() * crystal.masses.cpu().float().rsqrt()[:, None, None]
    moment = (charges.transpose(1, 2) @ (wave * weight.sqrt()[:, None]).T).flatten(0, 1)
    phase = (crystal.positions.cpu().float() @ wave.T).repeat_interleave(3, dim=0)
    both = torch.cat([moment * phase.cos(), moment * phase.sin()], dim=1)
    matrix = _square(both)
    own = _own(crystal, matrix @ _moved(crystal))
    atoms = torch.arange(crystal.n_atoms)
    matrix.view(crystal.n_atoms, 3, crystal.n_atoms, 3)[atoms, :, atoms] -= own
    return matrix


def _square(matrix: Tensor) -> Tensor:
    """``matrix @ matrix.T``: what mirrors what is there already is copied."""
    n = len(matrix)
    product = matrix.new_empty(n, n)
    step = -(-n // _STRIPES)
    for start in range(0, n, step):
        rows = slice(start, start + step)
        product[rows, : start + step] = matrix[rows] @ matrix[: start + step].T
        product[:start, rows] = product[rows, :start].T
    return product


class MeshDipoles:
    """Products with the forces between dipoles at Gamma, by fast Fourier transforms.

    The sum over waves of `vanhove.physics.dipoles` is taken on a mesh: each atom is spread on
    `_WIDTH` points along each axis with the window ``exp(b sqrt(1 - (2 t / width)^2))``, whose
    Fourier transform is divided out again (Barnett, Magland and af Klinteberg, SIAM J. Sci. Comput.
    41, C479, 2019). To about a part in a thousand.

    Attributes:
        own: what is to be subtracted from the blocks of atoms with themselves so that moving the
            crystal as a whole costs nothing, ``[n_atoms, 3, 3]``.
    """

    def __init__(self, crystal: HarmonicCrystal):
        assert crystal.charges is not None
        assert crystal.dielectric is not None
        from scipy.fft import next_fast_len

        lattice = crystal.lattice.cpu().double().numpy()
        inverse = np.linalg.inv(lattice)
        reach = 2 * crystal.inverse_range * crystal.accuracy
        longest = np.floor(reach * np.linalg.norm(lattice, axis=1) / (2 * np.pi))
        wanted = np.maximum(np.ceil(_OVERSAMPLING * (2 * longest + 1)), 2 * _WIDTH).astype(int)
        self.shape = tuple(next_fast_len(int(n), real=True) for n in wanted)
        self.steepness = 0.97 * np.pi * _WIDTH * (1 - 1 / (2 * _OVERSAMPLING))
        charges = crystal.charges.cpu().double() * crystal.masses.cpu().double().rsqrt().view(
            -1, 1, 1
        )
        fractional = crystal.positions.cpu().double().numpy() @ inverse
        self.gather = self._gather(fractional, inverse, charges.numpy())
        self.spread = self.gather.T.tocsr()
        index = [np.fft.fftfreq(n, 1 / n) for n in self.shape]
        index[2] = np.arange(self.shape[2] // 2 + 1)
        grid = np.stack(np.meshgrid(*index, indexing="ij"), axis=-1)
        wave = torch.from_numpy(grid @ (2 * np.pi * inverse.T)).float()
        kernel = dipole_weights(
            wave,
            crystal.dielectric.cpu().float(),
            crystal.lattice.cpu(),
            reach,
            crystal.inverse_range,
        ).double()
        for axis, (own, n) in enumerate(zip(index, self.shape, strict=True)):
            shape = [1, 1, 1]
            shape[axis] = -1
            kernel /= torch.from_numpy(self._transform(own / n).reshape(shape)) ** 2
        self.kernel = (kernel * math.prod(self.shape)).float()
        self.own = _own(crystal, self(_moved(crystal))).numpy()

    def __call__(self, vectors: Tensor) -> Tensor:
        mesh = torch.from_numpy(self.spread @ vectors.numpy()).T.contiguous()
        waves = torch.fft.rfftn(mesh.view(-1, *self.shape), dim=(1, 2, 3)) * self.kernel
        back = torch.fft.irfftn(waves, s=self.shape, dim=(1, 2, 3))
        return torch.from_numpy(self.gather @ back.flatten(1).T.contiguous().numpy())

    def _window(self, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The window and its derivative at distances ``t`` in steps of the mesh."""
        scaled = 2 * t / _WIDTH
        root = np.sqrt(np.maximum(1 - scaled**2, 1e-12))
        value = np.exp(self.steepness * (root - 1)) * (np.abs(scaled) < 1)
        return value, -value * self.steepness * scaled / root * 2 / _WIDTH

    def _transform(self, frequency: np.ndarray) -> np.ndarray:
        """The Fourier transform of the window at frequencies per step of the mesh."""
        nodes, weights = np.polynomial.legendre.leggauss(64)
        t = nodes * _WIDTH / 2
        value = self._window(t)[0] * weights * _WIDTH / 2
        return np.cos(2 * np.pi * frequency[:, None] * t) @ value

    def _gather(self, fractional: np.ndarray, inverse: np.ndarray, charges: np.ndarray) -> Any:
        """``[3 n_atoms, n_points]``: charges times the gradient of the window at the points."""
        from scipy.sparse import csr_matrix

        n, size = len(fractional), np.array(self.shape)
        t = fractional * size
        points = np.ceil(t - _WIDTH / 2)[:, None] + np.arange(_WIDTH)[None, :, None]
        value, slope = self._window(t[:, None] - points)  # [n_atoms, width, 3]
        along = []
        for axis in range(3):
            x, y, z = ((slope if axis == i else value)[:, :, i] for i in range(3))
            product = x[:, :, None, None] * y[:, None, :, None] * z[:, None, None, :]
            along.append(product.reshape(n, -1) * size[axis])
        gradient = np.einsum("ca,nap->ncp", inverse, np.stack(along, axis=1))
        data = np.einsum("ncd,ncp->ndp", charges, gradient).astype(np.float32)
        x, y, z = (points.astype(int) % size).transpose(2, 0, 1)
        place = (x[:, :, None, None] * size[1] + y[:, None, :, None]) * size[2]
        place = (place + z[:, None, None, :]).reshape(n, -1)
        column = np.repeat(place.astype(np.int32), 3, axis=0)
        start = np.arange(3 * n + 1) * _WIDTH**3
        return csr_matrix((data.ravel(), column.ravel(), start), shape=(3 * n, int(size.prod())))
