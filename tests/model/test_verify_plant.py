"""Tables of queues and cranes through ``storetwin verify``."""

from __future__ import annotations

import pytest

from policies.domain.errors import InvalidInput
from scenarios.verify import verify_table
from scenarios.verify.plant import erlang_a, erlang_c
from twin.processes import CraneRules


def table(folder, text):
    path = folder / "t.csv"
    path.write_text(text)
    return path


def test_formulas_by_hand():
    """M/M/1: ρ / (1 − ρ); M/M/2 at 1.5: C = 9/14; M/M/1 + M with equal rates is Poisson."""
    assert erlang_c(1, 0.7) == pytest.approx(0.7 / 0.3)
    assert erlang_c(2, 1.5) == pytest.approx(9 / 14 / 0.5)
    # With patience as long as a service every state n leaves at rate n: Poisson with mean 1.
    lost = sum(max(n - 1, 0) * 0.36787944117144233 / factorial(n) for n in range(1, 30))
    assert erlang_a(1, 1.0, 1.0) == pytest.approx(lost)


def factorial(n: int) -> int:
    return n * factorial(n - 1) if n else 1


def test_tills_and_racks_are_inside_their_intervals_and_wrong_answers_are_not(tmp_path):
    """The 3 % and 2 % that a wrong answer is off are found out."""
    queues = verify_table(table(tmp_path, "lanes,load,patience\n3,2.1,\n5,5.5,0.8\n"), seed=2)
    assert [row["policy"] for row in queues["rows"]] == ["Erlang C", "Erlang A"]
    assert all(row["inside"] for row in queues["rows"])
    wait, share = erlang_c(3, 2.1) * 1.03, erlang_a(5, 5.5, 0.8) * 0.98
    text = f"lanes,load,patience,wait,abandon\n3,2.1,,{wait},\n5,5.5,0.8,,{share}\n"
    assert not any(row["inside"] for row in verify_table(table(tmp_path, text), seed=2)["rows"])
    dual = CraneRules(1, 48.0, 12.0, 4.0, 1.2).dual_cycle_s * 1.02
    rack = "rack_length_m,rack_height_m,travel_m_per_s,lift_m_per_s,dual_s\n"
    cranes = verify_table(table(tmp_path, f"{rack}48,12,4,1.2,\n48,12,4,1.2,{dual}\n"), seed=2)
    right, wrong = cranes["rows"]
    assert right["inside"]
    assert not wrong["inside"]
    assert right["measures"]["single_s"]["half_width"] < 0.01 * right["reference"]


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("lanes,load\n2,2.5\n", "load"),
        ("lanes,load\n0,0.5\n", "lanes"),
        ("lanes,load\n2,-1\n", "load"),
        ("lanes,load,patience\n2,1,0\n", "patience"),
        ("rack_length_m,rack_height_m,travel_m_per_s,lift_m_per_s\n30,0,3,1\n", "rack_height_m"),
    ],
)
def test_impossible_rows_are_refused_with_column_and_row(tmp_path, text, field):
    with pytest.raises(InvalidInput) as caught:
        verify_table(table(tmp_path, text))
    assert caught.value.field == field


def test_there_is_no_exact_routine_beside_the_formula(tmp_path):
    with pytest.raises(InvalidInput) as caught:
        verify_table(table(tmp_path, "lanes,load\n2,1\n"), by="exact")
    assert caught.value.field == "--exact"
