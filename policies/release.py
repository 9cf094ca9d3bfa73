"""The promoted policy as an artefact: what was found, on which evidence, for which stores.

A release is one canonical JSON text. It carries the hash of the policy sources it was
tuned with; other code is refused, because its numbers would be somebody else's.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

from policies.bundle import PolicyBundle
from policies.domain.errors import ReleaseRefused
from policies.domain.ports import Router, TransferPolicy
from policies.registry import build_bundle

FORMAT = 1


@dataclass(frozen=True)
class Release:
    """A promoted bundle with its evidence.

    Attributes
    ----------
    name, version : str
    policy : str, name in the registry
    params : dict, its parameters in the registry's flat form
    params_sha256, source_sha256, scenario_sha256, data_sha256 : str
    seeds : tuple of int
    kpis : tuple of dicts ``{name, incumbent, winner, difference, low, high, verdict}``
    gate : dict, the gate's checks and reasons
    scope : tuple of str, store ids; empty = every store
    created_at : str, ISO 8601, given by the caller
    approved_by : str, empty until a second person approves
    """

    name: str
    version: str
    policy: str
    params: dict[str, Any]
    params_sha256: str
    source_sha256: str
    scenario_sha256: str
    data_sha256: str
    seeds: tuple[int, ...]
    kpis: tuple[dict[str, Any], ...]
    gate: dict[str, Any]
    scope: tuple[str, ...] = ()
    created_at: str = ""
    approved_by: str = ""
    format: int = field(default=FORMAT)

    def bundle(
        self, *, router: Router | None = None, transfer: TransferPolicy | None = None
    ) -> PolicyBundle:
        """The bundle it promotes."""
        return build_bundle(self.policy, self.params, router=router, transfer=transfer)

    def text(self) -> str:
        """Canonical JSON: the same release gives the same bytes."""
        return json.dumps(asdict(self), sort_keys=True, ensure_ascii=False, indent=1)

    def digest(self) -> str:
        """SHA-256 of :meth:`text`."""
        return hashlib.sha256(self.text().encode()).hexdigest()


def params_sha256(policy: str, params: Mapping[str, Any]) -> str:
    """Hash of a policy's name and flat parameters."""
    text = json.dumps([policy, dict(params)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def installed_source_sha256() -> str:
    """Hash over every module of the installed ``policies`` package.

    The one read of files in this package: its own source, through the import system.
    """
    sha = hashlib.sha256()
    for name, content in sorted(_sources(resources.files("policies"), "policies")):
        sha.update(name.encode())
        sha.update(content)
    return sha.hexdigest()


def _sources(folder: Traversable, prefix: str) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for item in folder.iterdir():
        name = f"{prefix}/{item.name}"
        if item.is_dir():
            found += _sources(item, name)
        elif item.name.endswith(".py"):
            found.append((name, item.read_bytes()))
    return found


def read_release(text: str, installed_sha256: str | None = None) -> Release:
    """The release of a JSON text.

    Parameters
    ----------
    text : str
    installed_sha256 : str, optional
        Hash of the code that would run it; default the installed one's.

    Raises
    ------
    ReleaseRefused
        If the text is no release, was altered, or belongs to other code.
    """
    try:
        raw = json.loads(text)
        known = {item.name for item in fields(Release)}
        if set(raw) != known:
            odd = sorted(set(raw) ^ known)
            raise ReleaseRefused(
                f"the release lacks or does not know {', '.join(odd)}",
                field=odd[0],
                remedy="write it anew with storetwin promote",
            )
        release = Release(
            **{
                **raw,
                "seeds": tuple(raw["seeds"]),
                "kpis": tuple(raw["kpis"]),
                "scope": tuple(raw["scope"]),
            }
        )
    except (json.JSONDecodeError, TypeError) as error:
        raise ReleaseRefused(
            f"this is no release: {error}", field="release", remedy="give the file of a promotion"
        ) from None
    if release.params_sha256 != params_sha256(release.policy, release.params):
        raise ReleaseRefused(
            "the parameters are not those that were promoted",
            field="params_sha256",
            remedy="promote again; a release is never edited",
        )
    installed = installed_source_sha256() if installed_sha256 is None else installed_sha256
    if release.source_sha256 != installed:
        raise ReleaseRefused(
            f"the release was tuned with policy code {release.source_sha256[:12]}, "
            f"installed is {installed[:12]}",
            field="source_sha256",
            remedy="install the version it was promoted with, or promote again",
        )
    return release
