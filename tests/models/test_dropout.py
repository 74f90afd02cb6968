import pytest
import torch

from vanhove.models.dropout import Dropout, dropped


@pytest.mark.parametrize("probability", [0.05, 0.5, 0.9])
@pytest.mark.parametrize("shape", [(3,), (401, 1003)])
def test_numbers_are_dropped_with_the_probability_and_the_mean_is_kept(probability, shape):
    torch.manual_seed(0)
    found = dropped(torch.ones(shape), probability)
    assert found.shape == shape
    kept = found[found != 0]
    torch.testing.assert_close(
        kept, torch.full_like(kept, 1 / (1 - probability)), rtol=2e-4, atol=0
    )
    if found.numel() > 1000:
        error = (probability * (1 - probability) / found.numel()) ** 0.5
        assert float((found == 0).float().mean()) == pytest.approx(probability, abs=5 * error)
        assert float(found.mean()) == pytest.approx(1, abs=5 * error / (1 - probability))


def test_numbers_are_dropped_independently():
    torch.manual_seed(0)
    kept = (dropped(torch.ones(4, 100_000), 0.5) > 0).double()
    # Neighbours share a draw of the generator: no bit of it may tell another.
    for step in (1, 2, 3, 4):
        of_row = torch.corrcoef(torch.stack([kept[0, :-step], kept[0, step:]]))
        assert abs(float(of_row[0, 1])) < 0.016
    between = torch.corrcoef(kept) - torch.eye(4)
    assert between.abs().max() < 0.016


def test_the_seed_decides():
    x = torch.randn(50, 7)
    first, second, third = (dropped(x, 0.3) for _ in range(3) if torch.manual_seed(_ // 2))
    assert torch.equal(first, second)
    assert not torch.equal(first, third)


def test_what_is_dropped_gets_no_gradient():
    x = torch.randn(1000, requires_grad=True)
    found = Dropout(0.25)(x)
    found.sum().backward()
    assert torch.equal(x.grad == 0, found == 0)
    torch.testing.assert_close(x.grad * x, found)


def test_nothing_is_dropped_in_evaluation_or_at_probability_0():
    x = torch.randn(10)
    assert Dropout(0.5).eval()(x) is x
    state = torch.get_rng_state()
    assert Dropout(0.0)(x) is x
    assert torch.equal(torch.get_rng_state(), state)


def test_of_bfloat16_is_bfloat16():
    assert dropped(torch.ones(9, dtype=torch.bfloat16), 0.1).dtype == torch.bfloat16
