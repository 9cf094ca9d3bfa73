"""Pure decision making: the shared domain and every policy family.

Nothing below this package knows a clock, a file, SimPy, Flask, SQLAlchemy or
Panel. Start with ``policies.domain`` for the vocabulary and ``policies.bundle``
for the one call that turns a view of the network into a decision.
"""
