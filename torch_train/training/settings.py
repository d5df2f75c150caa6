"""The settings of a run: one YAML file of values into frozen dataclasses; every problem of it reported at once."""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import yaml

from torch_train.errors import TrainingError


class SettingsError(TrainingError):
    """A configuration that no run can be started from; its message has a line for each problem."""


@dataclass(frozen=True)
class BaseSettings:
    """The frozen base.

    Attributes:
        path: Folder, or name on the hub.
        dtype: Of its weights and activations; `auto` is bf16 where the GPU or the processor multiplies in it.
        encoder_bits: 4 lets a quantised copy read the contexts (CUDA alone); null the base itself.
        encoder_double: Quantise the scales of that copy as well.
    """

    path: str
    dtype: Literal["bfloat16", "float32", "auto"] = "bfloat16"
    encoder_bits: Literal[4] | None = None
    encoder_double: bool = True


@dataclass(frozen=True)
class HypernetSettings:
    """The hypernetwork, as far as the base does not fix it; see `config.HypernetConfig`.

    Attributes:
        scale: null for the reference's 2 * rank^1.5.
        layers: First adapted block of the base, and the one after the last; null adapts all.
        exit_layer: Block where the base stops reading, whose features serve all layers: the reference's `early_exit`,
            which takes a quarter of the blocks. null reads each adapted layer's own features.
        scaler_start: What B's scalers start at. 0, the reference's, does not change the base before training; above 0,
            gradients reach the Perceiver from the first step on.
        start: A training checkpoint to start from, of the same shape: stage 2 starts from stage 1. Only
            `token_pairs` may be new.
    """

    modules: tuple[str, ...] = ("down_proj",)
    rank: int = 8
    scale: float | None = None
    latent_size: int = 512
    num_latents: int = 8
    num_blocks: int = 9
    num_heads: int = 16
    num_kv_heads: int = 4
    head_dim: int = 128
    num_pre_head_layers: int = 1
    per_layer_processing: bool = True
    layers: tuple[int, int] | None = None
    feature_norm: bool = False
    reads_template: bool = True
    projection_factor: int = 4
    token_pairs: bool = False
    exit_layer: int | None = None
    scaler_start: float = 0.0
    start: str | None = None


@dataclass(frozen=True)
class DataSettings:
    """Folders of teacher shards, as `python -m torch_train.teacher` writes them.

    Attributes:
        teacher: Folders to learn from.
        dev: Folders to measure on.
        floor: Least share of an epoch for each folder of `teacher`; the rows of smaller ones are repeated.
    """

    teacher: tuple[str, ...]
    dev: tuple[str, ...] = ()
    floor: float = 0.0


@dataclass(frozen=True)
class PackingSettings:
    """How contexts and questions become batches.

    Attributes:
        context_tokens: Budget of a batch for contexts.
        input_tokens: Budget of a batch for questions with their answers.
        max_chunk_tokens: Longest chunk, which the finished bundle remembers.
        chunks: `few` cuts as the app does, into as few chunks as there can be; `random` draws their number from stage
            2's table. They are of equal length either way.
        min_chunk_tokens: About the shortest chunk where their number is random.
        compose: Probability that a context is absorbed together with another one, as a library is.
        max_questions: Questions of a context in a batch at most, null for as many as fit. 1 is the reference's
            `max_qas_per_sample`: it reads a context again for every question.
        max_input_tokens: Longest question with its answer, null for `input_tokens`; longer ones are dropped.
    """

    context_tokens: int = 4096
    input_tokens: int = 4096
    max_chunk_tokens: int = 4096
    chunks: Literal["few", "random"] = "few"
    min_chunk_tokens: int = 25
    compose: float = 0.0
    max_questions: int | None = None
    max_input_tokens: int | None = None


@dataclass(frozen=True)
class OptimizerSettings:
    """How the hypernetwork is optimised; defaults are those of the published runs.

    Attributes:
        kind: `muon` takes it for the matrices and AdamW for the rest, as nano is trained (docs/LOG.md).
        steps: Updates of the whole run.
        accumulation: Packed batches per update and process.
        learning_rate: At its peak.
        final_learning_rate: Where the cosine ends.
        warmup: Steps of linear warm-up.
        weight_decay: Of everything but scalers, biases, norms and latents.
        betas: Of AdamW.
        clip: Largest norm of the gradient.
        decision: Coefficient of the loss of the answers' first tokens alone, which the published runs have not.
        l1: Coefficient of the mean magnitude of combined adapters.
        neftune: Strength of the noise on the student's embeddings.
        loss: `distillation` imitates the teacher's distribution; `cross_entropy` learns the answers' own tokens.
        weight: What counts once in the loss: a `context` with all its questions, or each `question`.
        precision: `inference` computes as the app does: on CUDA, or with a base in bf16, the Perceiver in bf16, what
            follows it in fp32. `autocast` puts all of it into bf16, and fp32 products into TF32, as the reference does.
    """

    steps: int
    kind: Literal["adamw", "muon"] = "adamw"
    accumulation: int = 8
    learning_rate: float = 4e-5
    final_learning_rate: float = 1e-7
    warmup: int = 100
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.999)
    clip: float = 1.0
    decision: float = 0.0
    l1: float = 0.1
    neftune: float = 5.0
    loss: Literal["distillation", "cross_entropy"] = "distillation"
    weight: Literal["context", "question"] = "context"
    precision: Literal["inference", "autocast"] = "inference"


