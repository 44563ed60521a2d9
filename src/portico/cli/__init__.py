"""The command line: `portico run APP`, or `portico APP` for short, and what is done beside serving."""

from importlib import import_module

import click

from portico.version import __version__

# Each is the name of a module here and of the command in it.
COMMANDS = ("run", "dev", "check", "routes", "top")


class Commands(click.Group):
    """A group in which whatever is no command is said to `run`; a command is imported when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of that name, if there is one."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"portico.cli.{cmd_name}"), cmd_name)
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put `run` before the arguments that start with neither a command nor an option of the group's own."""
        own = {option for parameter in self.get_params(ctx) for option in parameter.opts}
        if args and args[0] not in COMMANDS and args[0] not in own:
            args = ["run", *args]
        return super().parse_args(ctx, args)


@click.group(cls=Commands, context_settings={"help_option_names": ["--help", "-h"], "max_content_width": 120})
@click.version_option(__version__, "--version", "-V", prog_name="portico")
def portico() -> None:
    """Serve ASGI and WSGI applications.

    `portico APP` is `portico run APP`; `portico run --help` lists the options.
    """


def main() -> None:
    """The entry point of the `portico` command."""
    portico(prog_name="portico")
