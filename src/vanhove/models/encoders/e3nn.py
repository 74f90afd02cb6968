"""E3NN: Euclidean neural network (Chen et al., Adv. Sci. 8, 2004214 (2021)), with the e3nn library.

The library is the optional extra ``vanhove[e3nn]``; it is imported when an `E3NN` is made.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from vanhove.crystal.elements import ELEMENT_TABLES, N_ELEMENTS, element_table
from vanhove.crystal.graph import Batch
from vanhove.errors import MissingExtraError
from vanhove.models.atom_features import ATOM_FEATURES
from vanhove.models.encoders.encoder import Encoder, EncoderSettings
from vanhove.models.layers import released_envelope
from vanhove.models.registry import register_encoder


class E3NNSettings(EncoderSettings):
    """Settings of `E3NN`."""

    name: Literal["e3nn"] = "e3nn"
    hidden_dim: int = Field(64, ge=1, description="number of scalars per atom at the output")
    embedding_dim: int = Field(
        64, ge=1, description="number of scalars per atom before the convolutions"
    )
    multiplicity: int = Field(32, ge=1, description="number of channels per degree and parity")
    lmax: int = Field(1, ge=0, le=3, description="largest degree of the spherical harmonics")
    n_layers: int = Field(
        2, ge=1, description="number of gated convolutions; an ungated one follows"
    )
    n_basis: int = Field(10, ge=2, description="number of Gaussians per distance")
    radial_dim: int = Field(100, ge=1, description="width of the radial MLP's hidden layer")
    typical_degree: float = Field(
        16.0, gt=0, description="constant whose square root sums over neighbours are divided by"
    )
    atom_features: tuple[str, ...] = Field(("mass_weighted_one_hot",), description=ATOM_FEATURES)


@register_encoder(E3NNSettings)
class E3NN(Encoder):
    """Crystal -> scalar atom states ``[n_atoms_total, hidden_dim]``, from equivariant convolutions.

    Atom features and the one-hot element each go through a linear layer and ReLU. ``n_layers``
    convolutions with gates and one without follow: the library's ``Convolution`` of January 2021,
    which the authors' tutorial uses, whose every linear map is a tensor product with the embedded
    element. Edges carry the spherical harmonics up to ``lmax`` times a smooth cutoff; their weights
    come from an MLP on Gaussians of the distance.

    Differences to the tutorial:

    - Its last convolution gives the 51 values of the spectrum and is followed by ReLU and the mean
      over atoms. Here it gives ``hidden_dim`` scalars, and the decoder does the rest.
    - It feeds masses in u. Here the features are divided by the root mean square length of the rows
      of the element tables (for masses 172 u) and the first weights scaled to match, so that the
      embeddings have the unit variance which the library assumes.
    - Features and element share one linear layer there and have one each here, so that any element
      table and the crystal system can be fed.
    - Channels that cannot reach a scalar output are left out (for the defaults ``1e`` in the last
      gate): their weights would never get a gradient.
    - Its graph has a zero-length edge per atom (``graph.self_edges``).

    Everything is computed in the parameters' precision, also under autocast.

    Raises:
        MissingExtraError: e3nn is not installed.
    """

    def __init__(self, settings: E3NNSettings, *, atom_dim: int, cutoff: float):
        super().__init__()
        try:
            # e3nn 0.4 (which mace-torch wants) reads constants with slices when it is imported.
            with torch.serialization.safe_globals([slice]):
                from e3nn import math as e3nn_math
                from e3nn import o3
        except ImportError:
            raise MissingExtraError("e3nn", "e3nn", "the encoder e3nn") from None
        self.settings = settings
        self.cutoff = cutoff
        self.out_dim = settings.hidden_dim
        self.spherical_harmonics = o3.spherical_harmonics
        self.radial_basis = e3nn_math.soft_one_hot_linspace
        self.edge_irreps = o3.Irreps.spherical_harmonics(settings.lmax)
        embedding = o3.Irreps([(settings.embedding_dim, "0e")])

        self.feature_scale = 1 / typical_length(settings.atom_features, atom_dim)
        self.features_in = nn.Linear(atom_dim, settings.embedding_dim)
        self.element_in = nn.Linear(N_ELEMENTS, settings.embedding_dim)
        for layer in (self.features_in, self.element_in):
            nn.init.normal_(layer.weight, std=2**0.5)  # ReLU halves the mean square
            nn.init.zeros_(layer.bias)

        self.gates = nn.ModuleList(
            _gates(embedding, self.edge_irreps, settings.multiplicity, settings.n_layers)
        )
        inputs = [embedding, *(gate.irreps_out for gate in self.gates)]
        outputs = [*(gate.irreps_in for gate in self.gates), o3.Irreps([(self.out_dim, "0e")])]
        self.convolutions = nn.ModuleList(
            PointConvolution(irreps_in, embedding, self.edge_irreps, irreps_out, settings)
            for irreps_in, irreps_out in zip(inputs, outputs, strict=True)
        )
        for module in self.modules():  # the library's constants; a checkpoint holds parameters only
            for name, buffer in list(module.named_buffers(recurse=False)):
                module.register_buffer(name, buffer, persistent=False)

    def forward(self, features: Tensor, batch: Batch) -> Tensor:
        dtype = self.element_in.weight.dtype
        with torch.autocast(features.device.type, enabled=False):
            vector = batch.edge_vector.to(dtype)
            distance = torch.linalg.vector_norm(vector, dim=-1)
            harmonics = self.spherical_harmonics(
                self.edge_irreps, vector, normalize=True, normalization="component"
            )
            edge = released_envelope(distance, self.cutoff)[:, None] * harmonics
            n_basis = self.settings.n_basis
            radial = n_basis**0.5 * self.radial_basis(
                distance, 0.0, self.cutoff, n_basis, basis="gaussian", cutoff=False
            )
            one_hot = F.one_hot(batch.atomic_numbers - 1, N_ELEMENTS).to(dtype)
            element = torch.relu(self.element_in(one_hot))
            x = torch.relu(self.features_in(features.to(dtype) * self.feature_scale))
            source, target = batch.edge_index
            for i, convolution in enumerate(self.convolutions):
                x = convolution(x, element, source, target, edge, radial)
                if i < len(self.gates):
                    x = self.gates[i](x)
        return x


class PointConvolution(nn.Module):
    """Messages from neighbours by a tensor product with the edge, beside the atom's own state.

    As the convolution of January 2021 in e3nn, which the tutorial uses: ``sin(pi/8) S x + cos(pi/8)
    L2 (sum over neighbours of w(r) (L1 x) (x) Y) / sqrt(typical degree)``, where S, L1 and L2 are
    tensor products with the element and w is a network of the distance. Written here since e3nn
    0.4 has it beside what needs torch_geometric.

    Args:
        irreps_in, element, edge, irreps_out: of atoms before, elements, edges and atoms after.
        settings: of the encoder.
    """

    def __init__(
        self, irreps_in: Any, element: Any, edge: Any, irreps_out: Any, settings: E3NNSettings
    ):
        super().__init__()
        from e3nn import o3
        from e3nn.nn import FullyConnectedNet

        self.scale = settings.typical_degree**-0.5
        self.sc = o3.FullyConnectedTensorProduct(irreps_in, element, irreps_out)
        self.lin1 = o3.FullyConnectedTensorProduct(irreps_in, element, irreps_in)
        paths = [
            (i, j, multiplicity, ir)
            for i, (multiplicity, ir_in) in enumerate(irreps_in)
            for j, (_, ir_edge) in enumerate(edge)
            for ir in ir_in * ir_edge
            if ir in irreps_out
        ]
        between, place, _ = o3.Irreps([(n, ir) for _, _, n, ir in paths]).sort()
        instructions = [(i, j, place[k], "uvu", True) for k, (i, j, _, _) in enumerate(paths)]
        tp = o3.TensorProduct(
            irreps_in, edge, between, instructions, internal_weights=False, shared_weights=False
        )
        self.fc = FullyConnectedNet(
            [settings.n_basis, settings.radial_dim, tp.weight_numel], F.silu
        )
        self.tp = tp
        self.lin2 = o3.FullyConnectedTensorProduct(between, element, irreps_out)

    def forward(
        self,
        x: Tensor,
        element: Tensor,
        source: Tensor,
        target: Tensor,
        edge: Tensor,
        radial: Tensor,
    ) -> Tensor:
        own = self.sc(x, element)
        x = self.lin1(x, element)
        messages = self.tp(x.index_select(0, source), edge, self.fc(radial))
        received = messages.new_zeros(len(x), messages.shape[1]).index_add(0, target, messages)
        received = self.lin2(received * self.scale, element)
        mask = self.sc.output_mask  # where there is a state of its own to add to
        share = 1 - mask + math.cos(math.pi / 8) * mask
        return math.sin(math.pi / 8) * own + share * received


def typical_length(tables: tuple[str, ...], atom_dim: int = 0) -> float:
    """Root mean square length of the elements' rows in the joined tables.

    Each of the ``atom_dim`` columns of what is learned counts 1: these are z-scored, or start so.
    """
    rows = [element_table(name)[1:] for name in tables if name in ELEMENT_TABLES]
    squares = [(table.astype(np.float64) ** 2).sum(axis=1) for table in rows]
    if len(rows) < len(tables):
        n_learned = atom_dim - sum(table.shape[1] for table in rows)
        squares.append(np.full(N_ELEMENTS, float(n_learned)))
    return float(np.sqrt(np.nanmean(np.sum(squares, axis=0))))


def _gates(irreps_in: Any, edge_irreps: Any, multiplicity: int, n_layers: int) -> list[nn.Module]:
    """The gated nonlinearities; each keeps what its input reaches and a scalar output needs."""
    from e3nn import o3
    from e3nn.nn import Gate

    hidden = [o3.Irrep(degree, p) for degree in range(edge_irreps.lmax + 1) for p in (-1, 1)]

    def reached(start: set[Any]) -> set[Any]:
        return {out for ir in start for _, edge in edge_irreps for out in ir * edge}

    needed = [{o3.Irrep("0e")}]
    for _ in range(n_layers):
        needed.insert(0, needed[0] | {ir for ir in hidden if reached({ir}) & needed[0]})
    gates: list[nn.Module] = []
    present = {ir for _, ir in irreps_in}
    for wanted in needed[:-1]:
        kept = [ir for ir in hidden if ir in wanted & reached(present)]
        scalars = [(multiplicity, ir) for ir in kept if ir.l == 0]
        gated = [(multiplicity, ir) for ir in kept if ir.l > 0]
        gates.append(
            Gate(
                o3.Irreps(scalars),
                [F.silu if ir.p == 1 else torch.tanh for _, ir in scalars],
                o3.Irreps([(multiplicity, "0e") for _ in gated]),
                [torch.sigmoid for _ in gated],
                o3.Irreps(gated),
            )
        )
        present = set(kept)
    return gates
