"""Certificates that were tampered with, and sealed again, are rejected for what is wrong."""

import copy
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from certified import certified, changed, claim_of, reasons, resealed, wrong
from hypothesis import given, settings
from hypothesis import strategies as st

from derive.certificates.checker import MalformedError, check
from derive.certificates.claims import OPEN, RIGHT, UNDECIDED, VOID, WRONG

Change = Callable[[Any], None]


def sets(part: str, name: str, old: str, new: str) -> Change:
    """Replace in the value of an assignment or a cotangent."""

    def change(cell: Any) -> None:
        (row,) = [row for row in cell[part] if row["name"] == name]
        assert old in row["value"], row
        row["value"] = row["value"].replace(old, new, 1)

    return change


def claims(name: str, key: str, old: str, new: str, verdict: str = "") -> Change:
    """Replace in a claim."""

    def change(cell: Any) -> None:
        claim = claim_of(cell, name, verdict)
        assert old in claim[key], claim
        claim[key] = claim[key].replace(old, new, 1)

    return change


def text(old: str, new: str) -> Change:
    """Replace in the cell's text."""

    def change(cell: Any) -> None:
        assert old in cell["text"]
        cell["text"] = cell["text"].replace(old, new, 1)

    return change


def without(part: str, name: str) -> Change:
    """Take out every row of that name."""

    def change(cell: Any) -> None:
        cell[part] = [row for row in cell[part] if row["name"] != name]

    return change


def voided(name: str) -> Change:
    """Say that a claim does not apply."""

    def change(cell: Any) -> None:
        claim_of(cell, name).update(
            verdict=VOID, level="", example="", normal_form=[], hypotheses="there is none"
        )

    return change


def twice(part: str) -> Change:
    return lambda cell: cell[part].append(cell[part][0])


TOTAL, MULTIPLY = "total derivative is the path", "total derivatives multiply"

