"""The emitted LSTM kernel against torch.nn.LSTM and a plain hand-written NumPy LSTM.

    python benchmarks/kernels.py [--quick] [--threads 1]

Forward and backward with non-zero states and cotangents on everything. For every shape the
candidates first have to agree; then they are timed in turns, in one run, so that a busy machine
slows all of them; medians are reported, as ratios.
"""

import argparse
import os
import sys
import tempfile
import time
import tracemalloc
from importlib import util
from pathlib import Path
from statistics import median

SHAPES = (  # T, B, D, H, dtype
    (50, 1, 64, 64, "float32"),
    (50, 1, 64, 64, "float64"),
    (50, 32, 128, 128, "float32"),
    (50, 32, 128, 128, "float64"),
    (100, 32, 256, 256, "float32"),
    (100, 32, 256, 256, "float64"),
    (100, 64, 512, 512, "float32"),
    (100, 64, 512, 512, "float64"),
    (200, 16, 1024, 1024, "float32"),
    (1000, 8, 64, 64, "float32"),
    (1000, 8, 64, 64, "float64"),
)
QUICK = SHAPES[:4]


def emitted_kernel():
    from derive import zoo
    from derive.backends.numpy import numpy_source
    from derive.gradients import gradients

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "lstm_kernel.py"
        path.write_text(numpy_source(gradients(zoo.load("lstm"))), encoding="utf-8")
        spec = util.spec_from_file_location("lstm_kernel", path)
        module = util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return module


def problem(T, B, D, H, dtype):
    import numpy as np

    rng = np.random.default_rng(0)
    draw = lambda *shape: rng.standard_normal(shape).astype(dtype)
    weight = lambda *shape: (rng.uniform(-1, 1, shape) / np.sqrt(H)).astype(dtype)
    params = {}
    for gate in "fiog":
        params |= {f"W_{gate}": weight(H, D), f"U_{gate}": weight(H, H), f"b_{gate}": weight(H)}
    states, cotangents = ({"h": draw(B, H), "C": draw(B, H)} for _ in range(2))
    return params, draw(T, B, D), states, draw(T, B, H), cotangents


class Emitted:
    def __init__(self, kernel, params, x, state_0, dy, dstate_T):
        self.kernel, self.params, self.x, self.state_0 = kernel, params, x, state_0
        self.dy, self.dstate_T = dy, dstate_T

    def forward(self):
        self.y, self.last, self.tape = self.kernel.forward(self.params, self.x, self.state_0)

    def backward(self):
        self.grads = self.kernel.backward(self.params, self.tape, self.dy, self.dstate_T)

    def results(self):
        return {"y": self.y, "h_T": self.last["h"], "C_T": self.last["C"], **self.grads}


class Plain:
    def __init__(self, params, x, state_0, dy, dstate_T):
        import plain_lstm

        self.lstm, self.weights = plain_lstm, plain_lstm.concatenated(params)
        self.x, self.state_0, self.dy, self.dstate_T = x, state_0, dy, dstate_T

    def forward(self):
        self.y, self.h, self.C, self.caches = self.lstm.forward(
            self.weights, self.x, self.state_0["h"], self.state_0["C"]
        )

    def backward(self):
        self.grads = self.lstm.backward(
            self.weights, self.caches, self.dy, self.dstate_T["h"], self.dstate_T["C"]
        )

    def results(self):
        dW, db, dx, dh, dC = self.grads
        ends = {"y": self.y, "h_T": self.h, "C_T": self.C, "x": dx, "h_0": dh, "C_0": dC}
        return ends | self.lstm.by_parameter(dW, db)


class Torch:
    def __init__(self, torch, params, x, state_0, dy, dstate_T):
        from verify.conventions import CONVENTIONS, from_cell

        self.torch, self.row = torch, CONVENTIONS["torch.lstm"]
        tensor = torch.from_numpy
        self.layer = torch.nn.LSTM(x.shape[2], dy.shape[2], dtype=tensor(x).dtype)
        with torch.no_grad():
            for name, array in from_cell(self.row, params).items():
                getattr(self.layer, f"{name}_l0").copy_(tensor(array))
        self.x = tensor(x).requires_grad_()
        self.initial = tuple(tensor(state_0[s])[None].requires_grad_() for s in "hC")
        self.cotangents = [tensor(dy), *(tensor(dstate_T[s])[None] for s in "hC")]

    def forward(self):
        y, last = self.layer(self.x, self.initial)
        self.outputs = [y, *last]

    def backward(self):
        wanted = [self.x, *self.initial, *self.layer.parameters()]
        self.grads = self.torch.autograd.grad(self.outputs, wanted, self.cotangents)

    def results(self):
        from verify.conventions import gradients_to_cell

        y, h, C = (a.detach().numpy() for a in self.outputs)
        dx, dh, dC, *rest = (g.numpy() for g in self.grads)
        names = [name.removesuffix("_l0") for name, _ in self.layer.named_parameters()]
        ends = {"y": y, "h_T": h[0], "C_T": C[0], "x": dx, "h_0": dh[0], "C_0": dC[0]}
        return ends | gradients_to_cell(self.row, dict(zip(names, rest, strict=True)))


