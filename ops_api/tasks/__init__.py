"""Tasks: what a person has to look at, with a way forward."""