@dataclass(frozen=True)
class RunSettings:
    """Where and how the run goes.

    Attributes:
        folder: Of checkpoints, log and curves; a run resumes from the last checkpoint in it.
        seed: Of weights, order, cuts and noise.
        device: `auto` is CUDA where there is some.
        sharding: `fsdp` spreads hypernetwork and optimiser over the GPUs; `none` gives each its own copy.
        minutes: Time for what is left of the run, which the learning rate's schedule then follows; `optimizer.steps` is
            still a bound. For one process alone; null for none.
        recompute: Gradient checkpointing, less memory and more time: `on`, `off`, or `auto`, which is on where the free
            memory is too small without it. true and false mean on and off.
        compile: Whether `torch.compile` fuses the hypernetwork's MLPs, pre-head and head, which takes a compiler and
            some minutes at first: `on`, `off`, or `auto`, which is on in runs of 1,000 steps or more on CPUs that have
            a C++ compiler.
        save_every, keep: Steps between checkpoints, and how many are kept.
        log_every: Steps that one line of the log is the mean of.
        measure_every, measure_batches: Steps between losses on `data.dev`, and how many batches of it are taken.
        wandb: Name of a Weights & Biases project, null for none; TensorBoard is always written.
    """

    folder: str
    seed: int = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    sharding: Literal["none", "fsdp"] = "none"
    minutes: float | None = None
    recompute: Literal["auto", "on", "off"] = "auto"
    compile: Literal["auto", "on", "off"] = "off"
    save_every: int = 500
    keep: int = 3
    log_every: int = 10
    measure_every: int = 500
    measure_batches: int = 32
    wandb: str | None = None


