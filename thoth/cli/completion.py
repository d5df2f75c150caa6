"""`thoth completion`: what a shell needs to complete commands, options, and the names of documents and collections."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any

import typer

from thoth.cli.edge import Command, Group
from thoth.errors import ThothError
from thoth.system import paths

completion = typer.Typer(cls=Group, help="Complete commands and names in bash, zsh, fish.", no_args_is_help=True)

_BASH = r"""_thoth() {
    local word
    COMPREPLY=()
    while IFS= read -r word; do
        COMPREPLY+=("$(printf '%q' "$word")")
    done < <(thoth completion words -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o bashdefault -o default -F _thoth thoth"""
_ZSH = r"""#compdef thoth
_thoth() {
    local -a found
    found=("${(@f)$(thoth completion words -- "${(@Q)words[2,CURRENT]}" 2>/dev/null)}")
    if [[ -n "$found" ]]; then compadd -- $found; else _files; fi
}
compdef _thoth thoth"""
_FISH = (
    r"""complete -c thoth -a '(thoth completion words -- (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)'"""
)


@completion.command(cls=Command)
def bash() -> None:
    """Print the script for bash.

    Add eval "$(thoth completion bash)" to ~/.bashrc.
    """
    typer.echo(_BASH)


@completion.command(cls=Command)
def zsh() -> None:
    """Print the script for zsh.

    Add eval "$(thoth completion zsh)" to ~/.zshrc, after compinit.
    """
    typer.echo(_ZSH)


@completion.command(cls=Command)
def fish() -> None:
    """Print the script for fish.

    Write it to ~/.config/fish/completions/thoth.fish.
    """
    typer.echo(_FISH)


@completion.command(cls=Command, hidden=True)
def words(
    context: typer.Context,
    typed: Annotated[
        list[str] | None, typer.Argument(metavar="WORD", help="The words so far, the last one unfinished.")
    ] = None,
) -> None:
    """Print what the last word may become, a line each; the scripts call it."""
    for word in find(context.find_root().command, typed or [""]):
        typer.echo(word)


def find(command: Any, typed: Sequence[str]) -> list[str]:
    """Return what the last word may become; nothing where files are named.

    Args:
        command: `thoth` itself, with all its commands.
        typed: the words after `thoth`, the last one unfinished and perhaps empty.
    """
    *before, last = (word.strip("'\"") for word in typed)
    path: list[str] = []
    previous = ""
    for word in before:
        if not previous.startswith("-") and word in getattr(command, "commands", {}):
            command = command.commands[word]
            path.append(word)
        previous = word
    options = [param for param in command.params if param.param_type_name == "option"]
    wanted = [option for option in options if previous in option.opts and not option.is_flag]
    if wanted:
        candidates = _values(wanted[0], path)
    elif last.startswith("-"):
        candidates = [name for option in options for name in (*option.opts, *option.secondary_opts) if name[:2] == "--"]
    elif children := getattr(command, "commands", {}):
        candidates = [name for name, child in children.items() if not child.hidden]
    else:
        arguments = [param for param in command.params if param.param_type_name == "argument"]
        place = sum(not word.startswith("-") for word in before) - len(path)
        candidates = _values(arguments[min(place, len(arguments) - 1)], path) if arguments else []
    return [word for word in dict.fromkeys(candidates) if word.startswith(last)]


def _values(param: Any, path: Sequence[str]) -> Iterable[str]:
    """Return the values of an option or an argument; a home that cannot be read has none."""
    metavar, name = param.metavar or "", param.name
    if "|" in metavar and metavar == metavar.lower():
        return metavar.split("|")
    kind = _KINDS.get((path[0] if path else "", metavar)) or _KINDS.get((name, "")) or (lambda: ())
    try:
        return kind()
    except ThothError:
        return ()


def _documents() -> Iterable[str]:
    from thoth.library.library import Library

    times = Counter(document.name for document in Library(paths.home()).documents())
    return [name for name, number in times.items() if number == 1]


def _collections() -> Iterable[str]:
    from thoth.library.library import Library

    return Library(paths.home()).collections()


def _chats() -> Iterable[str]:
    from thoth.chats.sessions import Sessions

    return [session.id for session in Sessions(paths.home()).find()]


def _models() -> Iterable[str]:
    from thoth.models import registry

    return [*registry.KNOWN, *registry.installed()]


def _templates() -> Iterable[str]:
    from thoth.actions import templates

    return [template.name for template in templates.find(paths.templates())]


# By the command and the metavar of an argument, or by the name of an option.
_KINDS: dict[tuple[str, str], Callable[[], Iterable[str]]] = {
    ("docs", "ID"): _documents,
    ("docs", "COLLECTION"): _collections,
    ("export", "ID"): _documents,
    ("chats", "ID"): _chats,
    ("models", "NAME"): _models,
    ("templates", "NAME"): _templates,
    ("inside", ""): _collections,
    ("chat", ""): _chats,
    ("model", ""): _models,
    ("template", ""): _templates,
}
