"""The terminal app: chat on the right, library on the left; documents are absorbed in the background.

In: keys, pastes, dropped files. Out: requests to the engine. Read first: `app.py`, which puts the parts together; then
`screens/main.py`, which passes messages and commands to `controllers/`, and `engine_client.py`, the way to the engine.

Widgets post messages up and take reactives down; controllers do the work, with the engine client and `thoth.actions`.
Nothing of MLX is imported before the first paint.
"""
