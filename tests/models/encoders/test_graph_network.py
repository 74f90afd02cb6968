"""The graph network computes per atom and per kind of edge what it may, with the plain result."""

import pytest
import torch

from vanhove.crystal.graph import GraphSettings, build_graph, collate
from vanhove.datasets import load_dataset
from vanhove.models.encoders.graph_network import GraphNetwork, GraphNetworkSettings
from vanhove.models.layers import cosine_envelope

CUTOFF = 4.0


@pytest.fixture(scope="module")
def batch():
    crystals = load_dataset("tiny").crystals[:5]
    graphs = [build_graph(crystal, GraphSettings(cutoff=CUTOFF)) for crystal in crystals]
    return collate(graphs).to("cpu", torch.float64)


def plain(network: GraphNetwork, features: torch.Tensor, batch) -> torch.Tensor:
    """Everything per edge, one edge state, messages before they are summed."""
    source, target = batch.edge_index
    distance = batch.edge_vector.norm(dim=1)
    envelope = cosine_envelope(distance, CUTOFF)[:, None]
    if network.settings.aggregation == "mean":
        total = torch.zeros(len(features), 1).index_add(0, target, envelope)
        weight = envelope / total[target]
    else:
        weight = envelope / network.settings.typical_degree
    x = network.atom_in(features)
    e = network.edge_in(network.basis(distance) * envelope)
    for processor in network.processors:
        from_source, from_target = processor.from_atoms(x).chunk(2, dim=1)
        joined = from_source[source] + from_target[target] + processor.from_edge(e)
        message = processor.edge_out(joined)
        received = torch.zeros_like(x).index_add(0, target, message * weight)
        x, e = x + processor.node(torch.cat([x, received], dim=1)), e + message
    return x


@pytest.fixture(autouse=True)
def double_precision():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("n_layers", [0, 1, 2, 3])
@pytest.mark.parametrize("aggregation", ["sum", "mean"])
def test_savings_change_neither_states_nor_gradients(batch, aggregation, n_layers):
    torch.manual_seed(0)
    settings = GraphNetworkSettings(
        hidden_dim=16, n_layers=n_layers, n_basis=8, aggregation=aggregation, dropout=0.0
    )
    network = GraphNetwork(settings, atom_dim=6, cutoff=CUTOFF)
    features = torch.randn(len(batch.atomic_numbers), 6)
    gradients = []
    for states in (network(features, batch), plain(network, features, batch)):
        network.zero_grad()
        (states**2).sum().backward()
        gradients.append([p.grad for p in network.parameters() if p.grad is not None])
    torch.testing.assert_close(network(features, batch), plain(network, features, batch))
    torch.testing.assert_close(*gradients)


def test_an_atom_without_neighbours_receives_nothing(batch):
    network = GraphNetwork(GraphNetworkSettings(hidden_dim=8), atom_dim=6, cutoff=CUTOFF).eval()
    features = torch.randn(len(batch.atomic_numbers), 6)
    far = type(batch)(
        **{
            **batch.__dict__,
            "edge_index": batch.edge_index[:, :0],
            "edge_vector": batch.edge_vector[:0],
        }
    )
    expected = network.atom_in(features)
    for processor in network.processors:
        silence = torch.zeros_like(expected)
        expected = expected + processor.node(torch.cat([expected, silence], dim=1))
    torch.testing.assert_close(network(features, far), expected)
