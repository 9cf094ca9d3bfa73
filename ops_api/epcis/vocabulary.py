"""What a movement is called in the Core Business Vocabulary (CBV 2.0)."""

from __future__ import annotations

from dataclasses import dataclass

from policies.domain.ledger import MovementKind

CONTEXT = "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"
SCHEMA_VERSION = "2.0"
DIGITAL_LINK = "https://id.gs1.org"


@dataclass(frozen=True)
class Sense:
    """How one kind of movement is told.

    Attributes
    ----------
    step, disposition : bare words of the vocabulary
    action : ADD (begins to exist), OBSERVE, or DELETE (ends)
    transaction : type of the business document behind it, where the vocabulary has one
    """

    step: str
    disposition: str
    action: str = "OBSERVE"
    transaction: str = ""


SENSES: dict[MovementKind, Sense] = {
    MovementKind.OPENING: Sense("stock_taking", "sellable_accessible"),
    MovementKind.RECEIVE: Sense("receiving", "in_progress", transaction="po"),
    MovementKind.SELL: Sense("retail_selling", "retail_sold"),
    MovementKind.CUSTOMER_RETURN: Sense("receiving", "returned", transaction="rma"),
    MovementKind.SHIP: Sense("shipping", "in_transit", transaction="desadv"),
    MovementKind.RETURN_TO_WAREHOUSE: Sense("shipping", "returned", transaction="rma"),
    MovementKind.RECEIVE_TRANSFER: Sense("receiving", "in_progress", transaction="desadv"),
    MovementKind.CLOSE_SHORT: Sense("other", "unknown", transaction="desadv"),
    MovementKind.WRITE_OFF: Sense("destroying", "disposed", "DELETE"),
    MovementKind.ADJUST: Sense("stock_taking", "sellable_accessible"),
    MovementKind.COUNT_REBASE: Sense("stock_taking", "sellable_accessible"),
    MovementKind.AUTO_FOUND: Sense("stock_taking", "sellable_accessible"),
    MovementKind.SHRINK: Sense("other", "unknown"),
    MovementKind.REVERSE: Sense("other", "unknown"),
    MovementKind.CONVERT: Sense("other", "in_progress"),
    MovementKind.RETURN_TO_SUPPLIER: Sense("shipping", "returned", transaction="rma"),
}
"""Every kind of the ledger; one that is added without a line here fails a test."""


def kinds_of_step(steps: set[str]) -> list[int]:
    """Kinds of movement that are told with one of these steps."""
    return [int(kind) for kind, sense in SENSES.items() if sense.step in steps]


def kinds_of_action(actions: set[str]) -> list[int]:
    """Kinds of movement that are told with one of these actions."""
    return [int(kind) for kind, sense in SENSES.items() if sense.action in actions]


def bare(word: str) -> str:
    """``shipping`` of ``https://ref.gs1.org/cbv/BizStep-shipping`` or of the older URN."""
    return word.rpartition("BizStep-")[2].rpartition("urn:epcglobal:cbv:bizstep:")[2]
