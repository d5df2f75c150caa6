"""`thoth export`: documents of the library become one adapter that other programs load."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from thoth import settings
from thoth.actions.wording import count
from thoth.cli import answers
from thoth.models import registry
from thoth.system import paths


def export(
    names: Annotated[list[str], typer.Argument(metavar="ID...", help="Documents of the library, by id or name.")],
    destination: Annotated[Path, typer.Argument(metavar="DST", help="The folder to write.")],
    format: Annotated[
        Literal["mlx-lm", "peft"], typer.Option("--format", help="Who is to load it: mlx-lm, or PEFT on PyTorch.")
    ] = "mlx-lm",
    force: Annotated[bool, typer.Option("--force", help="Replace an adapter at DST.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    model: Annotated[str | None, typer.Option("--model", metavar="NAME|PATH", help="The model pair.")] = None,
) -> None:
    """Compose documents to one adapter, for mlx_lm.load(adapter_path=DST) or peft.PeftModel.from_pretrained."""
    from thoth.actions.export import export as write
    from thoth.library.library import Library

    library = Library(paths.home())
    documents = list({document.id: document for document in map(library.get, names)}.values())
    pair = registry.choose(settings.load(paths.settings(), model=model).model)
    rank = write(paths.home(), pair, documents, format, destination, force=force)
    if json:
        ids = [document.id for document in documents]
        typer.echo(answers.dump({"folder": str(destination), "format": format, "rank": rank, "documents": ids}))
    else:
        typer.echo(f"{destination}: {count(len(documents), 'document')}, rank {rank}, for {format}")
