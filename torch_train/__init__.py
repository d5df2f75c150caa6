"""The hypernetwork in PyTorch, and everything that trains it.

Input: a frozen Hugging Face base model, and documents with questions. Output: a checkpoint folder
(`config.json` + `model.safetensors`) that `convert-weights` turns into a bundle for `mlx_hypernet`.

Read `model/hypernet.py` first: it is the whole model. `mlx_hypernet/hypernet.py` is its twin and has the same names, so
conversion is the identity. Of `mlx_hypernet` only `format/` is imported, so mlx is not needed. The steps of a run:

    data/            data sets and documents -> rows of contexts with questions     python -m torch_train.data
    teacher/         rows -> the base's answers with the context in its prompt      python -m torch_train.teacher
    training/        teacher data -> a hypernetwork                                 python -m torch_train CONFIG.yaml
    evaluation/      a checkpoint -> scores                                         python -m torch_train.evaluate

All of them use `model/`. `configs/` has one YAML file for each run; `nano/` and `english/` are the recipes of the
built-in pair and of smol. Imports point one way: evaluation -> training -> teacher -> data -> model.
"""
