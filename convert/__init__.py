"""Checkpoints of training to bundles that `mlx_hypernet` loads.

In: a folder written by `torch_train` (`config.json` + `model.safetensors`). Out: a bundle (`config.json` +
`model.safetensors`) and `conversion.json`, the proof that both compute the same.

Read `conversion.py` first, it is the whole way; `checkpoint.py` reads training checkpoints, `parity.py`
compares torch with MLX, `reference.py` reads checkpoints of the Doc-to-LoRA reference implementation,
`cli.py` is the command. Torch is needed only to compare, and for the reference's pickles.
"""
