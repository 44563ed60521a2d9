"""The command line: `portico run APP`, or `portico APP` for short; `portico dev [APP]`; `portico check APP`;
`portico routes APP`.
"""

import click

from portico import __version__
from portico.cli.check import check
from portico.cli.dev import dev
from portico.cli.routes import routes
from portico.cli.run import run
from portico.cli.top import top


class Commands(click.Group):
    """A group in which whatever is no command is said to `run`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put `run` before the arguments that start with neither a command nor an option of the group's own."""
        own = {option for parameter in self.get_params(ctx) for option in parameter.opts}
        if args and args[0] not in self.commands and args[0] not in own:
            args = ["run", *args]
        return super().parse_args(ctx, args)


@click.group(cls=Commands, context_settings={"help_option_names": ["--help", "-h"], "max_content_width": 120})
@click.version_option(__version__, "--version", "-V", prog_name="portico")
def portico() -> None:
    """Serve ASGI applications.

    `portico APP` is `portico run APP`; `portico run --help` lists the options.
    """


portico.add_command(run)
portico.add_command(dev)
portico.add_command(check)
portico.add_command(routes)
portico.add_command(top)


def main() -> None:
    """The entry point of the `portico` command."""
    portico(prog_name="portico")
