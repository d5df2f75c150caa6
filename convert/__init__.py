"""`convert-weights`: training checkpoints to bundles, published or GGUF bases to MLX, with a proof for each.

Input: a checkpoint of `torch_train` (`config.json` + `model.safetensors`) or of the reference implementation of
Doc-to-LoRA (`pytorch_model.bin`), or a published base model in Hugging Face's format or GGUF. Output: a bundle or a
text-only MLX base, and beside it a report (`conversion.json`, `base_conversion.json`): its origin, and the largest
differences between torch and MLX.

Read `conversion.py` first, it is the whole way of a hypernetwork; `source.py` finds what SRC names, `checkpoint.py`
and `reference.py` read (the latter with `pickles.py`, `reference_keys.py` and `base_facts.py`), `parity.py` compares
what `torch_side.py` and `mlx_side.py` compute from the inputs of `probe.py`. `base/` is the way of a base model,
`gguf/` that of a GGUF file, `cli.py` the command. Torch is needed only to compare, and for the reference's pickles.
"""
