"""`convert-weights SRC DST`."""

from __future__ import annotations

import errno
import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from mlx_hypernet.format import terminal

if TYPE_CHECKING:
    from convert.base_facts import Template

# Without rich: plain text in a pipe, as `thoth` prints it.
app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Dtype(StrEnum):
    """Dtypes weights can be stored in."""

    float32 = "float32"
    bfloat16 = "bfloat16"
    float16 = "float16"


class Bits(StrEnum):
    """Bits of quantised weights."""

    eight = "8"
    six = "6"
    four = "4"


def _ids(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.replace(",", " ").split())
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a list of token ids like 1,3") from None


@app.command()
def convert_weights(
    src: Annotated[
        str, typer.Argument(metavar="SRC", help="Checkpoint or base: folder, pytorch_model.bin, GGUF file, owner/name.")
    ],
    dst: Annotated[Path | None, typer.Argument(metavar="DST", help="Folder to write; not with --inspect.")] = None,
    base: Annotated[
        str | None, typer.Option(metavar="FOLDER", help="The checkpoint's base, folder or owner/name: logits too.")
    ] = None,
    dtype: Annotated[
        Dtype | None,
        typer.Option(
            metavar="DTYPE",
            help="Of the weights: float32, bfloat16 or float16. [float32; base: bfloat16; GGUF: its own]",
        ),
    ] = None,
    q_bits: Annotated[Bits | None, typer.Option(metavar="8|6|4", help="Quantise; 6 for a base only.")] = None,
    down_proj_bits: Annotated[
        int | None, typer.Option(metavar="N", help="Of a quantised base's down_proj: 8, or 16 (not).")
    ] = None,
    verify: Annotated[
        int, typer.Option(metavar="N", min=0, help="Seeded inputs on which torch and MLX are compared.")
    ] = 1,
    prefix_ids: Annotated[
        str | None, typer.Option(metavar="IDS", help="Token ids in front of every chunk, like 1,3.")
    ] = None,
    suffix_ids: Annotated[str | None, typer.Option(metavar="IDS", help="Token ids after every chunk.")] = None,
    max_chunk_tokens: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Longest chunk of a document.")
    ] = None,
    matcher: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Trained matcher that goes into the bundle.")
    ] = None,
    push: Annotated[
        str | None, typer.Option(metavar="OWNER/NAME", help="Upload to this repository on the hub (new ones: private).")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace what this command wrote at DST.")] = False,
    inspect: Annotated[bool, typer.Option("--inspect", help="Say what SRC holds, and convert nothing.")] = False,
    to_torch: Annotated[bool, typer.Option("--to-torch", help="Turn a bundle back into a checkpoint.")] = False,
) -> None:
    """Turn a checkpoint or a base model into what Thoth loads, and prove that torch and MLX compute the same.

    The report is printed and kept in conversion.json beside the weights.
    """
    if dst is None and not inspect:
        raise typer.BadParameter("give a folder to write", param_hint="DST")
    ids = [None if text is None else _ids(text) for text in (prefix_ids, suffix_ids)]

    # Slow imports wait until the arguments are known to be right.
    from mlx_hypernet.blas import preload_blas
    from mlx_hypernet.format.quick_import import quicken_transformers

    preload_blas()
    quicken_transformers()
    # Before transformers is imported: it warns about keys that only mlx-lm reads.
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    from convert.errors import ConversionError

    try:
        if inspect or dst is None:
            typer.echo(_inspect(src))
        elif to_torch:
            _to_torch(src, dst)
        else:
            from convert.base_facts import Template

            bits = None if q_bits is None else int(q_bits)
            template = Template(ids[0], ids[1], max_chunk_tokens)
            _convert(src, dst, base, dtype, bits, down_proj_bits, verify, template, matcher, force)
            if push:
                _push(dst, push)
    except ConversionError as error:
        _fail(str(error), error.exit_code)
    except MemoryError:
        _fail("not enough memory: close other programs, or pass --verify 0", 6)
    except OSError as error:
        _fail(f"{error.filename or dst or src}: {error.strerror}", 6 if error.errno == errno.ENOSPC else 1)
    except KeyboardInterrupt:
        _fail(f"interrupted: {dst or src} is as it was, or complete", 130)


def _convert(
    src: str,
    dst: Path,
    base: str | None,
    dtype: Dtype | None,
    bits: int | None,
    down_proj_bits: int | None,
    verify: int,
    template: Template,
    matcher: Path | None,
    force: bool,
) -> None:
    from convert.base.options import BaseOptions
    from convert.base_facts import Template
    from convert.conversion import ConversionSettings, convert
    from convert.errors import UsageError
    from convert.source import Kind, find

    source = find(src, _say)
    report: Any
    if source.kind in (Kind.BASE, Kind.GGUF) and (base or matcher or template != Template()):
        raise UsageError(
            "--base, --matcher and what is said of chunks are for hypernetworks: this is a base model itself"
        )
    if source.kind is Kind.GGUF:
        from convert.gguf.model import convert_gguf

        _say(f"converting the {source.kind} {source.path} to {dst}")
        options = BaseOptions(
            dtype=(dtype or Dtype.float16).value, q_bits=bits, down_proj_bits=down_proj_bits, verify=verify, force=force
        )
        report = convert_gguf(source.path, dst, options, keep=dtype is None and bits is None)
    elif source.kind is Kind.BASE:
        from convert.base.model import convert_base

        chosen = (dtype or Dtype.bfloat16).value
        _say(f"converting the {source.kind} {source.path} to {dst} ({chosen})")
        options = BaseOptions(dtype=chosen, q_bits=bits, down_proj_bits=down_proj_bits, verify=verify, force=force)
        report = convert_base(source.path, dst, options)
    else:
        if down_proj_bits is not None or bits == 6:
            raise UsageError("--down-proj-bits and --q-bits 6 are for base models: a hypernetwork takes 8 or 4 bits")
        chosen = (dtype or Dtype.float32).value
        _say(f"converting the {source.kind} {source.path} to {dst} ({chosen}{f', {bits} bits' if bits else ''})")
        found = find(base, _say) if base else None
        settings = ConversionSettings(chosen, bits, found, template, matcher, verify, force)
        report = convert(source, dst, settings)
    typer.echo(report.table() if report else "not compared (--verify 0)")
    typer.echo(f"wrote {dst}")


def _inspect(src: str) -> str:
    from convert.inspection import inspect
    from convert.source import find

    return inspect(find(src, _say))


def _to_torch(src: str, dst: Path) -> None:
    from convert.source import find
    from convert.to_torch import to_torch

    bits = to_torch(find(src, _say), dst)
    if bits is not None:
        _say(f"the bundle has {bits} bits: these are its rounded weights, to start a training from")
    typer.echo(f"wrote {dst}")


def _push(folder: Path, repository: str) -> None:
    from convert.push import push

    _say(f"pushing {folder} to {repository}")
    typer.echo(f"pushed to {push(folder, repository)}")


def _say(message: str) -> None:
    typer.echo(message, err=True)


def _fail(message: str, code: int) -> NoReturn:
    typer.echo(f"convert-weights: {' '.join(message.splitlines())}", err=True)
    raise typer.Exit(code)


def main() -> None:
    """Entry point of `convert-weights`."""
    terminal.guard()  # messages quote what a model folder says
    app()
