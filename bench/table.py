"""A line of a table in which the first column is what the others are compared with."""

from collections.abc import Mapping, Sequence


def print_cells(title: str, figures: Mapping[str, float], names: Sequence[str], form: str) -> None:
    """Print the figures of a row; a ratio over 1 says how many times more a column needs than the first."""
    own = figures.get(names[0])
    cells = []
    for name in names:
        cell = format(figures[name], form) if name in figures else "-"
        if own and name in figures and name != names[0]:
            cell += f" ({figures[name] / own:.2f}x)"
        cells.append(cell)
    print(f"| {title} | " + " | ".join(cells) + " |", flush=True)
