"""How far the twin's cheap tours are from full plans, and whether that turns a ranking.

The twin routes every night with a deterministic constructor. On sampled nights of each
policy the same loads are planned again by the full engine; the ratio of the sums of road
corrects the policy's kilometres, and policies are ranked by both.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from scipy import stats

from policies.domain.decision import ProposalLines, Route, Unserved
from policies.domain.errors import InvalidInput
from policies.domain.ports import Router
from policies.domain.view import NetworkView
from policies.registry import build_bundle, defaults
from policies.routing.ortools_engine import OrToolsRouter
from scenarios.chains import chain_of
from scenarios.final import FinalStudy
from scenarios.runner import Policy
from scenarios.worlds import WorldSpec, scenario_of
from twin.run import simulate

LEAST_NIGHTS = 30
SETTLE_DAYS = 56


@dataclass
class Sampled:
    """A router that plans sampled nights a second time, by the full engine.

    Attributes
    ----------
    cheap, full : Router
    nights : frozenset of int, day numbers of the evenings to plan twice
    metres : dict of day -> (cheap, full) metres of the night's last plan, the one driven
    """

    cheap: Router
    full: Router
    nights: frozenset[int]
    metres: dict[int, tuple[int, int]] = field(default_factory=dict)

    def routes(
        self, view: NetworkView, lines: ProposalLines
    ) -> tuple[tuple[Route, ...], tuple[Unserved, ...]]:
        """The cheap engine's tours, always."""
        routes, unserved = self.cheap.routes(view, lines)
        if view.day in self.nights:
            again, _ = self.full.routes(view, lines)
            ours, theirs = (sum(one.metres for one in each) for each in (routes, again))
            self.metres[view.day] = (ours, theirs)
        return routes, unserved


def router_bias(
    study: FinalStudy, *, nights: int = 32, days: int = 70, seconds: float = 0.5, seed: int = 1
) -> dict[str, Any]:
    """Bias of the cheap engine for each arm of `study`, on days before its judged weeks.

    Parameters
    ----------
    nights : int ≥ 30, sampled evenings, the same for every arm
    days : int, days before the judged weeks that they are drawn from
    seconds : float, time of the full engine for each warehouse's night
    """
    if not LEAST_NIGHTS <= nights <= days:
        raise InvalidInput(
            f"{nights} nights of {days} days", field="nights", remedy="30 or more, of enough days"
        )
    judged = study.scenario.world(chain_of(study.scenario))
    end = judged.first_day + judged.warmup_days
    first = max(end - days - SETTLE_DAYS, judged.first_day)
    world = replace(judged, first_day=first, days=end - first, warmup_days=0)
    draw = np.random.default_rng(np.random.SeedSequence([seed, 34]))
    chosen = frozenset((end - days + draw.choice(days, nights, replace=False)).tolist())
    arms = {label: _arm(policy, world, chosen, seconds) for label, policy in study.arms.items()}
    pairs = itertools.combinations(arms, 2)
    return {
        "study": study.name,
        "nights": nights,
        "seconds_per_plan": seconds,
        "days": [end - days, end - 1],
        "arms": arms,
        "reversed": [
            [a, b]
            for a, b in pairs
            if (arms[a]["cheap_km"] - arms[b]["cheap_km"])
            * (arms[a]["full_km"] - arms[b]["full_km"])
            < 0
        ],
    }


def _arm(
    policy: Policy, world: WorldSpec, nights: frozenset[int], seconds: float
) -> dict[str, Any]:
    """Kilometres of one policy by both engines; its factor with a 95 % interval."""
    bundle = build_bundle(policy.name, policy.as_dict())
    assert bundle.router is not None
    price = int({**defaults(policy.name), **policy.as_dict()}["tour_metres"])
    full = OrToolsRouter(seconds=seconds, tour_metres=price, rules=bundle.rules)
    router = Sampled(bundle.router, full, nights)
    simulate(scenario_of(world, 0), replace(bundle, router=router), seed=world.seed)
    pairs = np.array([router.metres[day] for day in sorted(router.metres)], dtype=np.float64) / 1e3
    cheap, best = pairs.sum(axis=0).tolist()
    factor = best / cheap
    # A ratio of sums; its spread is that of what each night departs from it.
    rest = pairs[:, 1] - factor * pairs[:, 0]
    half = stats.t.ppf(0.975, len(rest) - 1) * rest.std(ddof=1) * np.sqrt(len(rest)) / cheap
    return {
        "nights_with_tours": int((pairs[:, 0] > 0).sum()),
        "cheap_km": cheap,
        "full_km": best,
        "correction": factor,
        "low": factor - float(half),
        "high": factor + float(half),
        "bias_pct": 100 * (cheap / best - 1),
    }
