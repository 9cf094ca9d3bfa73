"""storetwin: routing."""
