"""The hypernetwork in PyTorch, and what trains it.

In: a frozen Hugging Face base model and documents with questions. Out: a checkpoint folder
(`config.json` + `model.safetensors`) that `convert-weights` turns into a bundle for `mlx_hypernet`.

Read `hypernet.py` first: it is the whole model. Importable without mlx; `mlx_hypernet/hypernet.py` is its
twin and uses the same names, so that conversion is the identity.
"""
