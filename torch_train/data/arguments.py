"""What the command lines share: arguments that are refused before anything is loaded, and the engine that they name."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

from torch_train.model.generation import ENGINES, GenerationEngine, choose_engine, open_engine


def whole(least: int) -> Callable[[str], int]:
    """A whole number of at least `least`."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if value < least:
            raise ArgumentTypeError(f"{text!r} is not a whole number of at least {least}")
        return value

    return parse


def wholes(text: str) -> tuple[int, ...]:
    """Whole numbers above 0 with commas between them."""
    return tuple(map(whole(1), text.split(",")))


def device(text: str) -> str:
    """A device that PyTorch has on this machine."""
    try:
        torch.empty(0, device=text)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ArgumentTypeError(f"{text!r} is not available on this machine: use cpu, or cuda with a GPU") from error
    return text


def add_engine(parser: ArgumentParser, runs: str) -> None:
    """The options that `engine` reads; `runs` names what it runs."""
    here = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument("--engine", choices=ENGINES, default="auto", help="auto: vLLM where it is installed, on CUDA")
    parser.add_argument("--device", type=device, default=here, help=f"where {runs} runs (%(default)s)")
    parser.add_argument(
        "--dtype", choices=("bfloat16", "float32"), help="dtype of the weights (float32 on the CPU, else bfloat16)"
    )
    parser.add_argument(
        "--batch-size", type=whole(1), default=32, help="prompts at once, with transformers (%(default)s)"
    )


def engine(options: Namespace, model: Path) -> tuple[Callable[[], GenerationEngine], str]:
    """What starts the engine for a model, and its name: another engine or dtype rounds differently."""
    dtype = options.dtype or ("float32" if options.device == "cpu" else "bfloat16")
    start = partial(open_engine, options.engine, model, options.device, dtype, options.batch_size)
    return start, f"{choose_engine(options.engine, options.device)}, {dtype}"
