"""The model card of a finished run."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import yaml

from torch_train.data.shards import Shards
from torch_train.training.checkpoint import checkpoints
from torch_train.training.journal import read_log
from torch_train.training.settings import TrainingSettings

# As the data sets' authors publish them.
LICENCES = {
    "squad": "CC BY-SA 4.0",
    "drop": "CC BY-SA 4.0",
    "ropes": "CC BY 4.0",
    "pwc": "see the data set's page",
    "fineweb": "ODC-By 1.0; questions written by a language model",
    "niah": "generated",
}


def write(folder: Path, settings: TrainingSettings) -> Path:
    """Write `folder/README.md` and return its path."""
    last = checkpoints(folder)[-1]
    hypernet = json.loads((last / "config.json").read_text())
    log = read_log(folder)
    losses = [entry for entry in log if "distillation" in entry]
    dev = [entry for entry in log if "dev loss" in entry]
    sources = Counter[str]()
    for name in settings.data.teacher:
        sources.update(_sources(Path(name)))
    lines = [
        f"# Hypernetwork for {settings.base.path}",
        "",
        "Doc-to-LoRA (arXiv 2602.15902): a document goes in, a LoRA for the base above comes out.",
        "",
        f"- checkpoint: `{last.name}`; turn it into a bundle with `convert-weights {last.name} BUNDLE`",
        f"- target modules: {', '.join(settings.hypernet.modules)}; rank {settings.hypernet.rank} per chunk, "
        f"scale {hypernet['hypernet']['scale']:.4f}, never divided by the rank",
        f"- longest chunk: {settings.packing.max_chunk_tokens} tokens",
        f"- loss against the teacher's 16 most probable tokens: {losses[0]['distillation']:.4f} at step "
        f"{losses[0]['step']}, {losses[-1]['distillation']:.4f} at step {losses[-1]['step']}",
        *([f"- the same on contexts that were held out: {dev[-1]['dev loss']:.4f}"] if dev else []),
        "",
        "![curves](curves.png)",
        "",
        "## Data",
        "",
        "| source | contexts | licence |",
        "|---|---|---|",
        *(f"| {name} | {count:,} | {LICENCES.get(name, 'its own')} |" for name, count in sorted(sources.items())),
        "",
        "## Licence",
        "",
        "A hypernetwork is derived from its base and from its data: the base's licence applies, and those above.",
        "",
        "## Settings",
        "",
        "```yaml",
        yaml.safe_dump(json.loads(json.dumps(settings.to_dict())), sort_keys=False).rstrip(),
        "```",
        "",
    ]
    path = folder / "README.md"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def _sources(folder: Path) -> Counter[str]:
    """Contexts of a folder of teacher shards by source; needles of all lengths and depths are one."""
    shards = Shards.read(folder)
    tables = (pq.read_table(shards.path(index), columns=["source"]) for index in range(shards.count))
    return Counter(name.partition("/")[0] for table in tables for name in table["source"].to_pylist())
