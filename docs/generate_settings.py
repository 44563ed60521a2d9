"""Write docs/settings.md out of the table of settings: `python docs/generate_settings.py`."""

from pathlib import Path

from portico.server.config import DEFAULTS, SETTINGS

HEAD = """# Settings

Every setting has one name. On the command line it is `--its-name`, in the environment `PORTICO_ITS_NAME`, in
`portico.toml` (or `[tool.portico]` of `pyproject.toml`) `its_name`, and in code a keyword of `portico.Config`,
`portico.run` and `portico.serve`. The command line beats the environment, which beats the file.

A setting that is on or off has `--no-its-name` too. All problems are reported at once, with exit code 2.

This page is generated from the table in the program.
"""


def page() -> str:
    """Return the reference page."""
    lines = [HEAD]
    group = ""
    for name, entry in SETTINGS.items():
        if entry.group != group:
            group = entry.group
            lines.append(f"## {group}\n\n| setting | default | meaning |\n|---|---|---|")
        flag = "`APP`" if name == "app" else f"`{entry.flags[0] if entry.flags else '--' + name.replace('_', '-')}`"
        default = DEFAULTS[name]
        shown = (
            "on"
            if default is True
            else "off"
            if default is False
            else ""
            if default in (None, (), "")
            else f"`{default}`"
        )
        choices = f" One of {', '.join(f'`{each}`' for each in entry.choices)}." if entry.choices else ""
        lines.append(f"| {flag} | {shown} | {entry.help.replace('|', '&#124;')}{choices} |")
        following = list(SETTINGS)[list(SETTINGS).index(name) + 1 :]
        if following and SETTINGS[following[0]].group != group:
            lines.append("")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    Path(__file__).with_name("settings.md").write_text(page(), "utf-8")
