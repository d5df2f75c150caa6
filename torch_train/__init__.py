"""The hypernetwork in PyTorch, and what trains it.

In: a frozen Hugging Face base model and documents with questions. Out: a checkpoint folder
(`config.json` + `model.safetensors`) that `convert-weights` turns into a bundle for `mlx_hypernet`.

Read `model/hypernet.py` first: it is the whole model. Importable without mlx; `mlx_hypernet/hypernet.py` is its
twin and uses the same names, so that conversion is the identity. The steps of a run, each with its command:

    data/            data sets and documents -> rows                    python -m torch_train.data
    teacher/         rows -> what the base says with them in context    python -m torch_train.teacher
    training/        that -> a hypernetwork                             python -m torch_train CONFIG.yaml
    evaluation/      a checkpoint -> scores                             python -m torch_train.evaluate

`model/` is what all of them stand on, `configs/` has one YAML file for each run, `nano/` is the recipe of the built-in
pair. Imports point one way: evaluation -> training -> teacher -> data -> model.
"""
