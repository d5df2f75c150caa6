"""English data for the built-in pair smol: notes drawn from a seed, real passages, questions about nothing.

In: seeds, the sentences of `kinds/*.yaml`, word lists, folders of passages. Out: texts with questions and answers.
Read first: `notes.py`, which draws a note; `values.py` makes the values in it, `split.py` says what is held out.
"""
