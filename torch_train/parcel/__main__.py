"""`python -m torch_train.parcel`: a base and files in parts that fit a size limit, and back."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from torch_train.errors import DataError, TrainingError
from torch_train.parcel import parcel

_MB = 1_000_000


def main(argv: Sequence[str] | None = None) -> None:
    """Run one of the commands."""
    parser = argparse.ArgumentParser(prog="python -m torch_train.parcel", description=__doc__)
    commands = parser.add_subparsers(required=True)
    pack = commands.add_parser("pack", help="write numbered parts")
    pack.add_argument("folder", type=Path, help="folder of the parts; replaced if it exists")
    pack.add_argument("files", nargs="*", metavar="NAME=FILE", help="files that go along")
    pack.add_argument("--base", type=Path, help="folder of a base in transformers' layout")
    pack.add_argument("--room", type=float, default=39, help="most megabytes of a part (default: 39)")
    pack.set_defaults(run=_pack)
    unpack = commands.add_parser("unpack", help="put files and base together again")
    unpack.add_argument("folder", type=Path, help="folder of the parts")
    unpack.add_argument("destination", type=Path, help="where files and base/ go")
    unpack.set_defaults(run=lambda options: parcel.unpack(options.folder, options.destination))
    options = parser.parse_args(argv)
    try:
        options.run(options)
    except TrainingError as error:
        parser.exit(1, f"{error}\n")
    except OSError as error:
        parser.exit(1, f"{error.filename}: {error.strerror}\n")


def _pack(options: argparse.Namespace) -> None:
    files = {}
    for given in options.files:
        name, separator, path = given.partition("=")
        if not separator:
            raise DataError(f"{given!r} is not NAME=FILE")
        files[name] = Path(path)
    for part in parcel.pack(files, options.folder, round(options.room * _MB), options.base):
        print(f"{part}: {sum(path.stat().st_size for path in part.iterdir()) / _MB:.1f} MB")


if __name__ == "__main__":
    main()
