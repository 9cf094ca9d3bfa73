"""``storetwin verify``: reference tables of inventory theory, row by row, through the twin."""

from scenarios.verify.run import verify_table

__all__ = ["verify_table"]
