"""From teacher data to a trained hypernetwork.

In: the settings of a run (YAML) and teacher data. Out: checkpoints, a log, curves and a model card. Read first:
`train.py`, then `packing.py` (batches), `distillation.py` (a batch to its losses), `loop.py` (losses to steps) and
`checkpoint.py`.
"""
