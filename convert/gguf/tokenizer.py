"""The tokenizer of a GGUF file: `tokenizer.json` and `tokenizer_config.json` from the metadata.

Two kinds of vocabulary are in use: byte-level BPE (`gpt2`), whose merges are in the file, and SentencePiece's BPE
(`llama`), whose merges follow from the tokens' scores.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from convert.base.tokenizer import TOKENIZER_FILE
from convert.errors import CheckpointError, one_line
from convert.gguf.metadata import Metadata
from convert.gguf.splits import SPLITS
from mlx_hypernet.format.atomic import write_json

CONFIG_FILE = "tokenizer_config.json"
# Of `tokenizer.ggml.token_type`.
_UNKNOWN, _CONTROL, _USER_DEFINED, _BYTE = 2, 3, 4, 6
_SPECIAL = {"bos": "bos", "eos": "eos", "unk": "unknown", "pad": "padding"}
_SPACE = "▁"
# Turns the quadratic search for merges into a refusal where a token is longer than any real one.
_LONGEST_PIECE = 512


def write_tokenizer(metadata: Metadata, folder: Path, vocab_size: int, context_length: int) -> None:
    """Write the tokenizer's files into `folder`.

    Args:
        metadata: of the file.
        folder: of the base.
        vocab_size: rows of the embedding.
        context_length: most tokens the base reads.

    Raises:
        CheckpointError: when the tokenizer is missing, not supported, or contradicts itself.
    """
    tokens = metadata.texts("tokenizer.ggml.tokens")
    types = metadata.numbers("tokenizer.ggml.token_type").tolist() if metadata.has("tokenizer.ggml.token_type") else []
    path = metadata.file.path
    if len(tokens) > vocab_size or len(types) not in (0, len(tokens)) or len(set(tokens)) != len(tokens):
        raise CheckpointError(
            f"{path} has {len(tokens)} tokens, {len(set(tokens))} of them different, {len(types)} token types and "
            f"{vocab_size} embeddings: get another file"
        )
    special = _special_tokens(metadata, tokens)
    try:
        _build(metadata, tokens, types, special).save(str(folder / TOKENIZER_FILE))
    except (CheckpointError, OSError):
        raise
    except Exception as error:  # tokenizers raises nothing more specific
        raise CheckpointError(f"{path} has an unusable tokenizer ({one_line(error)}): get another file") from error
    config: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": context_length,
        "clean_up_tokenization_spaces": False,
        **special,
    }
    if metadata.has("tokenizer.chat_template"):
        config["chat_template"] = metadata.text("tokenizer.chat_template")
    write_json(folder / CONFIG_FILE, config)


def _build(metadata: Metadata, tokens: list[str], types: list[int], special: dict[str, str]) -> Any:
    kind = metadata.text("tokenizer.ggml.model")
    if kind == "gpt2":
        tokenizer = _byte_level(metadata, tokens)
    elif kind == "llama":
        tokenizer = _sentencepiece(metadata, tokens, types, special.get("unk_token"))
    else:
        path = metadata.file.path
        raise CheckpointError(f"{path} has a tokenizer of type {kind!r}: those of type gpt2 and llama can be converted")
    _add_tokens(tokenizer, tokens, types, set(special.values()))
    _add_ends(tokenizer, metadata, tokens, special, default_bos=kind == "llama")
    return tokenizer


def _special_tokens(metadata: Metadata, tokens: list[str]) -> dict[str, str]:
    special = {}
    for name, key in _SPECIAL.items():
        found = metadata.optional_integer(f"tokenizer.ggml.{key}_token_id")
        if found is None:
            continue
        if found >= len(tokens):
            raise CheckpointError(
                f"{metadata.file.path}: the {key} token is {found} of {len(tokens)}: get another file"
            )
        special[f"{name}_token"] = tokens[found]
    return special


def _byte_level(metadata: Metadata, tokens: list[str]) -> Any:
    from tokenizers import Tokenizer, decoders, models, normalizers

    name = metadata.text("tokenizer.ggml.pre", "")
    split = SPLITS.get(name)
    if split is None:
        # llama.cpp itself warns that a wrong pre-tokenizer degrades every answer.
        known = ", ".join(SPLITS)
        said = f"the pre-tokenizer {name!r}" if name else "no pre-tokenizer (it was made before May 2024)"
        raise CheckpointError(f"{metadata.file.path} names {said}: get a file with one of {known}")
    vocabulary = {token: index for index, token in enumerate(tokens)}
    merges = [_pair(metadata, merge) for merge in metadata.texts("tokenizer.ggml.merges")]
    if unknown := next((pair for pair in merges if not _mergeable(pair, vocabulary)), None):
        raise CheckpointError(
            f"{metadata.file.path} merges {unknown}, which is not in its vocabulary: get another file"
        )
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, ignore_merges=split.ignore_merges))
    if split.nfc:
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = split.pre_tokenizer()
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _sentencepiece(metadata: Metadata, tokens: list[str], types: list[int], unknown: str | None) -> Any:
    from tokenizers import Tokenizer, decoders, models, normalizers

    scores = metadata.numbers("tokenizer.ggml.scores").tolist()
    if len(scores) != len(tokens) or len(types) != len(tokens):
        raise CheckpointError(
            f"{metadata.file.path} has {len(tokens)} tokens and {len(scores)} scores: get another file"
        )
    vocabulary = {token: index for index, token in enumerate(tokens)}
    learned = [i for i, kind in enumerate(types) if kind not in (_UNKNOWN, _CONTROL, _BYTE)]
    merges = _merges(metadata, {tokens[i]: scores[i] for i in learned}, vocabulary)
    model = models.BPE(vocabulary, merges, unk_token=unknown, fuse_unk=True, byte_fallback=True)
    tokenizer = Tokenizer(model)
    prefix = metadata.flag("tokenizer.ggml.add_space_prefix", True)
    steps: list[Any] = [normalizers.Prepend(_SPACE)] if prefix else []
    tokenizer.normalizer = normalizers.Sequence([*steps, normalizers.Replace(" ", _SPACE)])
    parts = [decoders.Replace(_SPACE, " "), decoders.ByteFallback(), decoders.Fuse()]
    tokenizer.decoder = decoders.Sequence([*parts, *([decoders.Strip(" ", 1, 0)] if prefix else [])])
    return tokenizer


def _merges(metadata: Metadata, scores: dict[str, float], vocabulary: dict[str, int]) -> list[tuple[str, str]]:
    """Every way to put a token together from two others, best token first."""
    found = []
    for token, score in scores.items():
        if len(token) > _LONGEST_PIECE:
            raise CheckpointError(f"{metadata.file.path} has a token of {len(token)} characters: get another file")
        cuts = [(token[:i], token[i:]) for i in range(1, len(token))]
        pairs = [pair for pair in cuts if pair[0] in scores and pair[1] in scores]
        found += [(-score, vocabulary[left], vocabulary[right], left, right) for left, right in pairs]
    return [(left, right) for *_, left, right in sorted(found)]


def _pair(metadata: Metadata, merge: str) -> tuple[str, str]:
    left, space, right = merge.partition(" ")
    if not (left and space and right) or " " in right:
        raise CheckpointError(f"{metadata.file.path} merges {merge[:60]!r}, which are not two tokens: get another file")
    return left, right


def _mergeable(pair: tuple[str, str], vocabulary: dict[str, int]) -> bool:
    return pair[0] in vocabulary and pair[1] in vocabulary and pair[0] + pair[1] in vocabulary


def _add_tokens(tokenizer: Any, tokens: list[str], types: list[int], named: set[str]) -> None:
    """Control tokens are special; those and the user's own are found whole in a text."""
    from tokenizers import AddedToken

    for token, kind in zip(tokens, types or [0] * len(tokens), strict=True):
        if not token:
            continue
        if kind == _CONTROL or (kind == _UNKNOWN and token in named):
            tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True)])
        elif kind == _USER_DEFINED:
            tokenizer.add_tokens([AddedToken(token, normalized=False, special=False)])


