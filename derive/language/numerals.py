"""Numbers as text: decimals, quotients, and what is made of sizes, such as 1 / sqrt(n + m)."""

import sympy as sp

from derive.language.whitelist import MAX_POWER

__all__ = ["ATOM", "POWER", "PRODUCT", "SUM", "is_readable", "numeral"]

LARGEST = 10**30  # the language's numbers are 0 or between 1 / LARGEST and LARGEST

# How strongly a text holds together.
SUM, PRODUCT, POWER, ATOM = range(4)


def is_readable(value: sp.Expr) -> bool:
    """Whether the text of a number reads back as that number."""
    if value.is_Rational:
        small = abs(value.p) <= LARGEST and value.q <= LARGEST
        inside = 1 <= abs(value) * LARGEST <= LARGEST**2
        return value == 0 or (inside and (small or _decimal(value) is not None))
    if isinstance(value, sp.Pow):
        exponent = value.exp if value.exp.is_Integer else 2 * value.exp
        return exponent.is_Integer and abs(exponent) <= MAX_POWER and is_readable(value.base)
    return value.is_Symbol or (
        isinstance(value, sp.Add | sp.Mul) and all(is_readable(part) for part in value.args)
    )


def numeral(value: sp.Expr) -> tuple[str, int]:
    """The text of a readable number, and how strongly it holds together."""
    if value.is_Rational:
        return _rational(value)
    if isinstance(value, sp.Add):
        return _sum(value), SUM
    number, rest = value.as_coeff_Mul()
    factors = rest.as_ordered_factors()
    below = [part for part in factors if isinstance(part, sp.Pow) and part.exp.is_negative]
    above = [part for part in factors if part not in below]
    if number == 1 and not below and len(above) == 1:
        return _power(value)
    # SymPy gives -(n + m) another form than -1 * (n + m) * k, so the sign stands in front.
    sign = "-" if number == -1 and above and not isinstance(above[0], sp.Add) else ""
    if abs(number) != 1 or not above or (number == -1 and not sign):
        above = [number, *above]
    top = sign + " * ".join(_at(part, POWER) for part in above)
    return " / ".join([top, *(_at(1 / part, POWER) for part in below)]), PRODUCT


def _power(value: sp.Expr) -> tuple[str, int]:
    """A size, or a power or root of a number."""
    if not isinstance(value, sp.Pow):
        return str(value), ATOM
    if value.exp == sp.Rational(1, 2):
        return f"sqrt({numeral(value.base)[0]})", ATOM
    whole = value.exp.is_Integer
    base = value.base if whole else sp.sqrt(value.base)
    return f"{_at(base, ATOM)} ** {value.exp if whole else 2 * value.exp}", POWER


def _at(value: sp.Expr, place: int) -> str:
    text, strength = numeral(value)
    first = value.is_Rational and strength == PRODUCT  # -2 or 1 / 3, which lead a product
    return text if strength >= place or first else f"({text})"


def _sum(value: sp.Add) -> str:
    text = ""
    for term in value.as_ordered_terms():
        negative = text and term.as_coeff_Mul()[0].is_negative
        shown = _at(-term if negative else term, PRODUCT)
        text = f"{text} {'-' if negative else '+'} {shown}" if text else shown
    return text


def _rational(value: sp.Rational) -> tuple[str, int]:
    """Whole numbers and finite decimals as they are, other fractions as a quotient."""
    text = str(value) if value.is_Integer else _decimal(value)
    if text is None:
        return f"{value.p} / {value.q}", PRODUCT
    return text, PRODUCT if value.is_negative else ATOM


def _decimal(value: sp.Rational) -> str | None:
    """The shortest decimal that reads as this number exactly, if there is one."""
    text = repr(float(value))
    return text if sp.Rational(text) == value else None
