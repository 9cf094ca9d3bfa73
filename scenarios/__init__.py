"""storetwin: scenarios."""
