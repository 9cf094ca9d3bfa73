"""storetwin: forecasting."""
