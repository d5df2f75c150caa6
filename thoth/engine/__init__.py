"""The one thread that owns MLX: the model, its adapters and its key/value caches.

In: documents to absorb, questions to answer. Out: the events of `thoth.events`. Read first: `engine.py` (requests and
turns), then `absorbing.py` and `answering.py` (what one turn does).
"""
