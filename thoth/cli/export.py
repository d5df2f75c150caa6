"""`thoth export`: write documents of the library as one adapter that other programs load."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from thoth import settings
from thoth.actions.wording import count
from thoth.cli import answers
from thoth.system import paths

if TYPE_CHECKING:
    from thoth.actions.export import Format


def export(
    names: Annotated[list[str], typer.Argument(metavar="ID", help="Documents, by id or name.")],
    destination: Annotated[str, typer.Argument(metavar="DST", help="The folder to write.")],
    format: Annotated[
        str, typer.Option("--format", metavar="mlx-lm|peft", help="Who loads it: mlx-lm, or PEFT on PyTorch.")
    ] = "mlx-lm",
    force: Annotated[bool, typer.Option("--force", help="Replace an adapter at DST.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    model: Annotated[str | None, typer.Option("--model", metavar="NAME|PATH", help="The model pair.")] = None,
) -> None:
    """Write documents as one adapter for other programs.

    mlx-lm loads it with mlx_lm.load(adapter_path=DST), PEFT with peft.PeftModel.from_pretrained(base, DST).
    """
    from thoth.actions.export import export as write
    from thoth.library.library import Library
    from thoth.models import registry

    library, folder = Library(paths.home()), Path(destination)
    documents = list({document.id: document for document in map(library.get, names)}.values())
    pair = registry.choose(settings.load(paths.settings(), model=model).model)
    rank = write(paths.home(), pair, documents, cast("Format", format), folder, force=force)
    if json:
        ids = [document.id for document in documents]
        typer.echo(answers.dump({"folder": str(folder), "format": format, "rank": rank, "documents": ids}))
    else:
        typer.echo(f"{folder}: {count(len(documents), 'document')}, rank {rank}, for {format}")
