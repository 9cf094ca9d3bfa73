"""Where a scenario's chain comes from: a folder, or a generator's numbers."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from policies.domain.errors import ScenarioInvalid
from scenarios.history.generate import generate_chain
from scenarios.scenario import ScenarioFile
from scenarios.worlds import save_chain

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


def generated(settings: dict[str, Any], cache: Path = CACHE) -> Path:
    """A generated chain's folder, made once for the same settings."""
    key = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]
    folder = cache / key
    if not (folder / "network" / "network.json").exists():
        network, receipts = generate_chain(**settings)
        save_chain(folder, network, receipts, [(0, settings["days"] - 1)])
    return folder