TAMPERED: list[tuple[str, str, Change, str]] = [
    (
        "a sign",
        "lstm",
        sets("cotangents", "C", "carry(C) +", "carry(C) -"),
        "the cotangent of 'C'",
    ),
    ("a dropped term", "lstm", sets("cotangents", "h[t-1]", "U_f.T @ bar(a_f)", "0"), "h.t-1."),
    (
        "a dropped path",
        "peephole_lstm",
        sets("cotangents", "C[t-1]", " + bar(a_i) * p_i", ""),
        "the cotangent of 'C.t-1.'",
    ),
    (
        "a swapped name",
        "lstm",
        sets("cotangents", "i", "bar(C) * g", "bar(C) * f"),
        "the cotangent of 'i'",
    ),
    ("U for U.T", "lstm", sets("cotangents", "h[t-1]", "U_f.T", "U_f"), "the cotangent of 'h"),
    (
        "an outer product turned",
        "lstm",
        sets("cotangents", "U_f", "bar(a_f) @ h[t-1].T", "h[t-1] @ bar(a_f).T"),
        "the cotangent of 'U_f'",
    ),
    ("C_t for C_{t-1}", "lstm", sets("cotangents", "f", "C[t-1]", "C"), "the cotangent of 'f'"),
    ("a slope", "lstm", sets("cotangents", "a_f", "(1 - f)", "(1 - f ** 2)"), "of 'a_f'"),
    (
        "a slope by 1e-9",
        "lstm",
        sets("cotangents", "a_g", "1 - g ** 2", "1.000000001 - g ** 2"),
        "of 'a_g'",
    ),
    (
        "a name twice",
        "rnn",
        sets("cotangents", "b", "bar(a_h)", "2 * bar(a_h)"),
        "the cotangent of 'b'",
    ),
    ("a cotangent less", "rnn", without("cotangents", "b"), "'b' has no cotangent"),
    (
        "another name for an assignment",
        "rnn",
        lambda cell: cell["assignments"][0].update(name="dy"),
        "`dy` is no name",
    ),
    ("an assignment twice", "rnn", twice("assignments"), "a second one"),
    ("an assignment less", "rnn", without("assignments", "h"), "'h' has no assignment"),
    (
        "a code for a name",
        "rnn",
        lambda cell: cell["assignments"][0].update(value="__import__('os').getcwd()"),
        "not in the language",
    ),
    (
        "an assignment",
        "lstm",
        sets("assignments", "C", "f * C[t-1]", "o * C[t-1]"),
        "the assignments give 'C' another value",
    ),
    (
        "a shape",
        "lstm",
        lambda cell: cell["assignments"][0].update(shape=["m", "1"]),
        "another shape",
    ),
    ("a changed text", "lstm", text("i * g", "i * f"), "the assignments give 'C' another value"),
    ("a text with a sign", "rnn", text("U @", "-U @"), "the assignments give 'h' another value"),
    ("a declared shape", "rnn", text("b[n]", "b[1]"), "the cotangent of 'b'|another shape"),
    ("a statement's factor", "lstm", claims("path", "statement", "f_t", "i_t"), "different normal"),
    (
        "a statement's state",
        "lstm",
        claims("path", "statement", "dC_t/dC_{t-1}", "dh_t/dh_{t-1}"),
        "different normal",
    ),
    (
        "a statement's sense",
        "lstm",
        claims("path", "statement", "direct", "total"),
        "not one of this kind",
    ),
    (
        "a statement's sign",
        "gru_reset_before_z_new",
        claims("output path", "statement", "1 - z_t", "1 + z_t"),
        "different normal",
    ),
    (
        "a partial derivative of a statement",
        "lstm",
        claims("total derivative", "statement", "i_t * (1 - i_t)", "i_t"),
        "is not what is written",
    ),
    (
        "the product over T",
        "lstm",
        claims("path over T steps", "statement", "(f_t)", "(f_t * f_t)"),
        "different normal",
    ),
    (
        "what is claimed of the sweep",
        "rnn",
        claims("gradients", "statement", "for any T", "without end"),
        "not one of this kind",
    ),
    (
        "a matrix turned",
        "rnn",
        claims("recurrent Jacobian", "statement", " U", " U.T"),
        "different normal",
    ),
    (
        "the hypotheses",
        "lstm",
        claims("path", "hypotheses", "are held fixed", "are free"),
        "the hypotheses",
    ),
    ("a level", "lstm", claims("path", "level", "decided", "kernel-checked"), "the level"),
    (
        "a level of nothing",
        "rnn",
        lambda c: claim_of(c, "path").update(level="decided"),
        "evidence",
    ),
    (
        "a verdict, to refuted",
        "lstm",
        claims("path", "verdict", "proved", "refuted"),
        "no common normal form|no numbers|not written",
    ),
    (
        "a verdict, to proved",
        "lstm",
        claims(TOTAL, "verdict", "refuted", "proved"),
        "no counterexample",
    ),
    (
        "a verdict, to proved without the numbers",
        "peephole_lstm",
        lambda c: claim_of(c, "path").update(verdict="proved", example=""),
        "different normal forms",
    ),
    ("a verdict of one's own", "lstm", claims("path", "verdict", "proved", "true"), "verdict"),
    ("a verdict, to void", "lstm", voided("path"), "'path' is about C, not"),
    ("a misreading voided", "lstm", voided(TOTAL), "is about C, not"),
    (
        "what should hold",
        "lstm",
        lambda c: claim_of(c, "path").update(should_hold=False),
        "should hold",
    ),
    ("a claim less", "lstm", without("claims", "path"), "there is no claim 'path'"),
    ("a misreading less", "lstm", without("claims", TOTAL), "there is no claim"),
    (
        "a claim of another state",
        "lstm",
        claims("path", "statement", "dC_t/dC_{t-1} = diag(f_t)", "dx_t/dx_{t-1} = I"),
        "no state",
    ),
    ("the left number", "lstm", claims(TOTAL, "example", "left 0.75", "left 0.76"), "complex step"),
    (
        "both left numbers",
        "lstm",
        lambda c: claim_of(c, TOTAL).update(
            example=claim_of(c, TOTAL)["example"].replace("0.75", "0.76")
        ),
        "left side is 0.75",
    ),
    ("the right number", "lstm", claims(TOTAL, "example", "right 0.5", "right 0.4"), "right side"),
    ("a value", "lstm", claims(TOTAL, "example", "U_g = 1", "U_g = 2"), "left side is 1"),
    ("a name of a value", "lstm", claims(TOTAL, "example", "U_g = 1", "h_t = 1"), "computed"),
    ("a shape of a value", "lstm", claims(TOTAL, "example", "= 1, all", "= [1, 2], all"), "shape"),
    ("a size", "lstm", claims(TOTAL, "example", "n = 1", "n = 2"), "shape"),
    ("a size less", "lstm", claims(TOTAL, "example", "n = 1, m = 1", "m = 1"), "the size 'n'"),
    (
        "numbers that refute nothing",
        "lstm",
        lambda c: claim_of(c, TOTAL).update(
            example="n = 1, m = 1; all else 0: left 0.5, right 0.5"
        ),
        "both sides are the same",
    ),
    (
        "numbers of two steps",
        "lstm",
        claims(MULTIPLY, "example", "right 0.505", "right 0.506"),
        "right side",
    ),
    ("a range", "lstm", claims("gates", "statement", "(0, 1)", "(-1, 1)"), "ranges"),
    ("a gate", "lstm", claims("gates", "statement", "f_t", "W_f_t"), "not in the language"),
    (
        "a second bias",
        "gru",
        claims("second bias", "statement", "dL/db_r", "dL/db_z"),
        "the two gradients",
    ),
    (
        "a second bias behind the reset",
        "gru",
        lambda c: claim_of(c, "second bias", "refuted").update(verdict="proved", example=""),
        "the two gradients",
    ),
    (
        "a normal form",
        "lstm",
        lambda c: claim_of(c, "path")["normal_form"].append("1 f[i]"),
        "the normal form",
    ),
    (
        "a normal form's coefficient",
        "lstm",
        lambda c: claim_of(c, "gradients")["normal_form"].__setitem__(0, "2"),
        "the normal form",
    ),
]


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [pytest.param(*row, id=what) for what, *row in TAMPERED],
)
def test_a_tampered_certificate_is_rejected(name: str, change: Change, said: str) -> None:
    found = reasons(changed(name, change))
    assert re.search(said, found), found
    assert all(len(line) < 300 for line in found.splitlines())


