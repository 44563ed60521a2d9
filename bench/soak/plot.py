"""The picture of a soak: memory of each process, and below it requests per second."""

from collections.abc import Sequence
from pathlib import Path

from bench.soak.memory import SUPERVISOR, Sample


def draw(
    samples: list[Sample], rates: Sequence[tuple[float, float]], reloads: list[float], title: str, to: Path
) -> None:
    """Write a PNG.

    Args:
        samples: The memory.
        rates: Seconds since the start, and requests answered in a second.
        reloads: When the workers were told to reload, in seconds since the start.
        title: The verdict.
        to: The file.
    """
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot

    figure, (memory, rate) = pyplot.subplots(
        2, 1, sharex=True, figsize=(12, 8), height_ratios=(3, 1), layout="constrained"
    )
    lives: dict[tuple[str, int], list[Sample]] = {}
    for each in samples:
        lives.setdefault((each.role, each.pid), []).append(each)
    for (role, pid), life in lives.items():
        look = {"color": "black", "linewidth": 2} if role == SUPERVISOR else {"linewidth": 1}
        label = f"{role} {pid}" if role == SUPERVISOR or len(lives) <= 8 else None
        memory.plot(
            [each.time_s / 60 for each in life], [each.rss_bytes / (1 << 20) for each in life], label=label, **look
        )
    for moment in reloads:
        memory.axvline(moment / 60, color="lightgrey", linewidth=0.8, zorder=0)
    boundary = next((each.time_s for each in samples if each.phase != samples[0].phase), None)
    for axes in (memory, rate):
        if boundary is not None:
            axes.axvline(boundary / 60, color="red", linestyle="--", linewidth=1)
    memory.set_ylim(bottom=0)
    memory.set_ylabel("resident memory, MiB (black: supervisor; each other line: a worker)")
    memory.legend(loc="lower right")
    memory.set_title(title, fontsize="medium")
    rate.plot([time / 60 for time, _ in rates], [figure for _, figure in rates], linewidth=1)
    rate.set_ylim(bottom=0)
    rate.set_ylabel("answered a second")
    rate.set_xlabel("minutes (red: from here on workers are replaced; grey: SIGHUP)")
    figure.savefig(to, dpi=100)
    pyplot.close(figure)
