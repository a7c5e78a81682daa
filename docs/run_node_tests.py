"""Runs the node tests through the runtimes that are installed: `python docs/run_node_tests.py`.

It needs the packages onnx and onnxruntime. What it prints stands in vectors.md between
`<!-- node tests -->` and `<!-- end of node tests -->`; `--write` puts it there.
"""

import argparse
import re
from pathlib import Path

from verify.vectors.node_report import markdown
from verify.vectors.node_runs import RUNTIMES

PAGE = Path(__file__).with_name("vectors.md")

_MARKED = re.compile(r"(<!-- node tests -->\n\n)(.*?)(\n<!-- end of node tests -->)", re.DOTALL)


def written(page: str) -> str:
    """What stands between the marks of a page."""
    found = _MARKED.search(page)
    assert found is not None, "the page has no marks"
    return found[2]


def renewed(page: str, text: str) -> str:
    """The page with another text between its marks."""
    new, count = _MARKED.subn(lambda found: found[1] + text + found[3], page)
    assert count == 1, "the page has no marks"
    return new


def main() -> None:
    """Print what is found, or write it into the page."""
    parser = argparse.ArgumentParser(description="ONNX node tests through installed runtimes")
    parser.add_argument("--write", action="store_true", help="renew docs/vectors.md")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="other values (default 0)")
    arguments = parser.parse_args()
    text = markdown(RUNTIMES, arguments.seed)
    if arguments.write:
        page = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(renewed(page, text), encoding="utf-8", newline="\n")
    else:
        print(text, end="")


if __name__ == "__main__":
    main()
