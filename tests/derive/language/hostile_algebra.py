"""Texts that must be refused: scalars, sums, lags, sizes as numbers and matrices as states."""

from tests.derive.language.hostile_files import Row

__all__ = ["ALGEBRA"]

_HEAD = "input x[m]\nstate h[n], k[1], C[n, m]\nk = tanh(k[t-1])\nC = tanh(C[t-1])\n"
_ROW = "the transpose of a vector is a row, which stands only in a product"
_FIT = "do not fit"
_ZERO = "a division by 0; divide by what cannot be 0"
_BOTH = "beside a scalar, so that it may be a scalar, too; declare it: `parameter b[...]`"
_LONG = "written out, it is longer than 2000 characters|nests deeper than 72"
_EITHER = "neither a state nor an input; to keep it one step, declare `state p[...]`"
_INITIAL = "'x_lag_1_0' names the initial state of 'x_lag_1'"


def _nested(before: str, after: str, times: int = 20) -> str:
    return f"h = W @ {before * times}x{after * times}"


_FIFTH = (
    # Functions: how many arguments, and of what.
    ("sum of nothing", "h = sum() * (W @ x)", "sum takes one argument"),
    ("sum of two", "h = sum(x, x) * (W @ x)", "sum takes one argument"),
    ("dot of one", "h = dot(x) * (W @ x)", "dot takes two arguments"),
    ("max of one", "h = max(W @ x)", "max takes two arguments"),
    ("max of three", "h = max(W @ x, 1, 2)", "max takes two arguments"),
    ("max with a keyword", "h = max(W @ x, key=x)", "max takes two arguments"),
    ("sum of a starred argument", "h = sum(*x) * h[t-1]", "(Starred) is not in the language"),
    ("outer of one", "C = outer(x)", "outer takes two arguments"),
    ("softmax of two", "h = softmax(W @ x, 0)", "softmax takes one argument"),
    ("softmax of a matrix", "h = softmax(C) @ x", "`softmax(C)`: a vector expected, found [n, m]"),
    ("logsumexp of a matrix", "h = logsumexp(C) * (W @ x)", "a vector expected, found [n, m]"),
    ("outer of a matrix", "h = outer(C, x) @ x", "`outer(C, x)`: a vector expected, found [n, m]"),
    ("outer with a scalar", "h = outer(W @ x, k) @ k", "outer with a scalar; write a product"),
    ("dot of two lengths", "h = dot(x, h[t-1]) * (W @ x)", _FIT),
    ("dot with a scalar", "h = dot(x, k) * (W @ x)", _FIT),
    ("dot with a number", "h = dot(x, 2) * (W @ x)", "dot of a number; write the number"),
    ("max of two lengths", "h = max(x, h[t-1])", _FIT),
    ("sum of a number", "h = sum(2) * (W @ x)", "sum of a number; write the number that it gives"),
    ("mean of a size", "h = mean(n) * (W @ x)", "mean of a number; write the number"),
    ("max of two numbers", "h = max(1, 2) * (W @ x)", "max of a number; write the number"),
    ("norm of a number", "h = norm(3) * (W @ x)", "norm of a number; write the number"),
    ("sum as a name", "h = sum * (W @ x)", "'sum' is a function: write sum(...)"),
    ("mean as a name", "h = W @ x + mean", "'mean' is a function: write mean(...)"),
    ("mean as a target", "mean = W @ x", "'mean' is a function of the language"),
    ("dot as a target", "dot = W @ x", "'dot' is a function of the language"),
    ("reciprocal as a target", "reciprocal = W @ x", "'reciprocal' is a function of the lang"),
    ("softmax as a lag", "h = softmax[t-1]", "'softmax' is a function of the language"),
    ("method of a function", "h = sum.T @ x", "'sum' is a function: write sum(...)"),
    # Scalars, vectors and matrices.
    ("matrix as a vector", "h = C", "shapes [n] (declared in line 2) and [n, m] (declared in line"),
    ("vector plus matrix", "h = W @ x + C", _FIT),
    ("matrix plus row", "h = (C + x) @ x", _FIT),
    ("matrix times vector, entry by entry", "h = (C * x) @ x", _FIT),
    ("matrix over vector", "h = (C / x) @ x", _FIT),
    ("sum of two matrices of two shapes", "h = (C + C.T) @ x", _FIT),
    ("product of two matrices that do not fit", "h = C @ C @ x", "`C @ C @ x`: shapes [n, m]"),
    ("scalar times a vector as a matrix", "h = (k * x) @ x", "a matrix expected, found [m]"),
    ("scalar as a matrix", "h = k @ x", "`k @ x`: a matrix expected, found [1]"),
    ("matrix times a scalar with @", "h = C @ k", "`C @ k`: shapes [n, m]"),
    ("undeclared beside a scalar", "h = k * b + W @ x", _BOTH),
    ("undeclared beside a scalar in max", "h = max(b, k) + W @ x", _BOTH),
    ("undeclared over a scalar", "h = b / k + W @ x", _BOTH),
    ("undeclared beside two scalars", "h = k * b + k + W @ x", _BOTH),
    ("undeclared beside a scalar in a sum", "h = sum(k * b) * (W @ x)", _BOTH),
    ("undeclared beside a scalar of a name", "g = k * b\nh = g * (W @ x)", _BOTH),
    ("undeclared filling", "h = W @ x + sum(b)", "the shape of 'b' does not follow from its use"),
    ("column that meets nothing", "h = sum(column(x)) * (W @ x)", "how many columns does [m, ?] h"),
    (
        "column in a product",
        "h = (W * V) @ column(x) @ x",
        "column(v) in a matrix product|a vector",
    ),
    (
        "column of a matrix",
        "h = (C * column(C)) @ x",
        "`column(C)`: a vector expected, found [n, m]",
    ),
    ("column of a number", "h = (C * column(2)) @ x", "column of a number; write the number"),
    ("column beside a vector", "h = column(x) + x", "do not fit"),
    ("column as a name", "h = column @ x", "'column' is a function: write column(...)"),
    # Transposes.
    ("row alone", "h = W @ x + x.T", f"`x.T`: {_ROW}"),
    ("row in a function", "h = tanh(h[t-1].T)", f"`h[t-1].T`: {_ROW}"),
    ("row in a sum", "h = (W @ x) @ (x.T + x.T) @ x", f"`x.T`: {_ROW}"),
    ("transpose of a function", "h = tanh(C).T @ x", "attribute '.T'; only name.T (transpose)"),
    (
        "transpose of a product",
        "h = (W @ C).T @ x",
        "attribute '.T'; only name.T (transpose)",
    ),
    ("transpose of a size", "h = n.T @ x", "`n.T`: a number has no transpose"),
    ("transpose of a scalar", "h = k.T @ k * (W @ x)", "the transpose of a scalar is itself"),
    ("product of rows", "h = x.T @ x.T", "`x.T @ x.T`: shapes [1, m]"),
    # Division and numbers of sizes.
    ("zero over a vector", "h = 0 / (W @ x)", "a product with 0 is 0; leave it out"),
    ("size over zero", "h = n / 0 * (W @ x)", _ZERO),
    ("zero that sizes make", "h = (W @ x) / (n - n)", _ZERO),
    ("size less itself", "h = (m - m) * (W @ x)", "a product with 0 is 0; leave it out"),
    ("divisor that may be zero", "h = (W @ x) / (n - 1)", "a division by n - 1, which may be 0"),
    ("root of a negative number", "h = sqrt(-1) * (W @ x)", "sqrt of -1, which is negative"),
    ("root of a difference", "h = sqrt(n - m) * (W @ x)", "which may be negative"),
    ("root of a root", "h = sqrt(sqrt(n)) * (W @ x)", "a number of sizes that has no text here"),
    ("high power of a size", "h = n ** 16 * n * (W @ x)", "a number of sizes that has no text"),
    ("function of a size", "h = tanh(n) * (W @ x)", "tanh of a number alone"),
    ("function of a root", "h = exp(sqrt(n)) * (W @ x)", "exp of a number alone"),
    ("size as a matrix", "h = n @ x", "'@' between a number and something; use '*'"),
    ("size in a list", "h = W @ [x, n]", "a number in a list; only vectors can be stacked"),
    ("size as an equation", "g = n\nh = g * (W @ x)", "a number alone has no shape"),
    (
        "size as a target, beside a scalar",
        "n = W @ x",
        "'n' is also the name of a size; rename one",
    ),
    ("lag of a size", "h = n[t-1] * (W @ x)", f"'n[t-1]', but 'n' is {_EITHER}"),
    ("size at t", "h = n[t] * (W @ x)", "'n[t]', but 'n' is a parameter; write n"),
    ("size as an exponent", "h = (W @ x) ** n", "a power must be a whole number from 2 to 16"),
    ("size called", "h = n(x)", "unknown function 'n'"),
    ("large power of sizes", f"h = {'*'.join(['(n + m) ** 16'] * 99)} * (W @ x)", "no text here"),
    ("tiny number among sizes", "h = 1e-20 * n * 1e-20 * (W @ x)", "no text here"),
    # Lags.
    ("two steps back of a parameter", "h = W @ b[t-2]", f"'b[t-2]', but 'b' is {_EITHER}"),
    ("lag of ten", "h = W @ x[t-10]", "'x[t-10]': a lag is [t-1] to [t-8]"),
    ("name of a carried lag read", "h = W @ x[t-1] + x_lag_1", "the state 'x_lag_1' would carry"),
    ("name of a carried lag, one step", "h = W @ (x[t-1] + x_lag_1[t-1])", "is the name of somet"),
    ("initial state of a carried lag", "h = W @ x[t-1] + x_lag_1_0", _INITIAL),
    # Much from little.
    ("maxima in maxima", _nested("max(x, ", ")"), _LONG),
    ("softmax in softmax", _nested("softmax(", ")"), _LONG),
    ("norms in norms", f"h = {'norm(' * 20}x{')' * 20} * (W @ x)", _LONG),
    ("minima of maxima", _nested("min(max(", ", x), x)", 11), _LONG),
    ("sums of sums", f"h = {'sum(' * 99}x{')' * 99} * (W @ x)", "brackets nest deeper than 24"),
    ("chain of divisions", f"h = W @ x{' / h[t-1]' * 200}", "nests deeper than 192"),
)
_X, _SOUND = "input x[m]\n", "h = W @ x\n"

