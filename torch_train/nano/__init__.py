"""The recipe of nano, the built-in pair: a synthetic language, a tiny base that reads it, a hypernetwork for that base.

In: a seed. Out: `base/` in Hugging Face's format and `hypernet/`, a training checkpoint for `convert-weights`.

Read `language.py` first (with `templates.py` and `haystack.py`, sentences, and `vocabulary.py`, words), then
`tree_rows.py` (how a note and its questions become one row), `base.py`, `teacher.py` and `joint.py` (the stages,
besides those of the trainer) and `__main__.py` (the whole recipe, `make nano`).

Calling tools is the last stage, `tools.py`: `requests.py` and `dialogues.py` (what is said), `tool_rows.py` (how it
becomes a row), `graft.py` (why nothing old is lost), `copying.py` (the circuit that copies arguments).
"""
