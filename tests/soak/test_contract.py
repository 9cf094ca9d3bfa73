"""Requests made up from the contract, as each role: no defect, nothing but what it declares."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.integration.api_service import PEOPLE, make_rig

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
OUTSIDE = {"session_create", "session_end"}
"""Log-in is by password and cookie: its own tests stand with the doors."""


def ask(folder: Any, examples: int, seed: int) -> tuple[Counter[int], list[str]]:
    """(answers by status, what broke the contract) of so many requests to each endpoint."""
    rig = make_rig(folder)
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", rig.app)
    statuses: Counter[int] = Counter()
    broken: list[str] = []
    people = st.sampled_from([*sorted(PEOPLE), ""])
    for found in schema.get_all_operations():
        operation = found.ok()
        cases = st.one_of(
            operation.as_strategy(generation_mode=mode) for mode in schemathesis.GenerationMode
        )

        @seeded(seed)
        @settings(
            max_examples=examples,
            phases=[Phase.generate],
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(case=cases, who=people)
        def one(case: schemathesis.Case, who: str) -> None:
            case.headers = {
                name: v for name, v in (case.headers or {}).items() if "uth" not in name
            }
            if who:
                case.headers["Authorization"] = f"Bearer {rig.tokens[who]}"
            answer = case.call()
            statuses[answer.status_code] += 1
            try:
                case.validate_response(answer, checks=CHECKS)
            except FailureGroup as error:
                text = "; ".join(str(part) for part in error.exceptions)
                broken.append(f"{case.method} {case.path} as {who or 'nobody'}: {text[:600]}")

        one()
    return statuses, broken


def test_made_up_requests_find_no_defect_and_no_undeclared_answer(tmp_path):
    """A few of each endpoint, right and wrong ones, each as any of twelve people or nobody."""
    statuses, broken = ask(tmp_path, 2, seed=1)
    assert broken == []
    assert statuses.total() > 150
    assert {200, 400, 401, 403} <= set(statuses)


@pytest.mark.soak
def test_ten_thousand_made_up_requests_find_no_defect(tmp_path):
    statuses, broken = ask(tmp_path, 100, seed=2)
    assert broken == []
    assert statuses.total() >= 10_000, statuses
