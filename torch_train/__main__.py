"""`python -m torch_train CONFIG.yaml [section.key=value ...]`: train a hypernetwork; a stopped run resumes."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from torch_train.errors import TrainingError
from torch_train.training.heap import keep_freed_memory
from torch_train.training.settings import SettingsError, check_files, read_settings


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line: 0 when done or stopped by SIGTERM, 1 for a run that failed, 2 for settings that are wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m torch_train",
        description="Train a hypernetwork against a frozen base; a run that was stopped resumes where it left off. "
        "On several GPUs: torchrun --nproc-per-node N -m torch_train CONFIG.yaml",
    )
    parser.add_argument("config", type=Path, help="YAML file, see torch_train/configs")
    parser.add_argument("overrides", nargs="*", metavar="section.key=value", help="settings that override the file's")
    parser.add_argument(
        "--dry-run", action="store_true", help="print parameters, memory, tokens, and the time of a few real steps"
    )
    options = parser.parse_intermixed_args(arguments)
    try:
        settings = read_settings(options.config, options.overrides)
        check_files(settings, data=not options.dry_run)
        # Imported late: wrong settings are reported without waiting for torch.
        if options.dry_run:
            from torch_train.training.dry_run import dry_run

            dry_run(settings)
        else:
            from torch_train.training.train import train

            train(settings)
    except TrainingError as error:
        # Of torchrun's processes each may fail in a way of its own; settings are wrong for all of them.
        rank, wrong = int(os.environ.get("RANK", "0")), isinstance(error, SettingsError)
        if rank == 0 or not wrong:
            print(f"process {rank}: {error}" if rank else error, file=sys.stderr)
        return 2 if wrong else 1
    except OSError as error:
        print(f"{error.filename or options.config}: {error.strerror or error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; the same command resumes from the last checkpoint", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    keep_freed_memory()
    sys.exit(main())
