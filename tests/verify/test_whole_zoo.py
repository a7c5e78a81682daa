"""Every cell of the zoo: derived gradients and complex step agree; emitted kernels are right."""

import numpy as np
import pytest

from derive import zoo
from derive.backends.numpy import numpy_source
from derive.gradients import gradients
from verify.differences import complex_step_gradients, declared_slopes
from verify.loading import kernel_from_source
from verify.references import reference
from verify.runner import run
from verify.sampling import pinned


@pytest.mark.parametrize("name", zoo.names())
def test_derived_gradients_equal_complex_step_on_the_equations(name):
    cell = zoo.load(name)
    if declared_slopes(cell):
        pytest.skip(f"{name} declares a slope: complex step is not its gradient")
    example = next(pinned(cell, 0))
    found, expected = (
        reference(example, gradients(cell), np.longdouble),
        complex_step_gradients(example),
    )
    assert found.grads.keys() == expected.keys()
    told = 0
    for key, value in expected.items():
        told += np.isfinite(found.grads_bound[key]).sum()
        inside = np.abs(found.grads[key] - value) <= found.grads_bound[key]
        assert (inside | np.isinf(found.grads_bound[key])).all(), key
    assert told


@pytest.mark.parametrize("name", zoo.names())
def test_the_emitted_kernel_is_right(name):
    cell = zoo.load(name)
    report = run(cell, kernel_from_source(numpy_source(gradients(cell))), examples=2, seed=1)
    assert (report.verdict, report.findings) == ("right", ())
