"""storetwin: transfer."""
