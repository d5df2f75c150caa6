"""The terminal app: chat on the right, the library on the left, documents absorbed while one types.

In: keys, pastes, dropped files. Out: requests to the engine. Read first: `app.py`, which puts it together; then
`work.py`, the way between the engine's threads and the screen, and `screens/main.py`, the chat.

Widgets post messages up and take reactives down; screens carry out what the messages ask for, with `Work` and
the core. Nothing of MLX is imported before the first paint.
"""
