"""`convert-weights CHECKPOINT DST`."""

from __future__ import annotations

import errno
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import typer

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


class Dtype(StrEnum):
    """Dtypes a bundle can be stored in."""

    float32 = "float32"
    bfloat16 = "bfloat16"
    float16 = "float16"


@app.command()
def convert_weights(
    checkpoint: Annotated[Path, typer.Argument(help="Folder of a training checkpoint.")],
    dst: Annotated[Path, typer.Argument(help="Folder of the bundle to write.")],
    base: Annotated[Path | None, typer.Option(help="Folder of the base model: lets the report compare logits.")] = None,
    dtype: Annotated[Dtype, typer.Option(help="Dtype of the bundle's weights.")] = Dtype.float32,
    verify: Annotated[bool, typer.Option(help="Compare torch with MLX before the bundle appears.")] = True,
    force: Annotated[bool, typer.Option("--force", help="Replace a bundle that is at DST.")] = False,
) -> None:
    """Turn a training checkpoint into a bundle, and prove that torch and MLX compute the same.

    The report is printed and kept in conversion.json beside the weights.
    """
    # Slow imports wait until the arguments are known to be right.
    from convert.conversion import convert
    from convert.errors import ConversionError

    typer.echo(f"converting {checkpoint} to {dst} ({dtype.value})", err=True)
    try:
        report = convert(checkpoint, dst, base=base, dtype=dtype.value, verify=verify, force=force)
    except ConversionError as error:
        _fail(str(error), error.exit_code)
    except MemoryError:
        _fail("not enough memory: close other programs, or pass --no-verify", 6)
    except OSError as error:
        _fail(f"{error.filename or dst}: {error.strerror}", 6 if error.errno == errno.ENOSPC else 1)
    except KeyboardInterrupt:
        _fail("interrupted, nothing was written", 130)
    else:
        typer.echo(report.table() if report else "not compared (--no-verify)")
        typer.echo(f"wrote {dst}")


def _fail(message: str, code: int) -> NoReturn:
    typer.echo(f"convert-weights: {message}", err=True)
    raise typer.Exit(code)


def main() -> None:
    """Entry point of `convert-weights`."""
    app()
