"""The `thoth` command: one file per noun, and this edge where errors become lines and exit codes.

In: the command line. Out: the result on stdout, everything else on stderr, an exit code from `errors.py`.
Read first: `ask.py`. Nothing heavy is imported before a command needs it: `thoth --help` takes 0.2 s.
"""

import logging
import sys
import traceback
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from thoth.cli import console
from thoth.cli.absorb import absorb
from thoth.cli.ask import ask
from thoth.cli.docs import docs
from thoth.cli.doctor import doctor
from thoth.cli.export import export
from thoth.cli.models import group as models
from thoth.errors import ThothError, UsageError
from thoth.system import paths
from thoth.system.version import __version__


class _Edge(TyperGroup):
    """The place where an error of a command turns into a line on stderr and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; raises `typer.Exit` with the error's code."""
        console.forward_warnings(logging.getLogger("thoth"))
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort, typer.TyperException, BrokenPipeError):
            raise  # typer ends these itself: with a usage line, or quietly
        # The edge of the program: whatever nobody foresaw is one line too, and its traceback is kept.
        except Exception as error:
            raise typer.Exit(explain(error)) from error


def explain(error: Exception) -> int:
    """Say what went wrong in one line on stderr; returns the exit code."""
    if isinstance(error, ThothError):
        console.say(str(error))
        return error.exit_code
    console.say(f"this should not have happened: please report {_keep_traceback(error)}")
    return 1


def _keep_traceback(error: Exception) -> str:
    """Return the file with the traceback or, where none can be written, the error itself."""
    log = paths.home() / "error.log"
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
    except OSError:
        return repr(error)
    return str(log)


app = typer.Typer(
    cls=_Edge,
    # Without rich: plain text in a pipe, and 0.1 s less to wait for the help.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(ask)
app.command()(absorb)
app.add_typer(docs, name="docs")
app.add_typer(models, name="models")
app.command()(export)
app.command()(doctor)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"thoth {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _welcome(
    ctx: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
    model: Annotated[
        str | None, typer.Option("--model", metavar="NAME|PATH", help="The model pair of the terminal app.")
    ] = None,
) -> None:
    """A document goes in, a LoRA comes out, and the model knows it with an empty context window.

    Without a command: the terminal app.
    """
    if ctx.invoked_subcommand is not None:
        if model is not None:
            raise UsageError(f"say --model behind the command: thoth {ctx.invoked_subcommand} --model {model}")
    elif sys.stdin.isatty() and sys.stdout.isatty():
        from thoth.tui.app import run

        run(model)
    else:
        typer.echo("Welcome. Begin with: thoth ask --doc FILE QUESTION\n")
        typer.echo(ctx.get_help())


def main() -> None:
    """Run the command line."""
    app(prog_name="thoth")
