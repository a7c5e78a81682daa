"""Imports point one way: the order of the rooms, in which each may import from those above it.

A package is one place. Imports count wherever they stand: inside a function they are as much a
dependence as at the top, and under TYPE_CHECKING a room knows the type of another one. The table of
lazy names in `derive/__init__.py` counts as imports of that module, which is why it stands last.
"""

import ast
import sys
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]

FLOW = (
    "derive.errors",
    "derive.version",
    "derive.primitives",
    "derive.expressions",
    "derive.cell",
    "derive.language",
    "derive.networks",
    "derive.zoo",
    "derive.single_assignment",
    "derive.rules",
    "derive.gradients",
    "derive.backpropagation",
    "derive.normal_form",
    "derive.evaluate",
    "derive.programs",
    "derive.notation",
    "derive.differentials",
    "derive.jacobians",
    "derive.transposes",
    "derive.schedule",
    "derive.ranges",
    "derive.theorems",
    "derive.claim",
    "derive.accepted",
    "derive.counterexamples",
    "derive.concrete",
    "derive.proofs",
    "derive.certificates",
    "derive.latex",
    "derive.backends",
    "derive.reports",
    "derive.tour",
    "derive.network_reports",
    "derive.network_tour",
    "derive.__init__",
    "derive.commands",
    "derive.__main__",
    "verify.kernels",
    "verify.recurrence",
    "verify.rounding",
    "verify.log_space",
    "verify.precisions",
    "verify.complex_step",
    "verify.references",
    "verify.differences",
    "verify.lines",
    "verify.memory",
    "verify.regimes",
    "verify.cotangents",
    "verify.strategies",
    "verify.sampling",
    "verify.conventions",
    "verify.adapters",
    "verify.loading",
    "verify.isolation",
    "verify.properties",
    "verify.reproduction",
    "verify.deviations",
    "verify.diagnosis",
    "verify.findings",
    "verify.report",
    "verify.smallest",
    "verify.runner",
    "verify.reports",
    "verify.subject",
    "verify.plugin",
    "verify.mutants",
    "verify.vectors",
    "verify.enclosing",
    "verify.__init__",
    "verify.__main__",
)

# Imports that point the other way, each with its reason; all stand inside a function.
BACK = {
    ("derive.cell", "derive.language"): "str(cell) is the cell's text, which the language writes",
}

Sources = Mapping[str, str]


class Import(NamedTuple):
    """`importer` imports `imported`, both as modules; `top` if it happens while it is loaded."""

    importer: str
    imported: str
    top: bool


def sources_in(root: Path) -> dict[str, str]:
    """The text of every module of both packages; a package's own module is 'a.b.__init__'."""
    found = {}
    for path in sorted([*root.glob("derive/**/*.py"), *root.glob("verify/**/*.py")]):
        found[".".join(path.relative_to(root).with_suffix("").parts)] = path.read_text("utf-8")
    return found


SOURCES = sources_in(ROOT)


def imports(sources: Sources) -> list[Import]:
    """Every import of every module, of modules of any package."""
    return [found for module in sources for found in _imports(module, sources)]


