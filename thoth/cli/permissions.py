"""`thoth permissions`: what was decided for good about the agent's tools."""

from typing import Annotated

import typer

from thoth.cli import answers, console, table
from thoth.cli.edge import Command, Group
from thoth.cli.options import Json
from thoth.errors import UsageError
from thoth.system import paths

permissions = typer.Typer(cls=Group, help="List and revoke permissions of the agent's tools.", no_args_is_help=True)


@permissions.command("list", cls=Command)
def list_permissions(json: Json = False) -> None:
    """List what is always or never permitted.

    Everything else is asked for.
    """
    from thoth.agent.permissions import Grants, meaning

    grants = Grants(paths.permissions()).all()
    if json:
        typer.echo(answers.dump({"permissions": [vars(grant) for grant in grants]}))
    elif grants:
        rows = [(grant.need, grant.decision, grant.since, meaning(grant.need)) for grant in grants]
        typer.echo(table.show(("permission", "decision", "since", "allows to"), rows))
    else:
        console.say("no permission is kept; the agent asks each time")


@permissions.command(cls=Command)
def revoke(
    names: Annotated[list[str], typer.Argument(metavar="PERMISSION", help="Names of `thoth permissions list`.")],
) -> None:
    """Forget decisions: the agent asks again."""
    from thoth.agent.permissions import Grants

    grants = Grants(paths.permissions())
    known = {grant.need for grant in grants.all()}
    if unknown := [name for name in names if name not in known]:
        raise UsageError(f"no permission {unknown[0]} is kept; see `thoth permissions list`")
    for name in names:
        grants.revoke(name)
        console.say(f"revoked {name}; the agent asks again")