@dataclass(frozen=True)
class TrainingSettings:
    """Everything a run depends on."""

    base: BaseSettings
    data: DataSettings
    optimizer: OptimizerSettings
    run: RunSettings
    hypernet: HypernetSettings = HypernetSettings()
    packing: PackingSettings = PackingSettings()

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for checkpoints and the model card."""
        return asdict(self)


def default_values() -> dict[str, dict[str, Any]]:
    """The defaults of every section, of the settings that have one."""
    hints = typing.get_type_hints(TrainingSettings)
    return {
        section: {field.name: field.default for field in fields(cls) if field.default is not MISSING}
        for section, cls in hints.items()
    }


def read_settings(path: Path, overrides: Sequence[str] = ()) -> TrainingSettings:
    """Read a YAML file.

    Args:
        path: The file.
        overrides: `section.key=value` each, which win over the file.

    Raises:
        SettingsError: Names every unknown or missing key and every value of the wrong kind.
    """
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # a date such as 2026-13-01 is a ValueError
        raise SettingsError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(data, dict):
        raise SettingsError(
            f"{path} must hold sections of settings: {', '.join(f.name for f in fields(TrainingSettings))}"
        )
    problems: list[str] = []
    for override in overrides:
        _override(data, override, problems)
    settings = _build(TrainingSettings, data, "", problems)
    if settings is not None and not problems:
        problems += _impossible(settings)
    if problems:
        raise SettingsError("\n".join(f"{path}: {problem}" for problem in problems))
    return settings


def check_files(settings: TrainingSettings, *, data: bool = True) -> None:
    """Check that what the settings name is there; `data=False` leaves teacher shards out.

    Raises:
        SettingsError: Names everything that is missing. Names on the hub are not looked up.
    """
    named = [("base.path", settings.base.path, True), ("hypernet.start", settings.hypernet.start, False)]
    if data:
        named += [("data.teacher", folder, False) for folder in settings.data.teacher]
        named += [("data.dev", folder, False) for folder in settings.data.dev]
    missing = [
        f"{key}: there is no folder {name}"
        for key, name, hub in named
        if name is not None and not Path(name).is_dir() and not (hub and _is_hub_name(name))
    ]
    if missing:
        raise SettingsError("\n".join(missing))


def _is_hub_name(name: str) -> bool:
    return name.count("/") == 1 and not name.startswith((".", "/", "~"))


def _override(data: dict[str, Any], override: str, problems: list[str]) -> None:
    key, separator, value = override.partition("=")
    section, dot, name = key.partition(".")
    if not (separator and dot and name):
        problems.append(f"{override!r} is no setting: write section.key=value")
        return
    try:
        parsed = yaml.safe_load(value)
    except (yaml.YAMLError, ValueError, RecursionError):
        problems.append(f"{override!r}: the value is not YAML")
        return
    if isinstance(data.setdefault(section, {}), dict):
        data[section][name] = parsed


def _build(cls: Any, data: Any, where: str, problems: list[str]) -> Any:
    """An instance of a dataclass, or None and lines in `problems`."""
    if not isinstance(data, Mapping):
        problems.append(f"{where or 'the file'} must be a section with keys")
        return None
    known = {field.name: field for field in fields(cls)}
    hints = typing.get_type_hints(cls)
    prefix = f"{where}." if where else ""
    before = len(problems)
    problems += [f"{prefix}{key} is unknown; known: {', '.join(known)}" for key in data if key not in known]
    values = {}
    for name, field in known.items():
        if name in data:
            hint = hints[name]
            if isinstance(hint, type) and hasattr(hint, "__dataclass_fields__"):
                values[name] = _build(hint, data[name], prefix + name, problems)
            else:
                values[name] = _value(hint, data[name], prefix + name, problems)
        elif field.default is MISSING and field.default_factory is MISSING:
            problems.append(f"{prefix}{name} is missing")
    return cls(**values) if len(problems) == before else None


def _value(hint: Any, value: Any, where: str, problems: list[str]) -> Any:
    """`value` as the type of a field, or a line in `problems`."""
    try:
        return _as(hint, value)
    except (ArithmeticError, TypeError, ValueError):
        problems.append(f"{where} must be {_told(hint)}, not {value!r}")
        return None


def _as(hint: Any, value: Any) -> Any:
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return None if value is None else _as(next(part for part in parts if part is not type(None)), value)
    if origin is Literal:
        if isinstance(value, bool) and {"on", "off"} < set(parts):  # which YAML 1.1 makes of `on` and `off`
            return "on" if value else "off"
        if value in parts and not isinstance(value, bool):
            return value
        raise ValueError
    if origin is tuple:
        items = [value] if isinstance(value, str) else value
        if not isinstance(items, list | tuple) or (parts[-1] is not Ellipsis and len(items) != len(parts)):
            raise TypeError
        return tuple(_as(parts[0], item) for item in items)
    if hint is float and isinstance(value, str):
        value = float(value)  # YAML 1.1 takes 4e-5, without a point, for a text
    if hint is float and not math.isfinite(value):
        raise ValueError
    accepted = (int, float) if hint is float else hint
    if not isinstance(value, accepted) or (isinstance(value, bool) and hint is not bool):
        raise TypeError
    return hint(value)


def _told(hint: Any) -> str:
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return " or ".join("null" if part is type(None) else _told(part) for part in parts)
    if origin is Literal:
        *most, last = map(str, parts)
        return f"{', '.join(most)} or {last}" if most else last
    if origin is tuple:
        count = "" if parts[-1] is Ellipsis else f"{len(parts)} "
        return f"a list of {count}{_told(parts[0]).partition(' ')[2]}s"
    return {int: "an integer", float: "a number", bool: "true or false", str: "a text"}[hint]


def _impossible(settings: TrainingSettings) -> list[str]:
    """Values that are of the right kind and still cannot be meant."""
    optimizer, packing, run = settings.optimizer, settings.packing, settings.run
    positive = {
        "optimizer.steps": optimizer.steps,
        "optimizer.accumulation": optimizer.accumulation,
        "optimizer.learning_rate": optimizer.learning_rate,
        "optimizer.clip": optimizer.clip,
        "packing.context_tokens": packing.context_tokens,
        "packing.input_tokens": packing.input_tokens,
        "packing.min_chunk_tokens": packing.min_chunk_tokens,
        "run.save_every": run.save_every,
        "run.keep": run.keep,
        "run.log_every": run.log_every,
        "run.measure_every": run.measure_every,
        "run.measure_batches": run.measure_batches,
    }
    positive |= {
        f"packing.{name}": value
        for name in ("max_questions", "max_input_tokens")
        if (value := getattr(packing, name)) is not None
    }
    problems = [f"{name} must be above 0, not {value}" for name, value in positive.items() if value <= 0]
    not_negative = {"warmup": optimizer.warmup, "weight_decay": optimizer.weight_decay}
    not_negative |= {"decision": optimizer.decision, "l1": optimizer.l1, "neftune": optimizer.neftune}
    problems += [f"optimizer.{name} must not be negative" for name, value in not_negative.items() if value < 0]
    if not 0 <= settings.data.floor * len(settings.data.teacher) <= 1:
        problems.append(f"data.floor is a share that every folder can have, not {settings.data.floor}")
    if packing.chunks == "random" and packing.max_chunk_tokens < packing.min_chunk_tokens:
        problems.append("packing.max_chunk_tokens must not be below packing.min_chunk_tokens")
    if not 0 <= packing.compose < 1:
        problems.append(f"packing.compose is a probability below 1, not {packing.compose}")
    if optimizer.kind == "muon" and run.sharding == "fsdp":
        problems.append("optimizer.kind: muon needs whole matrices, which run.sharding: fsdp spreads: use one of them")
    if run.minutes is not None and run.minutes <= 0:
        problems.append(f"run.minutes must be above 0, not {run.minutes}")
    if not settings.data.teacher:
        problems.append("data.teacher names no folder: make teacher data with python -m torch_train.teacher")
    return problems
