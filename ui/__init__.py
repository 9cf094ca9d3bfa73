"""storetwin: ui."""
