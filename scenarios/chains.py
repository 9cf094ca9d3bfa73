"""Where a scenario's chain comes from: a folder, or a generator's numbers."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from policies.domain.errors import InvalidInput, ScenarioInvalid
from policies.domain.network import DAY_SECONDS, Network
from scenarios.changes import change_network, check_selectors
from scenarios.history.generate import generate_chain, network_to_be
from scenarios.history.importer import open_history
from scenarios.history.network import select_and_build_network
from scenarios.scenario import ScenarioFile
from scenarios.scenario_keys import line_of
from scenarios.stockouts import load_stockouts, stockouts_of
from scenarios.worlds import CHAIN_SEGMENTS, WorldSpec, network_of, save_chain
from twin.conversions import recipe
from twin.recalls import goods_of
from twin.state import switch_rows

CACHE = Path("var/chains")
DEFAULT_CHAIN = Path("var/demo/cj/chain/files")


def chain_of(scenario: ScenarioFile, cache: Path = CACHE) -> Path:
    """Folder of the scenario's chain, generated on first use."""
    if "chain" in scenario.values:
        folder = Path(scenario.values["chain"])
    elif "generated" in scenario.values:
        return generated(scenario.values["generated"], cache)
    else:
        folder = DEFAULT_CHAIN
    if not (folder / "network" / "network.json").exists():
        raise ScenarioInvalid(
            f"{folder} holds no chain",
            field="chain",
            row=scenario.source,
            remedy="run make demo-check first, or set chain or generated in the scenario",
        )
    return folder


def check_on_chain(scenario: ScenarioFile) -> bool:
    """Whether the scenario's chain is at hand; if so, what it changes must be on it.

    Raises
    ------
    ScenarioInvalid
        A selector without a match, a fleet that can't serve a store: with file and line.
    """
    last = 0
    is_unconstrained = scenario.values.get("demand") == "unconstrained"
    if "generated" in scenario.values:
        if is_unconstrained:
            _check_stockouts(scenario, Path("generated"))
        network = _network_to_be(scenario)
        last = int(scenario.values["generated"].get("days", 1)) - 1
    else:
        folder = Path(scenario.values.get("chain", DEFAULT_CHAIN))
        if not (folder / "network" / "network.json").exists():
            if "chain" in scenario.values:
                chain_of(scenario)
            return False
        if is_unconstrained:
            _check_stockouts(scenario, folder)
        network = network_of(str(folder))
        segments = json.loads((folder / CHAIN_SEGMENTS).read_text())
        last = max(end for _, end in segments)
    world = scenario.world(Path())
    names = [network.locations.ids[i] for i in network.stores]
    try:
        changed = change_network(
            network, world.changes, world.new_stores, world.fleet, like=names[0]
        )
        check_selectors(changed, world.changes)
        switch_rows(world.substitution, changed.skus)
        for recall in world.recalls:
            goods_of(recall, changed)
        for conversion in world.conversions:
            recipe(conversion, changed)
        _check_window(world, last)
    except InvalidInput as error:
        key = (error.field or "").rpartition(".")[2]
        raise ScenarioInvalid(
            f"{scenario.source}: {error.detail}",
            field=error.field,
            row=line_of(scenario.source, key),
            remedy=error.remedy,
        ) from None
    return True


def _check_stockouts(scenario: ScenarioFile, chain: Path) -> None:
    try:
        load_stockouts(chain)
    except ScenarioInvalid as error:
        error.row = line_of(scenario.source, "demand")
        raise


def _network_to_be(scenario: ScenarioFile) -> Network:
    try:
        return network_to_be(**scenario.values["generated"])
    except InvalidInput as error:
        raise ScenarioInvalid(
            f"{scenario.source}: {error.detail}",
            field=f"generated.{error.field}",
            row=line_of(scenario.source, error.field or "generated"),
            remedy=error.remedy,
        ) from None


def _check_window(world: WorldSpec, last: int) -> None:
    """The run lies in the chain's record, and each change in the run."""
    if world.last_day > last:
        raise ScenarioInvalid(
            f"the run ends on day {world.last_day}, the chain's record on day {last}",
            field="weeks",
            remedy=f"end in week {(last + 1) // 7} at the latest, or make a longer chain",
        )
    for key, part in (
        ("changes", world.changes),
        ("new_stores", world.new_stores),
        ("recalls", world.recalls),
    ):
        for one in part:
            if one.from_day >= world.days:
                raise ScenarioInvalid(
                    f"from_day is {one.from_day} of {world.days} days: it would change nothing",
                    field=f"{key}.from_day",
                    remedy=f"0 to {world.days - 1}",
                )


def generated(settings: dict[str, Any], cache: Path = CACHE) -> Path:
    """A generated chain's folder, made once for the same settings."""
    key = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]
    folder = cache / key
    if not (folder / "network" / "network.json").exists():
        network, receipts = generate_chain(**settings)
        save_chain(folder, network, receipts, [(0, settings["days"] - 1)])
    return folder


def chain_from_history(
    history: Path,
    out: Path,
    *,
    stores: int,
    skus: int,
    warehouses: int,
    weeks: tuple[int, int],
    seed: int = 1,
) -> dict[str, Any]:
    """Write a chain for scenarios from an imported history, its stock-outs included.

    Parameters
    ----------
    history : Path, folder of ``storetwin import``
    stores, skus : those that sell most in `weeks`, (first, last) inclusive
    """
    if not 1 <= weeks[0] <= weeks[1]:
        raise InvalidInput(
            f"weeks are {weeks[0]} to {weeks[1]}", field="--weeks", remedy="write 2-40"
        )
    recorded = open_history(history)
    network, panel = select_and_build_network(
        recorded, stores=stores, skus=skus, warehouses=warehouses, weeks=weeks, seed=seed
    )
    last = int(panel.t_s.max(initial=0)) // DAY_SECONDS
    found = stockouts_of(recorded, panel)
    save_chain(out, network, panel, [(0, last)], found)
    return {
        "stores": len(network.stores),
        "skus": network.shape[1],
        "lines": panel.lines,
        "days": last + 1,
        "stockouts": 0 if found is None else len(found.store),
        "out": str(out),
    }
