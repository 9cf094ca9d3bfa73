"""storetwin: twin."""
