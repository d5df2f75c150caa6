"""Doc-to-LoRA in MLX: from the token ids of a document to an adapter that is live in an mlx-lm model.

In: a base model loaded by mlx-lm, a bundle (hypernetwork and what it knows about its base), token ids.
Out: `ChunkAdapters` (what a document's chunks became), composed to one `Adapter`, attached or saved.

Read `absorb.py` first, it is the whole way in one function; then in its order `chunking.py` (text to chunks of
ids), `encoder.py` (chunks to features, one layer at a time), `hypernet.py` (features to A and B), `adapter.py`
(compose, save, load) and `live.py` (attach, detach). `bundle.py` loads and checks bundles, `quantization.py`
makes them smaller, `base.py` knows the anatomy of base models, `template.py` applies chat templates, `storage.py`
reads and writes files, `blas.py` makes Linux fast. No torch anywhere.
"""
