"""Where errors of a command become a line on stderr and an exit code; also those of its arguments, in our own words."""

import re
import sys
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from thoth.cli import console
from thoth.errors import ThothError, UsageError
from thoth.system import crash_log

_IN_PARENTHESES = re.compile(r" \((.+)\)$")


def explain(error: Exception) -> int:
    """Print what went wrong as one line on stderr; returns the exit code."""
    if isinstance(error, ThothError):
        console.say(str(error))
        return error.exit_code
    console.say(crash_log.keep(error))
    return 1


class Command(TyperCommand):
    """A command whose help names its arguments without Python's types."""

    def get_params(self, ctx: Any) -> Any:
        """Return options and arguments."""
        params: Any = super().get_params(ctx)
        for param in params:
            if param.param_type_name == "argument":
                param.display_type_rich = lambda **_: ""
        return params


class Group(TyperGroup):
    """Commands under one name; typer makes each of its commands a `Command`."""

    def resolve_command(self, ctx: Any, args: Any) -> Any:
        """Find the command; a `UsageError` lists the known ones."""
        if self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            from difflib import get_close_matches

            known = self.list_commands(ctx)
            similar = get_close_matches(args[0], known)
            near = f" (similar: {', '.join(similar)})" if similar else ""
            raise UsageError(f"unknown command {args[0]}{near}; {ctx.command_path} has: {', '.join(known)}")
        return super().resolve_command(ctx, args)


class Edge(Group):
    """The `thoth` command itself: it turns every error into a line and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; raises `typer.Exit` with the code of its error."""
        from thoth.cli.forwarding import forward_warnings

        forward_warnings()
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort, typer.TyperException, BrokenPipeError):
            raise  # handled in `main`
        except Exception as error:
            raise typer.Exit(explain(error)) from error

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run the command line, and exit."""
        try:
            code = super().main(*args, **{**extra, "standalone_mode": False})
        except typer.TyperException as error:
            if type(error).__name__ == "NoArgsIsHelpError":
                typer.echo(error.format_message(), err=True)
            else:
                console.say(_usage(error))
            code = UsageError.exit_code
        except typer.Abort:
            console.say("cancelled; nothing was changed")
            code = 1
        sys.exit(code if isinstance(code, int) else 0)


def _usage(error: Any) -> str:
    """Return one line about arguments that do not fit; typer's own sentence is not shown."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "thoth"
    # By name: where typer keeps these classes changes from version to version.
    match type(error).__name__:
        case "NoSuchOption":
            said = f"unknown option {error.option_name}"
            if error.possibilities:
                said += f" (similar: {', '.join(sorted(error.possibilities))})"
        case "MissingParameter" if error.param is not None:
            said = f"{error.param.metavar or error.param.name.upper()} is missing"
        case "BadParameter" if error.param is not None:
            said = f"the value of {max(error.param.opts, key=len)} is not allowed"
        case "BadOptionUsage":
            said = f"option {error.option_name} takes no value"
            if "requires" in error.message:
                said = f"option {error.option_name} needs a value"
        case "UsageError" if extra := _IN_PARENTHESES.search(error.message):
            said = f"too many arguments: {extra[1]}"
        case _:
            said = "these arguments do not fit together"
    return f"{said}; see `{command} --help`"