def _add_ends(
    tokenizer: Any, metadata: Metadata, tokens: list[str], special: dict[str, str], *, default_bos: bool
) -> None:
    """The tokens around every text, where the file asks for them."""
    from tokenizers import processors

    # llama.cpp adds BOS to SentencePiece's vocabularies unless a file says otherwise.
    wanted = {"bos": metadata.flag("tokenizer.ggml.add_bos_token", default_bos)}
    wanted["eos"] = metadata.flag("tokenizer.ggml.add_eos_token", False)
    ends = {name: special.get(f"{name}_token") if wanted[name] else None for name in wanted}
    steps: list[Any] = []
    if metadata.text("tokenizer.ggml.model") == "gpt2":
        steps.append(processors.ByteLevel(trim_offsets=False))
    if any(ends.values()):
        single = [*([ends["bos"]] if ends["bos"] else []), "$A", *([ends["eos"]] if ends["eos"] else [])]
        second = [part.replace("$A", "$B") for part in single]
        known = [(token, tokens.index(token)) for token in dict.fromkeys(filter(None, ends.values()))]
        pair = [*(f"{part}:0" for part in single), *(f"{part}:1" for part in second)]
        steps.append(processors.TemplateProcessing(single=single, pair=pair, special_tokens=known))
    if steps:
        tokenizer.post_processor = steps[0] if len(steps) == 1 else processors.Sequence(steps)
