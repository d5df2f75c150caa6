"""`thoth templates`: questions that are asked again and again."""

from typing import Annotated, Any

import typer

from thoth.cli import answers, console, table
from thoth.cli.edge import Command, Group
from thoth.cli.options import Json
from thoth.system import paths

templates = typer.Typer(cls=Group, help="List and show templates for `thoth ask -t NAME`.", no_args_is_help=True)


@templates.command("list", cls=Command)
def list_templates(json: Json = False) -> None:
    """List the templates."""
    from thoth.actions import templates as files

    found = files.find(paths.templates())
    if json:
        typer.echo(answers.dump({"templates": [_facts(template) for template in found]}))
    elif found:
        rows = [(template.name, table.cut(" ".join(template.question.split()), 60)) for template in found]
        typer.echo(table.show(("name", "question"), rows))
    else:
        console.say(f'no templates; write one as {paths.templates()}/NAME.toml, with question = "... $input ..."')


@templates.command(cls=Command)
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of a template.")],
    json: Json = False,
) -> None:
    """Show a template."""
    from thoth.actions import templates as files

    facts = _facts(files.load(paths.templates(), name))
    if json:
        typer.echo(answers.dump(facts))
        return
    width = max(map(len, facts))
    for fact, value in facts.items():
        typer.echo(f"{fact:<{width}}  {'-' if value is None else value}")


def _facts(template: Any) -> dict[str, Any]:
    return {
        "name": template.name,
        "question": template.question,
        "system": template.system,
        **template.settings,
    }
