"""The command line's subjects, one module each; ``ui.cli`` is their menu."""
