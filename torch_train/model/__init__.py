"""The frozen base, the hypernetwork and its adapters in PyTorch.

In: documents as token ids. Out: adapters, and the base's outputs with them. Read first: `hypernet.py`, then `base.py`
(the base, block by block), `encoder.py` (chunks to features), `lora.py` (adapters in the base) and `loss.py`.
"""
