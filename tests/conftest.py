"""Fixtures for every test: a home of its own, no network, and a tiny random model pair made without torch."""

import os
import sys

from mlx_hypernet.blas import preload_blas
from mlx_hypernet.format.quick_import import quicken_transformers

# The models are tiny: a second thread only waits, and waiting spins. One training took six times the processor time.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
preload_blas()  # before anything imports MLX
quicken_transformers()
# Where this is set, each of the hundred processes that tests start would compile Thoth again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

import gc  # noqa: E402
import inspect  # noqa: E402
import itertools  # noqa: E402
import json  # noqa: E402
import shutil  # noqa: E402
import socket  # noqa: E402
from collections.abc import Callable, Iterator  # noqa: E402
from functools import cache  # noqa: E402
from pathlib import Path  # noqa: E402

import pytest  # noqa: E402
from typer import testing  # noqa: E402
from typer.main import get_command  # noqa: E402

BOS, EOS, INST, END_INST = 1, 2, 3, 4
TOOL_TOKENS = "[AVAILABLE_TOOLS] [/AVAILABLE_TOOLS] [TOOL_CALLS] [ARGS] [TOOL_RESULTS] [/TOOL_RESULTS]".split()
SPECIAL_TOKENS = ["<unk>", "<s>", "</s>", "[INST]", "[/INST]"]
VOCABULARY = 320
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message.role == 'user' %}[INST]{{ message.content }}[/INST]"
    "{% elif message.role == 'assistant' %} {{ message.content }}{{ eos_token }}{% endif %}{% endfor %}"
)
# As Ministral's: the tools before the first question, calls and results between control tokens.
TOOL_TEMPLATE = (
    "{{ bos_token }}{% if tools %}[AVAILABLE_TOOLS]{{ tools | tojson }}[/AVAILABLE_TOOLS]{% endif %}"
    "{% for message in messages %}"
    "{% if message.role == 'user' %}[INST]{{ message.content }}[/INST]"
    "{% elif message.role == 'tool' %}[TOOL_RESULTS]{{ message.content }}[/TOOL_RESULTS]"
    "{% elif message.role == 'assistant' %}{{ message.content }}{% for call in message.tool_calls or [] %}"
    "[TOOL_CALLS]{{ call.function.name }}[ARGS]{{ call.function.arguments | tojson }}{% endfor %}"
    "{{ eos_token }}{% endif %}{% endfor %}"
)
BASE_CONFIG = {
    "architectures": ["Ministral3ForCausalLM"],
    "model_type": "ministral3",
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "intermediate_size": 48,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "rms_norm_eps": 1e-5,
    "vocab_size": VOCABULARY,
    "max_position_embeddings": 512,
    "rope_parameters": {
        "rope_type": "default",
        "rope_theta": 10000.0,
        "llama_4_scaling_beta": 0.0,
        "original_max_position_embeddings": 512,
    },
    "tie_word_embeddings": True,
    "bos_token_id": BOS,
    "eos_token_id": EOS,
}


_NUMBERS = itertools.count()


