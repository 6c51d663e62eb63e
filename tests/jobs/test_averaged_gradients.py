"""Two processes with half a batch each step on the gradient of the whole."""

import pytest
import torch
from safetensors.torch import load_file

from tests.jobs.half_batch import ROWS, gradients, start
from tests.jobs.test_several_processes import launch

pytestmark = pytest.mark.flow


def test_two_processes_step_on_the_gradient_of_one_with_the_double_batch(tmp_path):
    launch("tests.jobs.half_batch", str(tmp_path))
    first, second = (load_file(tmp_path / f"{rank}.safetensors") for rank in (0, 1))

    whole = gradients(start("cpu"), slice(0, ROWS))

    half = gradients(start("cpu"), slice(0, ROWS // 2))
    for part in ("critic|", "actor|"):
        names = [name for name in whole if name.startswith(part)]
        together, once, alone = (
            torch.cat([found[name].flatten() for name in names]) for found in (first, whole, half)
        )
        assert (together - once).norm() <= 2e-5 * once.norm()
        # The halves do differ, so averaging is what made them equal.
        assert (alone - once).norm() > 0.01 * once.norm()
    assert first.keys() == second.keys() == whole.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
