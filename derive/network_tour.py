"""Everything for one network: gradients, theorems of its cells, the checked module; in a folder."""

from pathlib import Path

from derive.backends.numpy import numpy_source
from derive.backpropagation import NetworkGradients
from derive.latex import latex
from derive.network_reports import Proofs, network_claims_text, network_show_text
from derive.tour import Tour, checked, claim_lines, write_all

__all__ = ["network_tour"]


def network_tour(derived: NetworkGradients, proofs: Proofs, folder: Path) -> Tour:
    """Write everything about a network and run its module's check.

    Raises:
        UsageError: the folder cannot be written.
    """
    network = derived.network
    files = {
        "gradients, step by step": (f"{network.name}.txt", network_show_text(derived)),
        "theorems of its cells": (
            f"{network.name}.theorems.txt",
            network_claims_text(network, proofs),
        ),
        "NumPy module": (f"{network.name}.py", numpy_source(derived, proofs)),
    }
    for g in derived.cells:
        text = latex(g, proofs[g.cell.name])
        files[f"LaTeX article, cell {g.cell.name}"] = (f"cell_{g.cell.name}.tex", text)
    write_all(folder, files)
    said, passed = checked(folder / f"{network.name}.py")
    lines = [network.title or network.name, ""]
    lines += [f"    {layer!s}" for layer in network.layers]
    for g in derived.cells:
        lines += ["", f"Theorems of {g.cell.name}", ""]
        claims = proofs[g.cell.name]
        lines += [f"    {line}" for claim in claims for line in claim_lines(claim)]
    lines += ["", "The module's check of itself", "", f"    {said}", "", "Written", ""]
    lines += [f"    {folder / name}  {what}" for what, (name, _) in files.items()]
    facts = {
        "files": {what: str(folder / name) for what, (name, _) in files.items()},
        "check": said,
        "claims": [
            {"cell": cell, "name": c.theorem, "verdict": c.verdict, "level": c.level}
            for cell, claims in proofs.items()
            for c in claims
        ],
    }
    return Tour("\n".join(lines) + "\n", facts, passed)