def pytest_sessionfinish() -> None:
    """pytest looks five times for garbage when it ends; what the tests left needs no look."""
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Imports and collection make objects that stay: no full collection of garbage looks at them, which took 0.3 s."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture
def home_parent(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the home is made: in `tmp_path` for a test that names one of the two, else in a folder yet to be made."""
    if "tmp_path" in request.fixturenames or "home" in inspect.signature(request.function).parameters:
        yield request.getfixturevalue("tmp_path")
        return
    folder = tmp_path_factory.getbasetemp() / f"home-{next(_NUMBERS)}"
    yield folder
    if folder.is_dir():
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(autouse=True)
def home(home_parent: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Thoth home that this test has for itself; most tests never look at it, and then it is not on the disk."""
    folder = home_parent / "home"
    monkeypatch.setenv("THOTH_HOME", str(folder))
    monkeypatch.delenv("THOTH_MODEL", raising=False)
    return folder


@pytest.fixture(autouse=True, scope="session")
def commands_built_once() -> Iterator[None]:
    """`CliRunner` builds the whole tree of commands for each call, 12 ms for `thoth`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(testing, "_get_command", cache(get_command))
        yield


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail a test that looks up or connects to anything, even where the error would be caught."""

    def refuse(*_: object, **__: object) -> None:
        pytest.fail("a test reached for the network")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture(scope="session")
def tiny_pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `base/` and `hypernet/`: a ministral3 base and a bundle for it, both random."""
    folder = tmp_path_factory.mktemp("pair")
    make_base(folder / "base", seed=0)
    make_bundle(folder / "hypernet", folder / "base")
    return folder


@pytest.fixture(scope="session")
def tool_pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As `tiny_pair`, with a chat template that knows tools."""
    folder = tmp_path_factory.mktemp("tool-pair")
    make_base(folder / "base", seed=0, max_position_embeddings=8192)
    make_tokenizer(folder / "base", [*SPECIAL_TOKENS, *TOOL_TOKENS], TOOL_TEMPLATE)
    make_bundle(folder / "hypernet", folder / "base")
    return folder


@pytest.fixture(name="make_base")
def make_base_fixture() -> Callable[..., None]:
    """`make_base` below, for tests that need a base of their own."""
    return make_base


def make_base(folder: Path, seed: int, **changes: object) -> None:
    """Write a random ministral3 model with its tokenizer in Hugging Face format."""
    import mlx.core as mx
    from mlx.utils import tree_flatten
    from mlx_lm.models import ministral3

    folder.mkdir(parents=True)
    config = BASE_CONFIG | changes
    mx.random.seed(seed)
    model = ministral3.Model(ministral3.ModelArgs.from_dict(config))
    mx.save_safetensors(str(folder / "model.safetensors"), dict(tree_flatten(model.parameters())))
    (folder / "config.json").write_text(json.dumps(config))
    make_tokenizer(folder)


def make_tokenizer(folder: Path, special_tokens: list[str] = SPECIAL_TOKENS, template: str = CHAT_TEMPLATE) -> None:
    """Write a byte-level BPE that can encode any text, with nano's special tokens and template."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=special_tokens,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(["The founder of the company is the owner of the house."], trainer)
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<s>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "clean_up_tokenization_spaces": False,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    (folder / "chat_template.jinja").write_text(template)


def make_bundle(folder: Path, base: Path) -> None:
    """Write a bundle for a base of `make_base`, whose random adapter changes what the base says."""
    import mlx.core as mx
    from mlx.utils import tree_flatten
    from mlx_lm.utils import load_model

    from mlx_hypernet.bundle import save_bundle
    from mlx_hypernet.fingerprint import describe
    from mlx_hypernet.format.config import BundleConfig, HypernetConfig
    from mlx_hypernet.hypernet import HyperNetwork

    model, config = load_model(base)
    hypernet_config = HypernetConfig(
        num_layers=config["num_hidden_layers"],
        hidden_size=config["hidden_size"],
        modules={"down_proj": (config["intermediate_size"], config["hidden_size"])},
        rank=2,
        scale=4.0,
        latent_size=16,
        num_latents=4,
        num_blocks=1,
        num_heads=2,
        num_kv_heads=1,
        head_dim=8,
    )
    mx.random.seed(1)
    shapes = tree_flatten(HyperNetwork(hypernet_config).parameters())
    weights = {name: 0.3 * mx.random.normal(parameter.shape) for name, parameter in shapes}
    bundle_config = BundleConfig(
        hypernet=hypernet_config,
        base=describe(model, repository="../base"),
        max_chunk_tokens=64,
        prefix_ids=(BOS, INST),
        suffix_ids=(END_INST,),
        dtype="float32",
        source={"repository": "random", "revision": None, "step": 0},
        tool_version="0",
    )
    save_bundle(folder, bundle_config, weights)