def _imports(module: str, sources: Sources) -> Iterator[Import]:
    tree = _tree(sources[module])
    top = set(_loaded(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(module, _module(alias.name, sources), node in top)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}, line {node.lineno}: a relative import"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                known = inner in sources or f"{inner}.__init__" in sources
                found = _module(inner if known else str(node.module), sources)
                yield Import(module, found, node in top)
    for home in _lazy(tree):
        yield Import(module, _module(home, sources), False)


@cache
def _tree(text: str) -> ast.Module:
    return ast.parse(text)


def _module(name: str, sources: Sources) -> str:
    """A package's name as that of its own module."""
    return f"{name}.__init__" if f"{name}.__init__" in sources else name


def _loaded(tree: ast.AST) -> Iterator[ast.AST]:
    """The statements that run when a module is loaded: none in a function or for types alone."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        yield node
        yield from _loaded(node)


def _lazy(tree: ast.Module) -> list[str]:
    """The modules in a table `_HOMES` of names that are imported when they are first used."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_HOMES":
            homes = ast.literal_eval(node.value).values()
            return [home.partition(":")[0] for home in homes]
    return []


def place(module: str, flow: tuple[str, ...] = FLOW) -> int | None:
    """Where a module, or the package that it is in, stands in the flow."""
    for number, room in enumerate(flow):
        if module == room or module.startswith(f"{room}."):
            return number
    return None


def homeless(sources: Sources) -> list[str]:
    """Modules that the flow does not list."""
    return [module for module in sources if place(module) is None]


def backward(sources: Sources, back: Mapping[tuple[str, str], str] = BACK) -> list[str]:
    """Imports that point to a later place of the flow."""
    found = []
    for importer, imported, top in imports(sources):
        here, there = place(importer), place(imported)
        if here is None or there is None or there <= here:
            continue
        if top or (FLOW[here], FLOW[there]) not in back:
            found.append(f"{importer} imports {imported}")
    return found


def cycle(sources: Sources) -> list[str]:
    """Modules that import each other while they are loaded; empty if there are none."""
    reads: dict[str, set[str]] = {module: set() for module in sources}
    for importer, imported, top in imports(sources):
        if top and imported in sources:
            reads[importer].add(imported)
    while reads:
        free = [module for module, needed in reads.items() if not needed & reads.keys()]
        if not free:
            return sorted(reads)
        for module in free:
            del reads[module]
    return []


def outside(sources: Sources, package: str) -> set[str]:
    """Packages that are neither ours nor Python's and are loaded with a module of `package`."""
    names = {
        imported.partition(".")[0]
        for importer, imported, top in imports(sources)
        if top and importer.startswith(f"{package}.")
    }
    return names - sys.stdlib_module_names - {"derive", "verify"}


def test_every_module_has_a_place_in_the_flow() -> None:
    assert homeless(SOURCES) == []


def test_every_place_of_the_flow_has_a_module() -> None:
    used = {place(module) for module in SOURCES}
    assert [room for number, room in enumerate(FLOW) if number not in used] == []
    assert len(set(FLOW)) == len(FLOW)


def test_every_import_points_to_an_earlier_place() -> None:
    assert backward(SOURCES) == []


def test_derive_never_imports_verify() -> None:
    crossing = [i for i in imports(SOURCES) if i.imported.startswith("verify")]
    assert crossing
    assert [i for i in crossing if i.importer.startswith("derive")] == []


def test_no_modules_import_each_other_while_they_are_loaded() -> None:
    assert cycle(SOURCES) == []


def test_every_exception_is_needed() -> None:
    bare = backward(SOURCES, back={})
    assert len(bare) == len(BACK)
    for importer, imported in BACK:
        assert any(b.startswith(importer) and f"imports {imported}" in b for b in bare)


def test_only_required_packages_are_loaded_with_a_module() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    required = {text.partition(">")[0] for text in project["dependencies"]}
    assert {"sympy", "numpy"} <= required
    assert outside(SOURCES, "derive") == {"sympy", "numpy"}
    assert outside(SOURCES, "verify") <= required


def test_the_commands_and_packages_load_nothing_heavy() -> None:
    packages = {"derive.__init__", "derive.__main__", "verify.__init__", "verify.__main__"}
    for module in packages | {m for m in SOURCES if m.startswith("derive.commands.")}:
        loaded = {i.imported for i in imports(SOURCES) if i.importer == module and i.top}
        outer = {name for name in loaded if not name.startswith("derive.commands.")}
        assert {name.partition(".")[0] for name in outer} <= sys.stdlib_module_names


def changed(module: str, text: str) -> dict[str, str]:
    """The real sources with a line added to the end of one of them."""
    return {**SOURCES, module: f"{SOURCES.get(module, '')}\n{text}\n"}


@pytest.mark.parametrize(
    ("module", "text", "said"),
    [
        (
            "derive.cell",
            "import derive.gradients",
            "derive.cell imports derive.gradients",
        ),
        (
            "derive.rules",
            "from derive.proofs import prove",
            "derive.rules imports derive.proofs",
        ),
        (
            "derive.rules",
            "def late():\n    from derive.proofs import prove",
            "derive.rules imports derive.proofs",
        ),
        (
            "derive.rules",
            "if TYPE_CHECKING:\n    from derive import gradients",
            "derive.rules imports derive.gradients",
        ),
        (
            "derive.rules",
            "import derive",
            "derive.rules imports derive.__init__",
        ),
        (
            "derive.rules",
            "from derive import load",
            "derive.rules imports derive.__init__",
        ),
        (
            "derive.zoo",
            "import verify.kernels",
            "derive.zoo imports verify.kernels",
        ),
        (
            "derive.language.values",
            "from derive.latex.page import Page",
            "derive.language.values imports derive.latex.page",
        ),
        (
            "derive.rules",
            "_HOMES = {'prove': 'derive.proofs:prove'}",
            "derive.rules imports derive.proofs",
        ),
        (
            "derive.cell",
            "from derive.language import text_of",
            "derive.cell imports derive.language.__init__",
        ),
        (
            "verify.kernels",
            "try:\n    from verify import runner\nexcept ImportError:\n    pass",
            "verify.kernels imports verify.runner",
        ),
    ],
)
def test_an_import_of_a_later_place_is_seen(module: str, text: str, said: str) -> None:
    assert backward(changed(module, text)) == [said]


def test_a_module_that_is_not_in_the_flow_is_seen() -> None:
    assert homeless(changed("derive.novelty", "x = 1")) == ["derive.novelty"]
    assert homeless(changed("derive.cells_of_mine", "x = 1")) == ["derive.cells_of_mine"]


def test_a_module_of_a_package_is_in_the_packages_place() -> None:
    assert place("derive.language.shapes") == FLOW.index("derive.language")
    assert place("derive.languages") is None


def test_a_cycle_inside_a_package_is_seen() -> None:
    back = "from derive.language.building import build"
    assert "derive.language.names" in cycle(changed("derive.language.names", back))
    lazily = f"def late():\n    {back}"
    assert cycle(changed("derive.language.names", lazily)) == []


def test_a_heavy_package_is_seen_where_it_is_loaded_with_a_module() -> None:
    assert "torch" in outside(changed("verify.loading", "import torch.nn"), "verify")
    lazily = "def adapter():\n    import torch"
    assert "torch" not in outside(changed("verify.loading", lazily), "verify")


def test_a_relative_import_is_refused() -> None:
    with pytest.raises(AssertionError, match=r"derive\.rules, line \d+: a relative import"):
        imports(changed("derive.rules", "from . import cell"))