def test_a_digest_that_is_another_is_rejected() -> None:
    document = certified("rnn")
    document["cells"][0]["digest"] = "0" * 64
    assert {f.reason for f in wrong(document)} == {
        "the seal is not that of the text: something was changed",
        "the digest is not that of the cell's text",
    }


def leaves(part: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The places of all values in a document."""
    items = part.items() if isinstance(part, dict) else enumerate(part)
    for key, value in items:
        if isinstance(value, dict | list):
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key)


def put(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    """A copy with another value at a place."""
    copied = inner = copy.deepcopy(document)
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return copied


def test_whatever_is_changed_the_seal_says_so() -> None:
    document = certified("rnn")
    for path in leaves(document):
        if path[0] not in ("seal", "format", "version"):
            place = document
            for key in path:
                place = place[key]
            value = not place if isinstance(place, bool) else f"{place} "
            (seal, *_) = wrong(put(document, path, value))
            assert "seal" in seal.reason


def signs(name: str) -> Iterator[tuple[str, str]]:
    """Every cotangent with one of its signs changed, or one of its factors taken for another."""
    (cell,) = certified(name)["cells"]
    for row in cell["cotangents"]:
        for match in re.finditer(r" [+-] ", row["value"]):
            other = " - " if match[0] == " + " else " + "
            yield row["name"], row["value"][: match.start()] + other + row["value"][match.end() :]
        for match in re.finditer(r"bar\(\w+\)", row["value"]):
            yield row["name"], f"{row['value'][: match.start()]}dy{row['value'][match.end() :]}"


@pytest.mark.parametrize("name", ["lstm", "gru", "softmax_readout", "gla"])
def test_no_sign_and_no_cotangent_of_a_sweep_can_be_another(name: str) -> None:
    seen = 0
    for of, value in signs(name):
        document = certified(name)
        (row,) = [r for r in document["cells"][0]["cotangents"] if r["name"] == of]
        row["value"] = value
        assert wrong(resealed(document)), (of, value)
        seen += 1
    assert seen > 10


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.text(max_size=30),
    st.sampled_from(
        [
            "h[t-1]",
            "0",
            "1 / 0",
            "bar(h)",
            "sum(h)",
            "((1" * 30,
            "9" * 60,
            "2 ** 16 ** 16",
            "[h, h]",
            "h.T @ h",
            "column(h)",
            "n = 1, m = 1; all else 0: left 1, right 2",
            "n = 9999, m = 9999; all else 0: left 1, right 2",
            "dh_t/dh_{t-1} = I",
            "\ud800",
            "\uff48 + h",
            "input x[m]\nstate h[n]\nh = x",
            "__import__('os')._exit(7)",
        ]
    ),
    st.lists(st.text(max_size=5), max_size=3),
)


@settings(max_examples=40, deadline=10_000)
@given(data=st.data(), name=st.sampled_from(["rnn", "lstm", "gru", "softmax_readout", "slstm"]))
def test_no_change_makes_the_checker_crash_or_hang(data: st.DataObject, name: str) -> None:
    document = certified(name)
    places = [path for path in leaves(document) if path[0] != "seal"]
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(places))
        document = put(document, path, data.draw(VALUES))
    try:
        found = list(check(resealed(document)))
    except MalformedError:
        return
    assert {f.outcome for f in found} <= {RIGHT, WRONG, OPEN, UNDECIDED, VOID}
    assert all(f.reason for f in found if f.outcome in (WRONG, OPEN))


@settings(max_examples=40, deadline=10_000)
@given(
    document=st.recursive(
        st.one_of(st.none(), st.booleans(), st.floats(), st.text(max_size=9)),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=9), inner, max_size=4)
        ),
    )
)
def test_any_other_document_is_no_certificate(document: Any) -> None:
    with pytest.raises(MalformedError):
        list(check(document))
