"""How a person installs a missing package into the environment that runs now: what messages give as the remedy."""

from __future__ import annotations

import shlex
import sys
from importlib.machinery import PathFinder

# By its exact version: any other form fetches a build with CUDA on Linux.
TORCH = "torch==2.13.0"


def command(*requirements: str) -> str:
    """Return the shell command that installs packages for the running interpreter.

    The command names that interpreter, because `python` may be another one. Environments that uv makes have no pip.

    Args:
        requirements: as pip takes them, for example `torch==2.13.0`.
    """
    program, wanted = shlex.quote(sys.executable), shlex.join(requirements)
    if PathFinder.find_spec("pip") is None:
        return f"uv pip install --python {program} {wanted}"
    return f"{program} -m pip install {wanted}"


def hub(*arguments: str) -> str:
    """Return the shell command that is `hf ARGUMENTS`; in an environment of pipx or uv `hf` is not on the PATH."""
    return shlex.join([sys.executable, "-m", "huggingface_hub.cli.hf", *arguments])
