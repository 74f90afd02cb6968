"""Linear layers for inference."""

import os
import platform
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import torch
from torch import nn

from vanhove.models.inference import Int8Linear, PackedLinear, prepare_linear_layers
from vanhove.models.processor import has_bfloat16, int8_weight_bits, training_precision

LOWER = "test_lower_precision_is_close_and_float32_comes_back"


@pytest.mark.parametrize(("bits", "most"), [(8, 0.02), (7, 0.03)])
def test_eight_bits_keep_a_part_in_fifty_and_seven_in_thirty(bits, most):
    if bits > int8_weight_bits():
        pytest.skip("8 bits saturate on this processor: layers take 7")
    torch.manual_seed(0)
    exact = nn.Linear(64, 48)
    with torch.no_grad():
        exact.weight[3] *= 100  # each output has its own scale
    low = Int8Linear(exact, bits)
    x = torch.randn(5, 7, 64)
    error = (low(x) - exact(x)).detach().square().mean(dim=(0, 1)).sqrt()
    size = exact(x).detach().square().mean(dim=(0, 1)).sqrt()
    assert (error / size).max() < most
    assert (error > 0).all()
    assert torch.equal(low.weight, exact.weight)


def test_eight_bits_are_right_where_products_are_largest():
    """What saturates first: inputs and weights that are all the largest of their kind."""
    exact = nn.Linear(256, 16, bias=False)
    nn.init.ones_(exact.weight)
    x = torch.ones(3, 256)
    torch.testing.assert_close(Int8Linear(exact)(x), exact(x), rtol=0.01, atol=0)


LIMITED = {
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "ATEN_CPU_CAPABILITY": "avx2",
    "FBGEMM_ENABLE_INSTRUCTIONS": "AVX2",
}
"""Hides the newer instructions of a processor (x86) from torch and its libraries."""


@pytest.mark.skipif(
    platform.machine().lower() not in ("x86_64", "amd64"), reason="instruction sets of x86"
)
def test_all_precisions_are_right_without_new_instructions():
    """The other tests of this file and those of predictions, on an AVX2 processor as it were."""
    here = Path(__file__)
    tests = [f"{here}::test_eight_bits_are_right_where_products_are_largest"]
    tests += [f"{here}::test_eight_bits_keep_a_part_in_fifty_and_seven_in_thirty"]
    tests += [f"{here}::test_packed_layers_give_the_same"]
    tests += [f"{here.parents[1] / 'prediction' / 'test_predictor.py'}::{LOWER}"]
    command = [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", *tests]
    limited = subprocess.run(
        command, env=os.environ | LIMITED, capture_output=True, text=True, check=False
    )
    assert limited.returncode == 0, limited.stdout[-3000:]
    assert "8 bits saturate" in limited.stdout  # the limit was heeded


def test_training_on_a_cpu_takes_bfloat16_where_products_are_large():
    cpu = torch.device("cpu")
    assert training_precision("float32", cpu) == "float32"
    assert training_precision("auto", cpu, lambda: 1.0) == "float32"
    large = training_precision("auto", cpu, lambda: 100.0)
    assert large == ("bfloat16" if has_bfloat16() else "float32")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert training_precision("bfloat16", cpu) == "bfloat16"
    assert bool(told) == (not has_bfloat16())


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
