"""What the MLX side and the PyTorch side must agree on: written once, importing neither framework.

`config.py` (the shape of a hypernetwork, and a bundle's `config.json`), `template.py` (text to the token ids of a chat,
and the ids that a template puts around a document), `chunking.py` (a document's ids to chunks), `tokenizer.py` (fixes
for tokenizer files that are read wrongly), `published.py` (what is downloaded of a repository, and FP8), `atomic.py`
(files and folders that appear whole or not at all) and `terminal.py` (no text commands a terminal).

`torch_train` and `convert` import these; of `mlx_hypernet`, `torch_train` imports nothing else.
"""
