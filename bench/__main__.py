"""Measure Portico beside its peers: `python -m bench --rows plaintext,upload --peers granian,uvicorn`.

Servers run on CPU 0, the load on CPU 1, in interleaved rounds; the figures are medians of CPU microseconds of the
whole server per request or message, and a ratio over 1 says how many times more a peer needs than Portico.
"""

import argparse
import importlib.util
import resource
import statistics
import subprocess
import sys

from bench.loads import ROWS, Row
from bench.servers import COMMANDS


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rows", default=",".join(ROWS), help=f"of {', '.join(ROWS)}")
    parser.add_argument("--peers", default=",".join(COMMANDS), help=f"of {', '.join(COMMANDS)}")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0)
    chosen = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    names = [name for name in chosen.peers.split(",") if name == "C loop" or importlib.util.find_spec(name)]
    names = ["portico", *(name for name in names if name != "portico")]
    print(f"CPython {sys.version.split()[0]}; {chosen.rounds} rounds of {chosen.seconds:g} s, medians\n")
    print("| | " + " | ".join(names) + " |\n|---|" + "---|" * len(names))
    for title in chosen.rows.split(","):
        row = ROWS[title]
        figures: dict[str, list[float]] = {name: [] for name in names}
        for _ in range(chosen.rounds):
            for name in names:
                if name in row.skipped:
                    continue
                try:
                    figures[name].append(row.measure(name, chosen.seconds))
                except (RuntimeError, OSError, subprocess.CalledProcessError) as error:
                    print(f"{name}, {title}: {str(error)[:300]}", file=sys.stderr)
        print_row(title, row, {name: statistics.median(found) for name, found in figures.items() if found}, names)


def print_row(title: str, row: Row, figures: dict[str, float], names: list[str]) -> None:
    print_cells(f"{title}, {row.unit}", figures, names, ".1f")
    if row.size:
        gigabytes = {name: row.size / figure / 1000 for name, figure in figures.items()}
        print_cells(f"{title}, GB a CPU second", gigabytes, names, ".2f")


def print_cells(title: str, figures: dict[str, float], names: list[str], form: str) -> None:
    """Print a line of the table; the first name is what the others are compared with."""
    own = figures.get(names[0])
    cells = []
    for name in names:
        cell = format(figures[name], form) if name in figures else "-"
        if own and name in figures and name != names[0]:
            cell += f" ({figures[name] / own:.2f}x)"
        cells.append(cell)
    print(f"| {title} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
