"""What the main screen does, one concern per file; each controller names in its constructor what it depends on.

The screen passes messages down to its controllers, and they publish what they know by callbacks or in a few widgets.
Read first: `chat.py`.
"""
