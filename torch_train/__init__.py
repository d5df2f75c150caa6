"""The hypernetwork in PyTorch, and what trains it.

In: a frozen Hugging Face base model and documents with questions. Out: a checkpoint folder
(`config.json` + `model.safetensors`) that `convert-weights` turns into a bundle for `mlx_hypernet`.

Read `hypernet.py` first: it is the whole model. Importable without mlx; `mlx_hypernet/hypernet.py` is its
twin and uses the same names, so that conversion is the identity. The way of a run, each step with its command:

    data/            data sets and documents -> rows                    python -m torch_train.data
    teacher.py       rows -> what the base says with them in context    python -m torch_train.teacher
    train.py         that -> a hypernetwork                             python -m torch_train CONFIG.yaml
    evaluate.py      a checkpoint -> scores                             python -m torch_train.evaluate

`train.py` reads like a list; behind it are `packing.py` (batches), `model.py` (contexts to adapters to losses),
`loop.py` (losses to steps) and `checkpoint.py`. `nano/` is the recipe of the built-in pair.
"""
