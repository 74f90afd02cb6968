"""Linear layers for inference."""

import pytest
import torch
from torch import nn

from vanhove.models.inference import Int8Linear, PackedLinear, prepare_linear_layers


def test_eight_bits_keep_a_part_in_fifty():
    torch.manual_seed(0)
    exact = nn.Linear(64, 48)
    with torch.no_grad():
        exact.weight[3] *= 100  # each output has its own scale
    low = Int8Linear(exact)
    x = torch.randn(5, 7, 64)
    error = (low(x) - exact(x)).detach().square().mean(dim=(0, 1)).sqrt()
    size = exact(x).detach().square().mean(dim=(0, 1)).sqrt()
    assert (error / size).max() < 0.02
    assert (error > 0).all()
    assert torch.equal(low.weight, exact.weight)


def test_eight_bits_of_nothing_is_nothing():
    assert Int8Linear(nn.Linear(8, 16))(torch.zeros(0, 8)).shape == (0, 16)
    assert torch.isfinite(Int8Linear(nn.Linear(8, 16))(torch.zeros(3, 8))).all()


@pytest.mark.parametrize("precision", ["bfloat16", "int8"])
def test_what_is_kept_is_left_alone(precision):
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(8, 32), nn.Sequential(nn.ReLU(), nn.Linear(32, 32)), nn.Linear(32, 1)
    )
    kept = model[1]
    prepare_linear_layers(model, precision, exact=[kept])
    assert type(kept[1]) is nn.Linear
    assert kept[1].weight.dtype == torch.float32
    if precision == "int8":
        assert type(model[0]) is Int8Linear
        assert type(model[2]) is nn.Linear  # a single output is not worth it
    else:
        assert model[0].weight.dtype == model[2].weight.dtype == torch.bfloat16


def test_packed_layers_give_the_same():
    torch.manual_seed(0)
    exact = nn.Linear(24, 40)
    packed = PackedLinear(exact)
    for x in (torch.randn(0, 24), torch.randn(24), torch.randn(3, 5, 24)):
        with torch.inference_mode():
            assert (packed(x) - exact(x)).abs().sum() <= 1e-5 * x.numel()
    x = torch.randn(2, 24, requires_grad=True)
    packed(x).sum().backward()  # with gradients it is a layer like any other
    torch.testing.assert_close(x.grad, exact.weight.detach().sum(0).expand(2, -1))
