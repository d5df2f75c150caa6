"""`thoth chats`: list, read, search, export and delete stored chats."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from thoth.actions.wording import count
from thoth.cli import answers, console, table
from thoth.cli.edge import Command, Group
from thoth.cli.options import Json
from thoth.errors import UsageError
from thoth.system import paths

if TYPE_CHECKING:
    from thoth.chats.sessions import Session, Sessions

chats = typer.Typer(cls=Group, help="List, read, search, export and delete chats.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="ID", help="An id, its first letters, or a title.")]
Names = Annotated[list[str], typer.Argument(metavar="ID", help="Ids, their first letters, or titles.")]

_COLUMNS = ("id", "name", "turns", "model", "updated")
_SHORT_ID = 8


@chats.command("list", cls=Command)
def list_chats(json: Json = False) -> None:
    """List the chats, the latest first."""
    _list(_sessions(), "", json)


@chats.command(cls=Command)
def search(
    words: Annotated[list[str], typer.Argument(metavar="WORD", help="Words of the title, questions or answers.")],
    json: Json = False,
) -> None:
    """List the chats with all these words in them."""
    _list(_sessions(), " ".join(words), json)


@chats.command(cls=Command)
def show(name: Name, json: Json = False) -> None:
    """Print the questions, answers and sources of a chat."""
    from thoth.chats import chat_files

    sessions = _sessions()
    session = sessions.named(name)
    turns = sessions.turns(session.id)
    typer.echo((chat_files.as_json if json else chat_files.as_markdown)(session, turns).rstrip())


@chats.command(cls=Command)
def export(
    name: Name,
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="A new .md or .json file; without one, Markdown on standard output."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, or one object that names the file.")] = False,
) -> None:
    """Export a chat with its sources, models and dates."""
    from thoth.chats import chat_files

    sessions = _sessions()
    session = sessions.named(name)
    turns = sessions.turns(session.id)
    if file is None:
        typer.echo((chat_files.as_json if json else chat_files.as_markdown)(session, turns).rstrip())
        return
    chat_files.write(paths.expanded(file), session, turns)
    if json:
        typer.echo(answers.dump({"exported": session.id, "file": str(file)}))
    else:
        console.say(f"wrote {file}: {count(len(turns), 'question')}")


@chats.command(cls=Command)
def delete(
    names: Names,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    json: Json = False,
) -> None:
    """Delete chats, and the weights that their turns became."""
    from thoth.actions import chats as documents
    from thoth.library.library import Library

    sessions, library = _sessions(), Library(paths.home())
    chosen = list({session.id: session for session in map(sessions.named, names)}.values())
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError("confirmation needed, but stdin is not a terminal; pass --yes")
        titles = ", ".join(session.title for session in chosen)
        typer.confirm(f"Delete {count(len(chosen), 'chat')} ({table.cut(titles, 200)})?", abort=True, err=True)
    for session in chosen:
        documents.remove(library, sessions, session.id)
    if json:
        typer.echo(answers.dump({"deleted": [_facts(session, []) for session in chosen]}))
    else:
        for session in chosen:
            typer.echo(f"{session.id[:_SHORT_ID]}  {_title(session)}: deleted")


def _sessions() -> "Sessions":
    from thoth.chats.sessions import Sessions

    return Sessions(paths.home())


def _list(sessions: "Sessions", words: str, json: bool) -> None:
    found = sessions.find(words)
    models = sessions.models()
    if json:
        typer.echo(answers.dump({"chats": [_facts(session, models.get(session.id, ())) for session in found]}))
    elif found:
        rows = [_row(session, models.get(session.id, ())) for session in found]
        typer.echo(table.show(_COLUMNS, rows, right=("turns",), spare=("model", "turns")))
    elif words:
        console.say(f"no chat has these words: {words}")
    else:
        console.say("no chats yet; start one with `thoth chat`")


def _row(session: "Session", models: "Sequence[str]") -> list[str]:
    when = f"{session.updated.astimezone():%Y-%m-%d %H:%M}"
    return [session.id[:_SHORT_ID], _title(session), str(session.turns), ", ".join(models) or "-", when]


def _title(session: "Session") -> str:
    return " ".join(session.title.split())


def _facts(session: "Session", models: "Sequence[str]") -> dict[str, Any]:
    return {
        "id": session.id,
        "title": session.title,
        "turns": session.turns,
        "models": list(models),
        "system": session.system,
        "created": session.created.isoformat(timespec="seconds"),
        "updated": session.updated.isoformat(timespec="seconds"),
        "documents": list(session.documents),
    }
