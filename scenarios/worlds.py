"""WorldSpec: a world by folder and numbers, small enough to send to a worker process.

Networks and demand lie in files that every process maps into memory; the demand of a
replication is drawn once, kept, and shared by every policy that meets it.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import uuid
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

import policies.forecasting
import twin.demand
from policies.domain.carbon import CarbonFactors
from policies.domain.facts import CostModel
from policies.domain.network import Network
from policies.domain.receipts import ReceiptColumns
from scenarios.changed_demand import best_seller, change_demand
from scenarios.changes import Change, NewStore, change_network
from scenarios.history.columns import open_receipts, save_receipts
from scenarios.history.network_files import load_network
from scenarios.stockouts import load_stockouts, save_stockouts
from twin.demand.bootstrap import bootstrap
from twin.demand.expansion import expand, record
from twin.demand.pools import Pools, prepare_pools
from twin.demand.unconstrained import Stockouts, unconstrain
from twin.goods_rules import Conversion, GoodsReturns, Misplacement, Recall, RiskCounts
from twin.output import code_sha256
from twin.processes import (
    BreakdownRules,
    CraneRules,
    CustomerReturns,
    DeliveryRules,
    DriverRules,
    MarkdownRules,
    ShelfRules,
    Substitution,
    ToteRules,
    TrafficRules,
)
from twin.scenario import (
    CheckoutRules,
    Disruptions,
    Frictions,
    Opening,
    Perishables,
    Scenario,
    StoreRules,
    WarehouseRules,
)

CHAIN_SEGMENTS = "segments.json"
OPENING = "opening.npz"
RECORD = "expansion.json"
"""How a drawn demand was drawn, beside it."""


@dataclass(frozen=True)
class WorldSpec:
    """Everything that decides a simulated world but the policy and the replication.

    Attributes
    ----------
    name : str
    chain : str, folder with ``network/`` and ``panel/`` (receipts as recorded)
    first_day, days, warmup_days : window of the run
    demand : {"replay", "unconstrained", "expansion", "bootstrap"}
    panel_expansion : float, k of expansion and bootstrap
    demand_factor : float, scales k (a replay can't be scaled and refuses)
    bootstrap_days : (first, last) source days of a bootstrap
    opening : str, folder of an :class:`Opening` saved before; "" = cover of mean demand
    trucks_factor : float, scales each warehouse's number of trucks
    lead_time_extra_days : int, days by which every supplier is later than its record
    changes, new_stores : changes of a part of the chain, and stores that open
    fleet : (key, number) of each warehouse's fleet that is not as in the network
    """

    name: str
    chain: str
    first_day: int
    days: int
    warmup_days: int = 0
    demand: str = "expansion"
    panel_expansion: float = 1.0
    demand_factor: float = 1.0
    bootstrap_days: tuple[int, int] = (0, 0)
    seed: int = 1
    opening: str = ""
    opening_cover_days: float = 14.0
    trucks_factor: float = 1.0
    lead_time_extra_days: int = 0
    changes: tuple[Change, ...] = ()
    new_stores: tuple[NewStore, ...] = ()
    fleet: tuple[tuple[str, float], ...] = ()
    frictions: Frictions = field(default_factory=Frictions)
    store: StoreRules = field(default_factory=StoreRules)
    warehouse: WarehouseRules = field(default_factory=WarehouseRules)
    costs: CostModel = field(default_factory=CostModel)
    carbon: CarbonFactors = field(default_factory=CarbonFactors)
    perishables: Perishables = field(default_factory=Perishables)
    disruptions: Disruptions = field(default_factory=Disruptions)
    checkout: CheckoutRules = field(default_factory=CheckoutRules)
    asrs: CraneRules = field(default_factory=CraneRules)
    deliveries: DeliveryRules = field(default_factory=DeliveryRules)
    breakdowns: BreakdownRules = field(default_factory=BreakdownRules)
    traffic: TrafficRules = field(default_factory=TrafficRules)
    drivers: DriverRules = field(default_factory=DriverRules)
    substitution: Substitution = field(default_factory=Substitution)
    customer_returns: CustomerReturns = field(default_factory=CustomerReturns)
    goods_returns: GoodsReturns = field(default_factory=GoodsReturns)
    recalls: tuple[Recall, ...] = ()
    conversions: tuple[Conversion, ...] = ()
    misplacement: Misplacement = field(default_factory=Misplacement)
    risk_counts: RiskCounts = field(default_factory=RiskCounts)
    shelf: ShelfRules = field(default_factory=ShelfRules)
    markdown: MarkdownRules = field(default_factory=MarkdownRules)
    totes: ToteRules = field(default_factory=ToteRules)

    @property
    def last_day(self) -> int:
        """Last simulated day."""
        return self.first_day + self.days - 1

    def sha256(self) -> str:
        """Hash of the resolved form (the chain counts by its content, not by its place)."""
        plain = asdict(self) | {"chain": chain_sha256(Path(self.chain))}
        plain["opening"] = _file_sha256(Path(self.opening) / OPENING) if self.opening else ""
        return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


@lru_cache(maxsize=8)
def chain_sha256(chain: Path) -> str:
    """Hash over the files of a chain."""
    sha = hashlib.sha256()
    for path in sorted([*chain.glob("network/*"), *chain.glob("panel/*"), *chain.glob("*.json")]):
        if path.is_file():
            sha.update(path.name.encode())
            sha.update(bytes.fromhex(_file_sha256(path)))
    return sha.hexdigest()


def _file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def save_chain(
    chain: Path,
    network: Network,
    panel: ReceiptColumns,
    segments: list[tuple[int, int]],
    stockouts: Stockouts | None = None,
) -> None:
    """Write a chain's folder; `segments` are the splits that no drawn basket crosses."""
    from scenarios.history.network_files import save_network  # noqa: PLC0415

    save_network(network, chain / "network")
    save_receipts(panel, chain / "panel")
    if stockouts is not None:
        save_stockouts(stockouts, chain)
    (chain / CHAIN_SEGMENTS).write_text(json.dumps(segments))


@lru_cache(maxsize=4)
def network_of(chain: str) -> Network:
    """The chain's network, once per process."""
    return load_network(Path(chain) / "network")


@lru_cache(maxsize=2)
def _pools(chain: str) -> Pools:
    panel = open_receipts(Path(chain) / "panel")
    segments = json.loads((Path(chain) / CHAIN_SEGMENTS).read_text())
    return prepare_pools(panel, network_of(chain), [tuple(one) for one in segments])


def _drawn_folder(world: WorldSpec, replication: int) -> Path:
    """Where a drawn demand lies: by everything that decides it, the drawing code included."""
    key = json.dumps(
        [
            world.demand,
            world.panel_expansion * world.demand_factor,
            world.seed,
            replication,
            world.first_day,
            world.last_day,
            world.bootstrap_days,
            chain_sha256(Path(world.chain)),
            code_sha256(_drawing_code(world)),
        ]
    )
    return Path(world.chain) / "drawn" / hashlib.sha256(key.encode()).hexdigest()[:16]


def _drawing_code(world: WorldSpec) -> list[Path]:
    code = [Path(twin.demand.__file__).parent]
    if world.demand == "unconstrained":
        code.append(Path(policies.forecasting.__file__).parent)
    return code


def drawing_of(world: WorldSpec, replication: int) -> str:
    """What worlds that meet the same customers in a replication have in common; "" = a replay."""
    return "" if world.demand == "replay" else str(_drawn_folder(world, replication))


def demand_of(world: WorldSpec, replication: int) -> ReceiptColumns:
    """What customers want to buy in one replication, drawn once and kept beside the chain."""
    if world.demand == "replay":
        return open_receipts(Path(world.chain) / "panel")
    folder = _drawn_folder(world, replication)
    if not (folder / "ids.json").exists():
        drawn, stated = _draw(world, replication)
        # A name of its own: another process may be drawing the same.
        work = folder.with_name(f"{folder.name}.{uuid.uuid4().hex[:8]}.part")
        save_receipts(drawn, work)
        (work / RECORD).write_text(json.dumps(stated))
        try:
            work.rename(folder)
        except OSError:
            if not (folder / "ids.json").exists():
                raise
            shutil.rmtree(work)
    return open_receipts(folder)


def expansion_of(world: WorldSpec) -> dict[str, Any] | None:
    """How the demand of the first replication was drawn; None for a replay."""
    if world.demand == "replay":
        return None
    demand_of(world, 0)
    found: dict[str, Any] = json.loads((_drawn_folder(world, 0) / RECORD).read_text())
    return found


def _draw(world: WorldSpec, replication: int) -> tuple[ReceiptColumns, dict[str, Any]]:
    """The receipts of one replication, and how they were made."""
    if world.demand == "unconstrained":
        chain = Path(world.chain)
        panel, out = open_receipts(chain / "panel"), load_stockouts(chain)
        return unconstrain(panel, network_of(world.chain), out, world.seed, replication)
    k = world.panel_expansion * world.demand_factor
    drawn = _drawn_baskets(world, replication)
    method = "basket bootstrap" if world.demand == "bootstrap" else "panel expansion"
    stated = record(_pools(world.chain), k, world.seed, replication, drawn, method=method)
    return drawn, dict(stated.as_json())


def _drawn_baskets(world: WorldSpec, replication: int) -> ReceiptColumns:
    k = world.panel_expansion * world.demand_factor
    pools = _pools(world.chain)
    if world.demand == "bootstrap":
        first, last = world.bootstrap_days
        return bootstrap(
            pools,
            k,
            world.seed,
            replication,
            source_first=first,
            source_last=last,
            first_day=world.first_day,
            last_day=world.last_day,
        )
    return expand(pools, k, world.seed, replication, world.first_day, world.last_day)


def world_network(world: WorldSpec) -> Network:
    """The chain's network with the world's changes, trucks and suppliers apart."""
    network = network_of(world.chain)
    if not (world.changes or world.new_stores or world.fleet):
        return network
    return change_network(network, world.changes, world.new_stores, world.fleet, _like(world))


def _like(world: WorldSpec) -> str:
    """The store that a new one takes after if it names none: of the record, for all alike."""
    if not world.new_stores:
        return ""
    return best_seller(open_receipts(Path(world.chain) / "panel"))


def scenario_of(world: WorldSpec, replication: int) -> Scenario:
    """The executable scenario of one replication."""
    network = world_network(world)
    demand = demand_of(world, replication)
    if world.changes or world.new_stores:
        demand = change_demand(
            demand,
            network,
            world.changes,
            world.new_stores,
            first_day=world.first_day,
            seed=world.seed,
            like=_like(world),
        )
    if world.trucks_factor != 1.0:
        trucks = np.maximum(1, np.round(network.fleet.trucks * world.trucks_factor))
        network = replace(network, fleet=replace(network.fleet, trucks=trucks))
    if world.lead_time_extra_days:
        late = network.suppliers.lead_time_days + world.lead_time_extra_days
        suppliers = replace(network.suppliers, lead_time_days=np.maximum(late, 0))
        network = replace(network, suppliers=suppliers)
    return Scenario(
        name=world.name,
        network=network,
        demand=demand,
        first_day=world.first_day,
        days=world.days,
        warmup_days=world.warmup_days,
        opening=load_opening(Path(world.opening)) if world.opening else None,
        opening_cover_days=world.opening_cover_days,
        warehouse=world.warehouse,
        store=world.store,
        frictions=world.frictions,
        perishables=world.perishables,
        disruptions=world.disruptions,
        checkout=world.checkout,
        asrs=world.asrs,
        deliveries=world.deliveries,
        breakdowns=world.breakdowns,
        traffic=world.traffic,
        drivers=world.drivers,
        substitution=world.substitution,
        customer_returns=world.customer_returns,
        goods_returns=world.goods_returns,
        recalls=world.recalls,
        conversions=world.conversions,
        misplacement=world.misplacement,
        risk_counts=world.risk_counts,
        shelf=world.shelf,
        markdown=world.markdown,
        totes=world.totes,
        costs=world.costs,
        carbon=world.carbon,
        panel_expansion=world.panel_expansion,
    )


def save_opening(opening: Opening, folder: Path) -> None:
    """Write a state that a run can start from."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Any] = {
        name: value for name, value in vars(opening).items() if isinstance(value, np.ndarray)
    }
    np.savez(folder / OPENING, **arrays)


def load_opening(folder: Path) -> Opening:
    """The state that :func:`save_opening` wrote."""
    with np.load(folder / OPENING) as arrays:
        return Opening(**{name: arrays[name] for name in arrays})
