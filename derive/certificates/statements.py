"""Statements such as dC_t/dC_{t-1} = diag(f_t) + U diag(o_{t-1}), read as maps of a tangent."""

import ast
import re
from collections.abc import Iterator

from derive.certificates.declarations import RefusedError, lagged
from derive.certificates.indices import ONE, SINGLE, Poly, UncheckedError, add, less
from derive.certificates.reader import Value
from derive.certificates.steps import Step

__all__ = ["Maps", "terms"]

_WORD = re.compile(r"(?<![\w.])(?:([A-Za-z]\w*?)_\{t-(\d)\}|[A-Za-z]\w*)")


class Maps:
    """Reads sums of paths: diag(f_t) U diag(...) applied to a tangent, from right to left."""

    def __init__(self, step: Step) -> None:
        self.step = step
        self.reader = step.reader
        self.parts: dict[str, tuple[str, Value]] = {}  # by link: a tangent, and what it moves

    def plain(self, text: str, back: int = 0) -> str:
        """An expression with times as the language writes it: f_t is f, C_{t-1} is C[t-1].

        With `back`, of that many steps earlier.
        """
        timed, names = self.step.timed, self.reader.shapes

        def word(match: re.Match[str]) -> str:
            if match[2]:
                if match[1] not in timed or match[2] == "0":
                    raise RefusedError(f"`{match[0]}` in the statement")
                return lagged(match[1], int(match[2]) + back)
            stem, _, now = match[0].rpartition("_")
            if now == "t" and stem in timed and match[0] not in names:
                return lagged(stem, back)
            if match[0] in timed or (now == "t" and stem in timed):
                raise RefusedError(f"`{match[0]}` in the statement has no time, or two meanings")
            return match[0]

        return _WORD.sub(word, text)

    def name(self, text: str) -> str:
        """A name of a counterexample: x_t, C_{t-2}, dC_{t-1}, or dC_{0} and P_{t-1} over T."""
        product = re.fullmatch(r"(P(?:_\d+)?)_\{t-1\}", text)
        if product and product[1] not in (*self.step.timed, *self.reader.shapes):
            return "P[t-1]"
        if bar := re.fullmatch(r"bar\((\w+)\)_t", text):
            return f"bar({bar[1]})"
        moved = re.fullmatch(r"d(\w+)_\{(t-\d|0)\}", text)
        if moved and moved[1] in self.step.timed and text[:-6] not in self.step.timed:
            return f"d({moved[1]}[{moved[2]}])"
        return self.plain(text)

    def expression(self, text: str) -> Value:
        """An expression of a statement."""
        if "(.)" in text or "(. @" in text:
            raise UncheckedError(f"`{text[:40]}` in the statement is not read")
        return self.reader.read(self.plain(text))

    def applied(self, text: str, to: Value) -> Value:
        """A sum of paths applied to a tangent."""
        if re.fullmatch(r"\(\d+ paths\)", text):
            raise UncheckedError("it says how many paths there are and not which")
        total: Poly = {}
        found = Value(total)
        for sign, path in terms(text) if text != "0" else ():
            value = self.path(path, to)
            if not (value.single or found.single or value.shape == found.shape):
                raise RefusedError(f"`{path[:40]}` gives another shape than the paths before it")
            total = add(total, value.poly, sign=sign)
            found = Value(total, found.shape if value.single else value.shape)
        return Value(total, found.shape)

    def path(self, text: str, to: Value) -> Value:
        """One path: a number, then maps with spaces between."""
        reader, value = self.reader, to
        links = _split(text, " ")
        for place in reversed(range(len(links))):
            link = links[place]
            if link in self.parts:
                name, moved = self.parts[link]
                poly = reader.algebra.substituted(moved.poly, {name: value.poly})
                value = Value(poly, moved.shape)
            elif link == "I":
                continue
            elif link == "(.).T":
                rows, columns = value.shape or (SINGLE, SINGLE)
                poly = reader.algebra.at(value.poly, i=("j", ()), j=("i", ()))
                value = Value(poly, (columns, rows))
            elif link.startswith("(. @ "):
                value = reader.product(value, self.expression(link[5:-1]))
            elif link.startswith("["):
                around = (links[place - 1] if place else "", *links[place + 1 : place + 2])
                value = self.placed(link, around, value)
            elif link == "1^T":
                value = reader.product(Value(ONE), value)
            elif link == "1" and value.shape and value.shape[0] == SINGLE:
                if place and links[place - 1] in self.reader.shapes:
                    raise UncheckedError("how many ones there are is not written")
            elif link.startswith("diag(") and link.endswith(")"):
                value = reader.met(ast.Mult(), self.expression(link[5:-1]), value)
            else:
                value = self._other(link, value)
        return value

    def _other(self, link: str, value: Value) -> Value:
        """A number in front, a matrix, or a bracketed sum of paths behind a part."""
        if link.startswith("(") and "diag(" in link:
            return self.applied(link[1:-1], value)
        found = self.expression(link)
        if found.shape is None:
            return self.reader.met(ast.Mult(), found, value)
        return self.reader.product(found, value)

    def placed(self, link: str, around: tuple[str, ...], value: Value) -> Value:
        """A stack of zeros and `value`; what is left of it says how long the stack is."""
        blocks, left = link[1:-1].split(", "), around[0]
        if blocks.count("I") != 1 or {*blocks} != {"0", "I"} or value.shape is None:
            raise UncheckedError(f"`{link[:40]}` in the statement is not read")
        if left == "1^T":  # zeros add nothing to a sum
            return value
        inside = left.removeprefix("diag(").removesuffix(")") if left[:5] == "diag(" else left
        shape = self.expression(inside).shape or (SINGLE, SINGLE)
        length, place = shape[0 if inside != left else 1], blocks.index("I")
        equal = tuple((name, count // len(blocks)) for name, count in length)
        piece = equal if around[1:] == ("1",) else value.shape[0]  # ones, as many as fit
        before = tuple((name, count * place) for name, count in piece if place)
        if length != tuple((name, count * len(blocks)) for name, count in piece):
            if 0 < place < len(blocks) - 1 or around[1:] == ("1",):
                raise UncheckedError(f"how long the parts of {link} are is not written")
            before = less(length, piece) if place else ()
        stop = less(before, less((), piece))
        return Value(self.reader.algebra.rows(value.poly, before, stop), (length, SINGLE))


def terms(text: str) -> Iterator[tuple[int, str]]:
    """The terms of a sum with their signs."""
    rest = _split(text, " ")
    held: list[str] = []
    sign = 1
    for word in rest:
        if word in ("+", "-"):
            yield sign, " ".join(held)
            sign, held = (1 if word == "+" else -1), []
        elif not held and word.startswith("-") and len(word) > 1:
            sign, held = -sign, [word[1:]]
        else:
            held.append(word)
    yield sign, " ".join(held)


def _split(text: str, mark: str) -> list[str]:
    """Parts between marks that stand outside of all brackets."""
    parts, depth = [""], 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        if character == mark and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts
