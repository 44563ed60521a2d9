"""The command line: `portico run APP`, or `portico APP` for short."""

import sys

import click

from portico import __version__
from portico.cli.run import run


class Commands(click.Group):
    """A group in which a name that is no command is the application of `run`."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands:
            return "run", run, args
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0].startswith("-") and args[0] not in ("--help", "--version", "-h"):
            args = ["run", *args]
        return super().parse_args(ctx, args)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="portico")
def portico() -> None:
    """The whole ASGI stack: `portico run myapp:app` serves an application."""


portico.add_command(run)


def main() -> None:
    """The entry point of the `portico` command."""
    sys.exit(portico(standalone_mode=True))
