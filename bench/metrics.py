"""What reading metrics costs: `python -m bench.metrics`, CPU microseconds of a plaintext request with and without.

With: `--metrics`, read every second as a monitoring system would; the time of the supervisor is in the figure. Counting
itself is always on. Servers run on CPU 0, the load on CPU 1, in interleaved rounds; the figures are medians.
"""

import argparse
import contextlib
import statistics
import threading
import urllib.request
from collections.abc import Iterator

from bench.loads import wrk
from bench.servers import command, cpu_seconds, free_port, served

INTERVAL_S = 1.0


@contextlib.contextmanager
def read_every_second(port: int) -> Iterator[None]:
    """Read the metrics until the block is left."""
    leave = threading.Event()

    def read() -> None:
        while not leave.wait(INTERVAL_S):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5).read()

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield
    finally:
        leave.set()
        reader.join()


def measure(metrics: bool, seconds: float) -> float:
    """Return CPU microseconds per request."""
    port, metrics_port = free_port(), free_port()
    arguments = command("portico", "plaintext", port)
    if metrics:
        arguments += ["--metrics", f"127.0.0.1:{metrics_port}"]
    with served(arguments, port) as pid, read_every_second(metrics_port) if metrics else contextlib.nullcontext():
        wrk(port, 1, "")
        before = cpu_seconds(pid)
        requests = wrk(port, seconds, "")
        return (cpu_seconds(pid) - before) / requests * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.metrics", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    chosen = parser.parse_args()
    figures: dict[bool, list[float]] = {False: [], True: []}
    for number in range(chosen.rounds):
        for metrics in (False, True) if number % 2 else (True, False):
            figures[metrics].append(measure(metrics, chosen.seconds))
    without, with_ = statistics.median(figures[False]), statistics.median(figures[True])
    print(f"without {without:.1f} us, with --metrics {with_:.1f} us a request: {with_ / without:.3f} x")
    ratios = [one / other for one, other in zip(figures[True], figures[False], strict=True)]
    print(f"median of the rounds' ratios: {statistics.median(ratios):.3f}")


if __name__ == "__main__":
    main()
