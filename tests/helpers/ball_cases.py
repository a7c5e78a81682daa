"""Cells, examples and kernels whose errors are enclosed by tests."""

from fractions import Fraction

import numpy as np
from emitted import executed

from derive.backends.numpy import numpy_source
from derive.gradients import gradients
from derive.language import parse
from verify.kernels import Example
from verify.properties import Trial
from verify.strategies import make_example

__all__ = ["LEAKY", "Spoilt", "emitted", "fraction", "leaky", "trial_of"]

SIZES = {"n": 3, "m": 2, "k": 4, "q": 5, "d": 3, "p": 4}


def emitted(cell):
    return executed(numpy_source(gradients(cell)), cell.name)


def trial_of(cell, kernel=None, **given):
    chosen = {"steps": 4, "batch": 2, "seed": 0, "regime": "mixed", "with_lengths": True}
    sizes = {str(d): SIZES.get(str(d), 3) for d in cell.dimensions}
    example = make_example(cell, **{**chosen, "sizes": sizes, **given})
    return Trial(kernel or emitted(cell), example, gradients(cell))


def fraction(ball):
    """The value of a ball of radius zero."""
    assert ball.is_exact()
    mantissa, exponent = ball.man_exp()
    return Fraction(int(mantissa)) * Fraction(2) ** int(exponent)


LEAKY = parse("input x[n]\nstate h[n]\nh = a * h[t-1] + x", "leaky")


def leaky(kernel):
    """Numbers with so few digits that float64 makes no error."""
    x = np.array([1.0, -2.0, 4.0]).reshape(3, 1, 1)
    example = Example(
        LEAKY,
        params={"a": np.array([0.5])},
        inputs={"x": x},
        state_0={"h": np.array([[3.0]])},
        dstate_T={"h": np.array([[1.0]])},
    )
    return Trial(kernel, example, gradients(LEAKY))


class Spoilt:
    """A kernel with one entry of one gradient changed."""

    def __init__(self, right, name, change):
        self.right, self.name, self.change = right, name, change

    def forward(self, *args, **named):
        return self.right.forward(*args, **named)

    def backward(self, *args, **named):
        grads = dict(self.right.backward(*args, **named))
        wrong = np.array(grads[self.name])
        wrong.flat[0] = self.change(wrong.flat[0])
        return {**grads, self.name: wrong}
