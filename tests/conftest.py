"""Settings of every test, and the databases that services are built on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests import databases

# A first call compiles; how long a test takes is never what it tests.
settings.register_profile("storetwin", deadline=None)
settings.load_profile("storetwin")

_BUILDERS = ("make_rig", "planning_rig", "service_with")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Modules that import a builder of services run on SQLite and on PostgreSQL."""
    if any(hasattr(metafunc.module, name) for name in _BUILDERS):
        metafunc.parametrize("database", databases.KINDS, indirect=True, scope="module")


@pytest.fixture(scope="module", autouse=True)
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    """The kind of database that services are built on."""
    kind = getattr(request, "param", "sqlite")
    with databases.on(kind):
        yield kind


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """Services of one test end with it."""
    with databases.closing():
        yield
