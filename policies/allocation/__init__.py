"""storetwin: allocation."""
