"""Runs the libraries that are installed here: `PYTHONPATH=. python docs/conventions/check.py`.

For each row of `verify.conventions` that can be run, results.json beside this file gets the
library's version and the largest difference from the cell's kernel, as a share of the bound of
rounding. Rows whose library is not installed keep what they have. Keras needs KERAS_BACKEND=torch.
"""

import json
import sys
import warnings
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1] / "tests" / "helpers"))

from emitted import kernel_of  # noqa: E402
from library_runs import RUNS, imported, share_of_bounds  # noqa: E402

from derive import zoo  # noqa: E402
from verify.conventions import CONVENTIONS  # noqa: E402

DISTRIBUTIONS = {
    "haiku": "dm-haiku",
    "jax.experimental.rnn": "jax",
    "mlx.nn": "mlx",
    "tf_keras": "tf-keras",
    "tensorflow": "tensorflow-cpu",
}


def main() -> None:
    """Add what the libraries of this environment do."""
    path = HERE / "results.json"
    found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    for name, run in RUNS.items():
        if imported(run.module) is None:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            share = share_of_bounds(name, kernel_of(zoo.load(CONVENTIONS[name].cell)))
        distribution = DISTRIBUTIONS.get(run.module, run.module)
        shown = f"{distribution} {version(distribution)}" if name != "textbook.lstm" else "derive"
        found[name] = {"with": shown, "share of bound": float(f"{share:.1e}")}
        print(name, found[name])
    text = json.dumps(found, indent=1, sort_keys=True) + "\n"
    path.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
