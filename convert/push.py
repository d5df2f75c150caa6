"""Publishing a result on the hub: a model card beside the weights, then the whole folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from convert.conversion import REPORT_FILE
from convert.errors import ConversionError, one_line
from mlx_hypernet.format import installing

CARD_FILE = "README.md"


def push(folder: Path, repository: str) -> str:
    """Write the model card into `folder` and upload it; a repository that does not exist is made, private.

    Returns:
        The repository's address.

    Raises:
        ConversionError: when the hub refuses or cannot be reached; `folder` stays.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HFValidationError

    (folder / CARD_FILE).write_text(card(folder, repository), encoding="utf-8")
    api = HfApi()
    try:
        url = api.create_repo(repository, private=True, exist_ok=True)
        api.upload_folder(repo_id=repository, folder_path=folder, commit_message="Upload with convert-weights")
    except (HFValidationError, OSError) as error:  # the hub's and the network's errors are OSErrors
        login, upload = installing.hub("auth", "login"), installing.hub("upload", repository, str(folder))
        raise ConversionError(
            f"{folder} is complete, but could not be pushed to {repository} ({one_line(error)}): "
            f"run `{login}`, then `{upload}`"
        ) from error
    return str(url)


def card(folder: Path, repository: str) -> str:
    """The model card of what is in `folder`."""
    config = json.loads((folder / "config.json").read_text("utf-8"))
    return _bundle_card(folder, config, repository) if "hypernet" in config else _base_card(config, repository)


def _bundle_card(folder: Path, config: dict[str, Any], repository: str) -> str:
    base, source, hypernet = config["base"], config["source"], config["hypernet"]
    quantization = config.get("quantization")
    stored = config["dtype"] + (f", matrices at {quantization['bits']} bits" if quantization else "")
    recall = "not measured" if config.get("recall") is None else f"{config['recall']:.1%}"
    name = base["repository"] or f"a {base['model_type']} model of {base['num_layers']} layers"
    report = json.loads((folder / REPORT_FILE).read_text("utf-8"))["parity"]
    rows = report["differences"] if report else []
    table = "\n".join(f"| {row['tensor']} | {row['max_absolute']:.1e} | {row['max_relative']:.1e} |" for row in rows)
    proof = f"\n| torch against MLX | max absolute | max relative |\n|---|---|---|\n{table}\n" if rows else ""
    header = ["library_name: mlx", "tags:", "- doc-to-lora", "- hypernetwork", "- mlx"]
    header += [f"base_model: {base['repository']}"] if _is_hub_id(base["repository"]) else []
    return f"""---
{chr(10).join(header)}
---

# {repository.rpartition("/")[2]}

A Doc-to-LoRA hypernetwork ([arXiv 2602.15902](https://arxiv.org/abs/2602.15902)) for {name}: it turns a
document into a LoRA, from which the model answers with an empty context window.

| | |
|---|---|
| base | {name} |
| converted from | {source.get("repository")}, revision {source.get("revision")}, step {source.get("step")} |
| adapter | rank {hypernet["rank"]}, scale {hypernet["scale"]:g}, {", ".join(hypernet["modules"])} |
| stored as | {stored} |
| facts recalled from adapters alone | {recall} |
| converted by | convert-weights {config["tool_version"]} |
{proof}
## Use

```
hf download {repository} --local-dir hypernet
thoth ask --model FOLDER --doc FILE "question"
```

where FOLDER holds this repository as `hypernet/` and the base as `base/`.

## Licence

The weights keep the licence of the checkpoint they were converted from, and their use is also bound by the licence of
the base model: check both before passing them on.
"""


def _base_card(config: dict[str, Any], repository: str) -> str:
    return f"""---
library_name: mlx
tags:
- mlx
---

# {repository.rpartition("/")[2]}

A text-only `{config["model_type"]}` language model, converted for MLX with convert-weights.

```
mlx_lm.generate --model {repository} --prompt "Hello"
```

The weights keep the licence of the model they were converted from.
"""


def _is_hub_id(name: str | None) -> bool:
    return name is not None and name.count("/") == 1 and not name.startswith((".", "/"))
