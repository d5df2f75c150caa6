"""The `thoth` command: one file per noun; `edge.py` turns errors into lines and exit codes.

Input: the command line. Output: the result on stdout, everything else on stderr, an exit code from `errors.py`.
Read first: `ask.py`. Nothing heavy is imported before a command needs it: `thoth --help` takes 0.1 s.
"""

import sys
from typing import Annotated

import typer

from thoth.cli.absorb import absorb
from thoth.cli.ask import ask
from thoth.cli.chat import chat
from thoth.cli.chats import chats
from thoth.cli.completion import completion
from thoth.cli.docs import docs
from thoth.cli.doctor import doctor
from thoth.cli.edge import Command, Edge, explain
from thoth.cli.export import export
from thoth.cli.mcp import mcp
from thoth.cli.models import group as models
from thoth.cli.permissions import permissions
from thoth.cli.serve import serve
from thoth.cli.templates import templates
from thoth.cli.tryout import tryout
from thoth.errors import UsageError
from thoth.system import terminal
from thoth.system.version import __version__

__all__ = ["app", "explain", "main"]

app = typer.Typer(
    name="thoth",
    cls=Edge,
    # Without rich: plain text in a pipe, and 0.1 s less to wait for the help.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    # "color": a pipe gets the text unchanged, with its escape codes; `terminal.guard` protects terminals.
    context_settings={"help_option_names": ["-h", "--help"], "color": True},
)
app.command("try", cls=Command)(tryout)
app.command(cls=Command)(ask)
app.command(cls=Command)(chat)
app.command(cls=Command)(absorb)
app.add_typer(docs, name="docs")
app.add_typer(chats, name="chats")
app.add_typer(templates, name="templates")
app.add_typer(models, name="models")
app.add_typer(permissions, name="permissions")
app.command(cls=Command)(export)
app.command(cls=Command)(serve)
app.add_typer(mcp, name="mcp")
app.command(cls=Command)(doctor)
app.add_typer(completion, name="completion")


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
        str | None, typer.Option("--model", metavar="NAME|PATH", help="Model pair of the terminal app.")
    ] = None,
) -> None:
    """A document goes in, a LoRA comes out, and the model knows it with an empty context window.

    Without a command, open the terminal app.
    """
    if ctx.invoked_subcommand is not None:
        if model is not None:
            raise UsageError(f"put --model after the command: thoth {ctx.invoked_subcommand} --model {model}")
    elif sys.stdin.isatty() and sys.stdout.isatty():
        from thoth.tui.app import run

        run(model)
    else:
        typer.echo("Welcome. Begin with: thoth try\n")
        typer.echo(ctx.get_help())


def main() -> None:
    """Run the command line."""
    terminal.guard()  # usage errors quote what was typed, or what a shell made of a file's name
    app(prog_name="thoth")
