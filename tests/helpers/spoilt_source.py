"""An emitted kernel with one gradient negated, by an edit of one line of its text."""

import re

__all__ = ["negated"]


def negated(source: str, parameter: str) -> str:
    """The kernel whose `backward` returns minus the gradient of `parameter`."""
    head, found, rest = source.partition("\ndef backward(")
    pattern = rf'^( +"{parameter}": )(.+),$'
    spoilt, count = re.subn(pattern, r"\1-(\2),", rest, count=1, flags=re.MULTILINE)
    assert found, "the kernel has no backward"
    assert count == 1, f"no line of backward returns the gradient of {parameter}"
    return head + found + spoilt
