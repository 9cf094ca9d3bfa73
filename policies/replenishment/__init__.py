"""storetwin: replenishment."""
