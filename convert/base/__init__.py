"""Base models as they are published, to text-only MLX bases.

In: a Hugging Face folder (BF16 or FP8, sharded, multimodal). Out: what mlx-lm loads, and `base_conversion.json`. Read
`model.py` first, it is the whole way; `config.py`, `shards.py`, `fp8.py` and `tokenizer.py` are its steps,
`mlx_model.py` and `writing.py` are shared with `convert.gguf`, `parity.py` compares transformers with MLX.
"""