def candidates(kernel, torch, shape):
    given = problem(*shape)
    found = {"emitted": Emitted(kernel, *given), "plain": Plain(*given)}
    return found | ({"torch": Torch(torch, *given)} if torch else {})


def check(shape, runners):
    """Stop unless all agree: within rounding that grows with the number of steps and terms."""
    import numpy as np

    T, B, D, H, dtype = shape
    allowed = np.finfo(dtype).eps * T * (D + H + B)
    for runner in runners.values():
        runner.forward()
        runner.backward()
    expected = runners["plain"].results()
    for name, runner in runners.items():
        found = runner.results()
        for key, value in expected.items():
            apart = np.linalg.norm(found[key] - value) / np.linalg.norm(value)
            if not apart <= allowed:
                sys.exit(
                    f"{shape}: {name}: {key} differs by {apart:.1e}, expected <= {allowed:.1e}"
                )


def timed(runners, budget):
    """Seconds by candidate, forward and both: medians of turns that take `budget` seconds."""
    forward, both = ({name: [] for name in runners} for _ in range(2))
    order, end = list(runners), time.perf_counter() + budget
    while time.perf_counter() < end or len(both[order[0]]) < 3:
        order = order[1:] + order[:1]
        for name in order:
            start = time.perf_counter()
            runners[name].forward()
            middle = time.perf_counter()
            runners[name].backward()
            both[name].append(time.perf_counter() - start)
            forward[name].append(middle - start)
    return [{name: median(values) for name, values in kind.items()} for kind in (forward, both)]


def peak(runner):
    """MiB that one forward and backward allocate at most; NumPy only, torch is not seen."""
    tracemalloc.start()
    runner.forward()
    runner.backward()
    found = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return found / 2**20


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="the four smallest shapes")
    parser.add_argument("--threads", type=int, default=1, help="of BLAS and torch (default 1)")
    parser.add_argument("--seconds", type=float, help="for each shape (default 20, quick 2)")
    options = parser.parse_args()
    for library in ("OPENBLAS", "OMP", "MKL"):  # read when NumPy is imported
        os.environ[f"{library}_NUM_THREADS"] = str(options.threads)
    try:
        import torch
    except ImportError:
        torch = None
        print("torch is not installed: its columns stay empty", file=sys.stderr)
    else:
        torch.set_num_threads(options.threads)
    budget = options.seconds or (2 if options.quick else 20)
    kernel = emitted_kernel()
    print(f"threads: {options.threads}; ratios above 1: the emitted kernel is faster, or smaller")
    print(f"{'':27}{'emitted, ms':>16}{'/ plain':>16}{'/ torch':>16}{'peak, MiB':>18}")
    heads = f"{'forward':>9}{'both':>7}" + f"{'forward':>9}{'both':>7}" * 2
    print(f"{'T, B, D, H':18}{'dtype':9}{heads}{'emitted':>9}{'/ plain':>9}")
    for shape in QUICK if options.quick else SHAPES:
        print(f"{shape} ...", file=sys.stderr)
        runners = candidates(kernel, torch, shape)
        check(shape, runners)
        rows = timed(runners, budget)
        cells = [f"{rows[0]['emitted'] * 1e3:9.2f}{rows[1]['emitted'] * 1e3:7.2f}"]
        for other in ("plain", "torch"):
            ratios = [row[other] / row["emitted"] if other in row else None for row in rows]
            cells.append("".join(f"{'–' if r is None else f'{r:.2f}':>{w}}"
                                 for r, w in zip(ratios, (9, 7), strict=True)))  # fmt: skip
        sizes = [peak(runners[name]) for name in ("emitted", "plain")]
        cells.append(f"{sizes[0]:9.1f}{sizes[1] / sizes[0]:9.2f}")
        print(f"{', '.join(map(str, shape[:4])):18}{shape[4]:9}{''.join(cells)}", flush=True)


if __name__ == "__main__":
    main()
