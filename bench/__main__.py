"""Measure Portico beside its peers: `python -m bench --rows plaintext,"web JSON" --peers granian,uvicorn`.

Servers run on CPU 0, the load on CPU 1, in interleaved rounds; the figures are medians of CPU microseconds of the
whole server per request or message, and a ratio over 1 says how many times more a column needs than the first. Rows
whose names begin with "web", and those about what is typed, measure a framework on a server: `--pairs "portico.web on
portico,fastapi on uvicorn"`. Rows whose names begin with "wsgi" have servers of WSGI as columns, and those over TLS and
HTTP/2, whose names begin with "tls", "h2" and "h2c", have nginx too.
"""

import argparse
import importlib.util
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from bench import frameworks, loads, tls, wsgi
from bench.loads import Row
from bench.servers import COMMANDS
from bench.sites import fill
from bench.table import print_cells


def main() -> None:
    rows = [*loads.ROWS, *tls.ROWS, *wsgi.ROWS, *frameworks.ROWS, *frameworks.TYPED_ROWS]
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rows", default=",".join(rows), help=f"of {', '.join(rows)}")
    servers = list(dict.fromkeys([*COMMANDS, *tls.COMMANDS]))
    parser.add_argument("--peers", default=",".join(servers), help=f"of {', '.join(servers)}")
    parser.add_argument(
        "--pairs",
        help=f"`framework on server`, of {', '.join(frameworks.SITES)} and {', '.join(COMMANDS)}; "
        f"{', '.join(frameworks.PAIRS)}; for the typed rows {', '.join(frameworks.TYPED_PAIRS)}",
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0)
    chosen = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    names = list(dict.fromkeys(["portico", *filter(installed, chosen.peers.split(","))]))
    said = chosen.pairs.split(",") if chosen.pairs else None
    pairs, typed_pairs = (
        [pair for pair in said or usual if all(map(installed, pair.split(" on ")))]
        for usual in (frameworks.PAIRS, frameworks.TYPED_PAIRS)
    )
    print(f"CPython {sys.version.split()[0]}; {chosen.rounds} rounds of {chosen.seconds:g} s, medians")
    titles = chosen.rows.split(",")
    with tempfile.TemporaryDirectory() as files:
        fill(Path(files))
        os.environ["BENCH_FILES"] = files
        for known, columns in (
            (loads.ROWS, [name for name in names if name in COMMANDS]),
            (tls.ROWS, [name for name in names if name in tls.COMMANDS]),
            (wsgi.ROWS, [name for name in wsgi.COMMANDS if installed(name.partition(" ")[0])]),
            (frameworks.ROWS, pairs),
            (frameworks.TYPED_ROWS, typed_pairs),
        ):
            print_table([title for title in titles if title in known], known, columns, chosen)


def installed(name: str) -> bool:
    if name == "nginx":
        return shutil.which(name) is not None
    return name in ("C loop", "bare") or importlib.util.find_spec(name) is not None


def print_table(titles: list[str], rows: Mapping[str, Row], names: list[str], chosen: argparse.Namespace) -> None:
    """Measure the rows called `titles` and print each as soon as it is known."""
    if titles:
        print("\n| | " + " | ".join(names) + " |\n|---|" + "---|" * len(names))
    for title in titles:
        row = rows[title]
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
    if row.rate:
        rates = {name: 1e6 / figure for name, figure in figures.items()}
        print_cells(f"{title}, {row.rate} a CPU second", rates, names, ",.0f")


if __name__ == "__main__":
    main()
