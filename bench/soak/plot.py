"""The picture of a soak: memory of each process, and below it requests per second."""

from pathlib import Path

from bench.soak.memory import SUPERVISOR, Sample
from bench.soak.run import Soak


def draw(soak: Soak, title: str, to: Path) -> None:
    """Write a PNG, with the verdict as its title."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot

    figure, (memory, answered) = pyplot.subplots(
        2, 1, sharex=True, figsize=(12, 8), height_ratios=(3, 1), layout="constrained"
    )
    lives: dict[tuple[str, int], list[Sample]] = {}
    for each in soak.samples:
        lives.setdefault((each.role, each.pid), []).append(each)
    for (role, pid), life in lives.items():
        look = {"color": "black", "linewidth": 2} if role == SUPERVISOR else {"linewidth": 1}
        label = f"{role} {pid}" if role == SUPERVISOR or len(lives) <= 8 else None
        memory.plot(
            [each.time_s / 60 for each in life], [each.rss_bytes / (1 << 20) for each in life], label=label, **look
        )
    for moment in soak.reloads:
        memory.axvline(moment / 60, color="lightgrey", linewidth=0.8, zorder=0)
    boundary = next((each.time_s for each in soak.samples if each.phase != soak.samples[0].phase), None)
    for axes in (memory, answered):
        if boundary is not None:
            axes.axvline(boundary / 60, color="red", linestyle="--", linewidth=1)
    memory.set_ylim(bottom=0)
    memory.set_ylabel("resident memory, MiB (black: supervisor; each other line: a worker)")
    memory.legend(loc="lower right")
    memory.set_title(title, fontsize="medium")
    answered.plot([time / 60 for time, _ in soak.rates], [rate for _, rate in soak.rates], linewidth=1)
    failures = [(failure.moment - soak.began) / 60 for failure in soak.failed]
    answered.plot(failures, [0.0] * len(failures), "rx", label=f"{len(failures)} failed")
    answered.legend(loc="lower right")
    answered.set_ylim(bottom=0)
    answered.set_ylabel("answered a second")
    answered.set_xlabel("minutes (red: from here on workers are replaced; grey: SIGHUP)")
    figure.savefig(to, dpi=100)
    pyplot.close(figure)
