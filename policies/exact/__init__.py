"""Exact routines of inventory theory: optima and averages without any simulation.

Each module solves one model by dynamic programming, renewal equations or an exact
recursion. They are what the twin and the tuner are held against.
"""

from policies.exact.lost_sales import LostSales, optimal
from policies.exact.reorder import ReorderModel, best_reorder_point
from policies.exact.serial import SerialModel, best_echelon_levels

__all__ = [
    "LostSales",
    "ReorderModel",
    "SerialModel",
    "best_echelon_levels",
    "best_reorder_point",
    "optimal",
]
