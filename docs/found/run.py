"""Runs other people's layers as published and repaired: `python docs/found/run.py [NAME ...]`.

Packages are fetched with pip; where a repository is missing, it is said how to clone it. What came
of each layer goes to results.json, from which `report.py` makes the tables of docs/found.md.
torch is needed for what is in PyTorch, scipy for numpy-ml and PyBrain3, numba for mygrad, six and
filelock for Chainer, matplotlib for data-science-from-scratch, einops for mamba-minimal,
mlstm_kernels and recurrentgemma, and jaxtyping for the last.
"""

import argparse
import hashlib
import itertools
import json
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import report
from layers import ARCHIVES, LAYERS, Archive, Layer
from repairs import Repair
from theirs import CACHE

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the layers that are named, or all of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = [layer.name for layer in LAYERS]
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(names))
    parser.add_argument("--as-published", action="store_true", help="print one report, keep none")
    chosen = parser.parse_args(arguments)
    unknown = set(chosen.names) - set(names)
    if unknown:
        parser.error(f"no layer {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    missing = False
    for layer in LAYERS:
        if chosen.names and layer.name not in chosen.names:
            continue
        how = fetched(ARCHIVES[layer.archive])
        if how:
            print(f"{layer.name}: {how}", file=sys.stderr)
            missing = True
        elif chosen.as_published:
            verify(layer, (), json_wanted=False)
        else:
            report.save(result(layer))
    if not chosen.as_published:
        report.write()
    return 2 if missing else 0


def fetched(archive: Archive) -> str:
    """'' once an archive is there, else how to get it."""
    folder = CACHE / archive.name
    if folder.is_dir():
        return ""
    if archive.url:
        clone = f"git clone {archive.url} {folder}"
        return f"{clone} && git -C {folder} checkout {archive.version}"
    wheels = CACHE / "wheels"
    pip = (sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:")
    wanted = f"{archive.name}=={archive.version}"
    subprocess.run([*pip, "--dest", str(wheels / archive.name), wanted], check=True)
    (wheel,) = (wheels / archive.name).glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(folder)
    return ""


def result(layer: Layer) -> dict[str, Any]:
    """As published, with every repair, and with every repair but one."""
    repairs = layer.repairs
    sets: list[tuple[Repair, ...]] = [()]
    if len(repairs) > 1:
        sets += reversed(list(itertools.combinations(repairs, len(repairs) - 1)))
    sets += [repairs] if repairs else []
    runs = []
    for chosen in sets:
        start = time.perf_counter()
        found = read(verify(layer, chosen))
        if repairs:
            found["worst"] = confirmed(layer, chosen)
        runs.append({"repaired": [repairs.index(r) for r in chosen], **found})
        said = f"{found['verdict']}, {time.perf_counter() - start:.0f} s"
        print(f"{layer.name}, {len(chosen)} of {len(repairs)} repairs: {said}", file=sys.stderr)
    file = CACHE / layer.archive / layer.file
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return {"name": layer.name, "sha256": digest, "runs": runs}


def verify(layer: Layer, repairs: Iterable[Repair], json_wanted: bool = True) -> str:
    """The report of `verify run` in its default profile."""
    kind = ["--json"] if json_wanted else []
    if layer.examples:
        kind += ["--examples", str(layer.examples)]
    call = ["-m", "verify", "run", layer.cell, f"{layer.name}.py:kernel", *kind]
    done = started(call, repairs, stdout=subprocess.PIPE if json_wanted else None)
    if done.returncode not in (0, 1, 3):
        raise RuntimeError(f"{layer.name}: verify ended with exit code {done.returncode}")
    return done.stdout or ""


def confirmed(layer: Layer, repairs: Iterable[Repair]) -> dict[str, Any]:
    """What `confirm.py` prints, or what the layer raised."""
    done = started(["confirm.py", layer.name], repairs, capture_output=True)
    if done.returncode == 0:
        return json.loads(done.stdout.strip().splitlines()[-1])
    return {"raised": done.stderr.strip().splitlines()[-1]}


def started(call: Sequence[str], repairs: Iterable[Repair], **streams: Any) -> Any:
    """A process of Python in this folder, in which the lines are repaired."""
    paths = [str(ROOT), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    given = {
        "FOUND_CACHE": str(CACHE),
        "FOUND_EDITS": json.dumps([edit for repair in repairs for edit in repair.edits]),
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
    }
    command, environment = [sys.executable, *call], {**os.environ, **given}
    return subprocess.run(command, cwd=HERE, env=environment, text=True, check=False, **streams)


def read(text: str) -> dict[str, Any]:
    """What a page shows of a report."""
    found = json.loads(text)
    wrong = [f for f in found["findings"] if not f["remark"]]
    return {
        "verdict": found["verdict"],
        "is_cell": found["is_cell"],
        "own_gradient": found["own_gradient"],
        "causes": [cause_text(cause) for cause in found["diagnosis"]],
        "findings": [f"{f['property']}: {f['parameter']} {f['cause']}".strip() for f in wrong],
        "remarks": sorted({f["property"] for f in found["findings"] if f["remark"]}),
        "not_given": [line["what"] for line in found["not_judged"] if _of_theirs(line["why"])],
        "examples": found["examples"],
    }


def _of_theirs(why: str) -> bool:
    """Whether it is the implementation that lacks something, and not the examples."""
    return not why.startswith(("no example", "not given", "gradients of initial states"))


def cause_text(cause: dict[str, Any]) -> str:
    """A cause as the terminal has it."""
    kind = "by design, " if cause["by_design"] else ""
    which = f": {cause['variant']}" if cause["variant"] else ""
    where = f" (only {cause['only']})" if cause["only"] else ""
    return f"{kind}{cause['cause']}{which}{where}"


if __name__ == "__main__":
    sys.exit(main())
