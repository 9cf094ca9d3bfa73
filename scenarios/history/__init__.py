"""storetwin: history."""
