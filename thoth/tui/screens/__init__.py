"""The screens and dialogs: each carries out what its widgets ask for."""
