"""The attention layers against their equations."""

import math

import pytest
import torch

from vanhove.models.layers import (
    AttentionLayer,
    AttentionStack,
    GaussianBasis,
    cosine_envelope,
    released_envelope,
)


def softmax_attention(query, keys, mask):
    scores = query @ keys.transpose(1, 2) / math.sqrt(query.shape[-1])
    scores = scores.masked_fill(~mask[:, None, :], -torch.inf)
    return scores.softmax(-1) @ keys


@pytest.fixture
def tensors():
    torch.manual_seed(0)
    mask = torch.tensor([[True] * 5, [True, True, False, False, False]])
    return torch.randn(2, 7, 8), torch.randn(2, 5, 8), mask


def test_bare_attention_is_equation_2(tensors):
    query, keys, mask = tensors
    layer = AttentionLayer(8, "bare", projections=False, drop=0.0)
    assert not list(layer.parameters())
    torch.testing.assert_close(layer(query, keys, mask), softmax_attention(query, keys, mask))


def test_released_attention_is_prenorm_residual_and_feed_forward(tensors):
    query, keys, mask = tensors
    layer = AttentionLayer(8, "released", projections=False, drop=0.0)
    norm = layer.attention_norm
    attended = query + softmax_attention(norm(query), norm(keys), mask)
    expected = attended + layer.feed_forward(attended)
    torch.testing.assert_close(layer(query, keys, mask), expected)
    widths = [m.out_features for m in layer.feed_forward if isinstance(m, torch.nn.Linear)]
    assert widths == [32, 8]


def test_each_head_looks_at_its_own_part(tensors):
    query, keys, mask = tensors
    layer = AttentionLayer(8, "bare", projections=False, drop=0.0, n_heads=2)
    parts = [softmax_attention(query[..., p], keys[..., p], mask) for p in (slice(4), slice(4, 8))]
    torch.testing.assert_close(layer(query, keys, mask), torch.cat(parts, dim=-1))
    # Queries that all crystals share are those of each.
    torch.testing.assert_close(
        layer(query[0], keys, mask), layer(query[:1].expand(2, -1, -1), keys, mask)
    )


@pytest.mark.parametrize("kind", ["released", "bare"])
@pytest.mark.parametrize("projections", [True, False])
@pytest.mark.parametrize("n_heads", [1, 2])
def test_padding_is_not_attended_to(tensors, kind, projections, n_heads):
    query, keys, mask = tensors
    stack = AttentionStack(8, 2, kind, projections, 0.0, n_heads).eval()
    scrambled = torch.where(mask[..., None], keys, 1e3 * torch.randn_like(keys))
    torch.testing.assert_close(stack(query, keys, mask), stack(query, scrambled, mask))


def test_gaussian_basis_peaks_at_its_centers():
    basis = GaussianBasis(5, 4.0)
    torch.testing.assert_close(basis(torch.linspace(0, 4, 5)).diagonal(), torch.ones(5))


@pytest.mark.parametrize("envelope", [cosine_envelope, released_envelope])
def test_envelopes_fall_smoothly_to_zero(envelope):
    r = torch.linspace(0, 4.5, 500, dtype=torch.float64)
    values = envelope(r, 4.0)
    assert values[0] == 1
    assert (values[r >= 4] == 0).all()
    assert (values.diff() <= 1e-12).all()
    assert values.diff().abs().max() < 0.02


@pytest.fixture
def constant(tensors):
    """A stack in evaluation, queries that are a parameter, keys and mask."""
    _, keys, mask = tensors
    torch.manual_seed(3)
    stack = AttentionStack(8, 2, "released", False, drop=0.3).eval()
    for parameter in stack.parameters():
        torch.nn.init.normal_(parameter)
    return stack, torch.nn.Parameter(torch.randn(5, 8)), keys, mask


def test_constant_queries_have_the_plain_result(constant):
    stack, queries, keys, mask = constant
    plain = stack(queries, keys, mask)  # with gradients nothing is kept
    with torch.inference_mode():
        torch.testing.assert_close(stack(queries, keys, mask), plain, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(stack(queries, keys, mask), plain, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("change", ["queries", "weights", "loaded"])
def test_constants_follow_the_parameters(constant, change):
    stack, queries, keys, mask = constant
    with torch.inference_mode():
        before = stack(queries, keys, mask)
    with torch.no_grad():
        if change == "queries":
            queries.mul_(2)
        elif change == "weights":
            stack.layers[0].feed_forward[1].weight.mul_(2)
        else:
            stack.load_state_dict({k: v + 0.5 for k, v in stack.state_dict().items()})
    plain = stack(queries, keys, mask)
    with torch.inference_mode():
        after = stack(queries, keys, mask)
    torch.testing.assert_close(after, plain, rtol=1e-5, atol=1e-5)
    assert not torch.allclose(after, before)
