"""Soak Portico: `python -m bench.soak --minutes 10`.

A supervisor with two workers is under mixed load: requests on kept and on new connections, bodies, streams, slow
readers, WebSockets, errors and clients that vanish. For the first part of the time the workers stay, and their memory
may not grow; then they are replaced all the time, by SIGHUP and by --limit-max-requests, and no request may fail.
The memory of every process is written to soak.csv and drawn in soak.png; what the server logged is in soak.log.
"""

import argparse
import asyncio
import importlib.util
import sys
from collections import Counter
from pathlib import Path

from bench.soak import memory, plot
from bench.soak.run import REPLACED, STEADY, Soak
from bench.soak.verdict import judge


def main(arguments: list[str] | None = None) -> int:
    """Soak as the command line says, write the files, print the verdict; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--steady", type=float, default=0.6, help="the part of the time in which the workers stay")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--reload-every", type=float, default=15.0, metavar="SECONDS")
    parser.add_argument("--limit-max-requests", type=int, default=10000)
    parser.add_argument("--folder", type=Path, default=Path("soak"), help="where the files go")
    chosen = parser.parse_args(arguments)
    chosen.folder.mkdir(parents=True, exist_ok=True)
    (chosen.folder / "soak.log").unlink(missing_ok=True)
    soak = Soak(chosen.folder, chosen.workers, chosen.reload_every)
    limit = chosen.limit_max_requests
    replacing = ["--limit-max-requests", str(limit), "--limit-max-requests-jitter", str(limit // 5)]
    with asyncio.Runner() as runner:
        for name, part, options in ((STEADY, chosen.steady, []), (REPLACED, 1 - chosen.steady, replacing)):
            if part > 0:
                runner.run(soak.phase(name, chosen.minutes * 60 * part, *options))
    return report(soak)


def report(soak: Soak) -> int:
    said, problems = judge(soak)
    said.append("NOT GOOD: " + "; ".join(problems) if problems else "GOOD: nothing failed and nothing grew")
    memory.write(soak.samples, soak.folder / "soak.csv")
    print("\n".join(said))
    for kind, count in sorted(soak.answered.items()):
        print(f"  {kind}: {count:,} answered")
    for text, count in Counter(failure.text for failure in soak.failed).most_common(10):
        print(f"  failed {count} times: {text}")
    if importlib.util.find_spec("matplotlib") is None:
        print("There is no soak.png: matplotlib is not installed.")
    else:
        plot.draw(soak, "\n".join(said), soak.folder / "soak.png")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
