"""storetwin: ops_api."""
