"""GGUF files, as llama.cpp, LM Studio and Ollama keep them, to text-only MLX bases.

In: one `FILE.gguf`. Out: what mlx-lm and transformers load, and `base_conversion.json`. Read `model.py` first, it is
the whole way; `header.py` checks the file, `config.py`, `tensors.py` and `tokenizer.py` rebuild what a Hugging Face
folder holds, `parity.py` compares transformers' reading of the file with MLX.
"""
