"""Weights of the tight-binding model: written, read, upgraded, refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from vanhove.errors import CheckpointError
from vanhove.models.tight_binding.error_bars import HalfWidths
from vanhove.models.tight_binding.network import TightBinding, TightBindingSettings
from vanhove.prediction.electron_predictor import electron_weights
from vanhove.runs.checkpoint import read_info, read_safetensors, write_safetensors
from vanhove.runs.hamiltonian import (
    HAMILTONIAN_FORMAT,
    HamiltonianInfo,
    MemberInfo,
    load_hamiltonian,
    save_hamiltonian,
)
from vanhove.weights import find_weights

SETTINGS = TightBindingSettings(cutoff=4.5, hidden_dim=16, n_channels=4, n_basis=8)


def two_members() -> list[TightBinding]:
    torch.manual_seed(0)
    return [TightBinding(SETTINGS), TightBinding(SETTINGS)]


@pytest.fixture
def written(tmp_path) -> Path:
    info = HamiltonianInfo(
        model=SETTINGS,
        n_members=2,
        members=[MemberInfo(run={"seed": 7, "teacher": None}, data={"a": "0"}, history={})],
        half_widths={"gap": HalfWidths(0.1, {"0.9": 2.0}, 5)},
    )
    save_hamiltonian(tmp_path / "mine.safetensors", two_members(), info)
    return tmp_path / "mine.safetensors"


def test_members_and_what_is_known_come_back(written):
    models, info = load_hamiltonian(written)
    for own, other in zip(two_members(), models, strict=True):
        for given, read in zip(own.parameters(), other.parameters(), strict=True):
            assert torch.equal(given, read)
    assert (info.format, info.elements) == (HAMILTONIAN_FORMAT.current, None)
    assert info.members[0].run == {"seed": 7, "teacher": None}
    assert info.half_widths["gap"].of(0.0) == pytest.approx(0.2)
    assert electron_weights(written) == written


def test_weights_without_p_orbitals_of_hydrogen_are_refused(written):
    tensors, text = read_safetensors(written)
    for older in ("vanhove tight-binding 1", 2, 3):
        write_safetensors(written, tensors, json.dumps(json.loads(text) | {"format": older}))
        with pytest.raises(CheckpointError, match="before format 4, when hydrogen had no p"):
            load_hamiltonian(written)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 9, "version": "2.0"}, r"written in format 9 by a newer vanhove \(2\.0\)"),
        ({"format": "vanhove tight-binding 0"}, "was never written by vanhove"),
        ({"colour": "red"}, "not tight-binding weights that this version knows .colour"),
        ({"n_members": 3}, "weights that do not fit its settings .'2"),
        ({"model": {"hidden_dim": 17}}, "weights that do not fit its settings"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_sentence(written, change, message):
    tensors, text = read_safetensors(written)
    write_safetensors(written, tensors, json.dumps(json.loads(text) | change))
    with pytest.raises(CheckpointError, match=message) as error:
        load_hamiltonian(written)
    assert str(error.value).startswith(str(written))
    assert "\n" not in str(error.value)


def test_other_files_are_told_apart(written, small_run, tmp_path):
    assert electron_weights(small_run / "best.safetensors") is None
    (tmp_path / "bad.safetensors").write_bytes(b"nothing")
    assert electron_weights(tmp_path / "bad.safetensors") is None
    with pytest.raises(CheckpointError, match="not a readable safetensors file"):
        load_hamiltonian(tmp_path / "bad.safetensors")
    for path in (written, find_weights("vanhove-electron")):
        with pytest.raises(CheckpointError, match="tight-binding weights, which predict but"):
            read_info(path)
