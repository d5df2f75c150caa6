"""A base model and other files in parts that fit a size limit, for machines that nothing can be fetched on.

Input: a base in transformers' layout and files that go with it. Output: numbered folders, each small enough to be
carried by itself, and on the other side the same base, bit for bit. Read `parcel.py` first: it packs and unpacks.
`blocks.py` makes a base that came from 4-bit blocks small again; `halves.py` brings weights back in 16 bits.
"""