ALGEBRA: tuple[Row, ...] = (
    *(Row(name, f"{_HEAD}{text}\n", says, 5) for name, text, says in _FIFTH),
    Row(
        "matrix as the output",
        f"{_X}state H[n, n]\nH = tanh(U @ H[t-1])\n",
        "the first state is the output y, a vector, found H[n, n]; declare a vector before it",
        2,
    ),
    Row(
        "matrix before the output",
        f"{_X}state C[n, m], h[n]\nC = tanh(C[t-1])\nh = C @ x\n",
        "the first state is the output y, a vector, found C[n, m]",
        2,
    ),
    Row(
        "lag of an intermediate, two steps",
        f"{_X}state h[n]\ng = W @ x\nh = g[t-2]\n",
        f"'g[t-2]', but 'g' is {_EITHER}",
        4,
    ),
    Row(
        "name of a carried lag defined",
        f"{_X}state h[n]\nx_lag_1 = x\nh = W @ (x[t-1] + x_lag_1)\n",
        "it is the name of something else; rename that",
        4,
    ),
    Row(
        "lag of a name of 32 letters",
        f"input {'x' * 32}[m]\nstate h[n]\nh = W @ {'x' * 32}[t-1]\n",
        f"the state '{'x' * 32}_lag_1' would carry the lag of",
        3,
    ),
    Row(
        "carried lag as an input",
        "input x[m], x_lag_2[m]\nstate h[n]\nh = W @ (x[t-2] + x_lag_2)\n",
        "the state 'x_lag_2' would carry the lag of 'x', but it is the name of something else",
        3,
    ),
    Row(
        "carried lag as a size",
        "input x[x_lag_1]\nstate h[n]\nh = W @ x[t-1]\n",
        "'x_lag_1' is also the name of a size; rename one",
        1,
    ),
    Row(
        "scalar that is a vector",
        f"{_X}state h[n], k[1]\nk = W @ x + h[t-1]\nh = k * (V @ x)\n",
        "shapes [1] (declared in line 2) and [n] (",
        3,
    ),
    Row("scalars alone and an input", f"{_X}state h[1]\nh = 2 * k\n", "input 'x' is never", 1),
)
