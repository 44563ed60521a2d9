"""Write the tables of the pages "coming from ..." out of docs/names.toml: `python docs/generate_names.py`.

The rest of those pages is written by hand: what lies between the two marks is replaced.
"""

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from portico.server.config import SETTINGS

DOCS = Path(__file__).parent
BEGIN, END = "<!-- made by generate_names.py -->\n", "<!-- end of what it has made -->\n"
PEERS: dict[str, dict[str, Any]] = tomllib.loads((DOCS / "names.toml").read_text("utf-8"))
TITLES = {"starlette": "Starlette", "fastapi": "FastAPI", "uvicorn": "uvicorn", "gunicorn": "gunicorn"}
MANY = 60  # names that only repeat a pattern, such as those of status codes


def page(peer: str) -> str:
    """Return the page for whoever comes from that peer, with its tables as they should be."""
    before, _, rest = path(peer).read_text("utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    made = options(peer) if "options" in PEERS[peer] else modules(peer)
    return f"{before}{BEGIN}\n{made}\n{END}{after}"


def path(peer: str) -> Path:
    return DOCS / f"coming-from-{peer}.md"


def modules(peer: str) -> str:
    """Return the tables of names: those that stay, those that change, those that are not there."""
    names = PEERS[peer]
    lines = ["| has another name | here |", "|---|---|"]
    for old, new in names["renamed"].items():
        lines.append(f"| {code(joined(peer, old))} | {code(joined('portico.web', new))} |")
    lines += ["", "| module | here | the same names |", "|---|---|---|"]
    for module, same in names["same"].items():
        lines.append(
            f"| {code(joined(peer, module))} | {code(joined('portico.web', module))} | {shown(same.split())} |"
        )
    lines += ["", "| not there | why, or what instead |", "|---|---|"]
    lines += [f"| {codes(each['names'].split())} | {each['why']} |" for each in names["absent"]]
    lines += ["", "| parameter not there | why, or what instead |", "|---|---|"]
    lines += [f"| {codes(each['names'].split())} | {each['why']} |" for each in names["parameters"]]
    return "\n".join(lines) + "\n"


def options(peer: str) -> str:
    """Return the table of options."""
    lines = [f"| {TITLES[peer]} | Portico | |", "|---|---|---|"]
    for row in PEERS[peer]["options"]:
        theirs, ours = row["theirs"].split(), row.get("ours", "").split()
        here = "the same" if theirs == ours else codes(map(flag, ours))
        spelt = theirs if peer == "gunicorn" else [spelling(peer, name) for name in theirs]
        lines.append(f"| {codes(spelt)} | {here} | {row.get('says', '')} |")
    return "\n".join(lines) + "\n"


def spelling(peer: str, option: str) -> str:
    """Return how an option of a peer is written on its command line."""
    return str(PEERS[peer].get("spelt", {}).get(option, f"--{option.replace('_', '-')}"))


def flag(setting: str) -> str:
    """Return how a setting of ours is written on the command line."""
    flags = SETTINGS[setting].flags
    return "APP" if setting == "app" else flags[0] if flags else f"--{setting.replace('_', '-')}"


def joined(*parts: str) -> str:
    return ".".join(filter(None, parts))


def shown(names: list[str]) -> str:
    if len(names) <= MANY:
        return codes(names)
    return f"all {len(names)}: {codes(names[:2])} … {code(names[-1])}"


def code(name: str) -> str:
    return f"`{name}`"


def codes(names: Iterable[str]) -> str:
    return ", ".join(map(code, names))


if __name__ == "__main__":
    for each in PEERS:
        path(each).write_text(page(each), "utf-8")
