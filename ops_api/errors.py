"""Errors of the service and the one table that maps every code to HTTP.

The domain's errors (``policies.domain.errors``) keep their codes; the children here
are named for facts that only a running service can find.
"""

from __future__ import annotations

from typing import Any

from policies.domain.errors import StoretwinError

STATUS: dict[str, int] = {
    "VALIDATION": 400,
    "BAD_BARCODE": 400,
    "GTIN_CHECKSUM": 400,
    "UOM_UNKNOWN": 400,
    "AUTH": 401,
    "ROLE_DENIED": 403,
    "SITE_DENIED": 403,
    "APPROVAL_REQUIRED": 403,
    "SELF_APPROVAL": 403,
    "CROSS_SITE": 403,
    "NOT_FOUND": 404,
    "SKU_UNKNOWN": 404,
    "LOCATION_UNKNOWN": 404,
    "DOCUMENT_UNKNOWN": 404,
    "METHOD_NOT_ALLOWED": 405,
    "INSUFFICIENT_STOCK": 409,
    "VERSION_CONFLICT": 409,
    "STATE_INVALID": 409,
    "IDEMPOTENCY_MISMATCH": 409,
    "SERIAL_ELSEWHERE": 409,
    "ALREADY_REVERSED": 409,
    "LOT_ON_HOLD": 409,
    "COUNT_OUTDATED": 409,
    "ALREADY_EXISTS": 409,
    "RELEASE_REFUSED": 409,
    "DEVICE_REVOKED": 410,
    "BATCH_TOO_LARGE": 413,
    "UNSUPPORTED_MEDIA": 415,
    "LOT_REQUIRED": 422,
    "LOT_EXPIRED": 422,
    "SHELF_LIFE_TOO_SHORT": 422,
    "OVER_RECEIPT": 422,
    "REASON_REQUIRED": 422,
    "PHOTO_REQUIRED": 422,
    "CLOCK_SKEW": 422,
    "PERIOD_CLOSED": 422,
    "RATE_LIMIT": 429,
    "INTERNAL": 500,
    "BUSY": 503,
}
RETRYABLE = frozenset({"BUSY", "RATE_LIMIT", "CLOCK_SKEW"})


class ServiceError(StoretwinError):
    """A refusal of the service.

    Parameters
    ----------
    facts : dict, optional
        Values that the sentence in another language is made from.
    """

    def __init__(
        self,
        detail: str,
        *,
        field: str | None = None,
        row: int | str | None = None,
        remedy: str | None = None,
        facts: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(detail, field=field, row=row, remedy=remedy)
        self.facts = facts or {}


class NotLoggedIn(ServiceError):
    """No valid session or token."""

    code = "AUTH"


class RoleDenied(ServiceError):
    """No role of this person allows the action."""

    code = "ROLE_DENIED"


class SiteDenied(ServiceError):
    """The person may do this, but not at this location."""

    code = "SITE_DENIED"


class CrossSite(ServiceError):
    """A browser write without the proof that our own page made it."""

    code = "CROSS_SITE"


class ApprovalRequired(ServiceError):
    """Above the limit of this person."""

    code = "APPROVAL_REQUIRED"


class SelfApproval(ServiceError):
    """Nobody approves what they made themselves."""

    code = "SELF_APPROVAL"


class UnknownPath(ServiceError):
    """No such address."""

    code = "NOT_FOUND"


class UnknownDocument(ServiceError):
    """No such document, or none that this person may see."""

    code = "DOCUMENT_UNKNOWN"


class InsufficientStock(ServiceError):
    """More than is free at the location."""

    code = "INSUFFICIENT_STOCK"


class VersionConflict(ServiceError):
    """Somebody else changed the document in between."""

    code = "VERSION_CONFLICT"


class StateInvalid(ServiceError):
    """The document's state doesn't allow the step."""

    code = "STATE_INVALID"


class IdempotencyMismatch(ServiceError):
    """The same key with another body."""

    code = "IDEMPOTENCY_MISMATCH"


class AlreadyExists(ServiceError):
    """A record of that name is there."""

    code = "ALREADY_EXISTS"


class AlreadyReversed(ServiceError):
    """A movement can be reversed once."""

    code = "ALREADY_REVERSED"


class CountOutdated(ServiceError):
    """A newer count of the same shelf is already posted."""

    code = "COUNT_OUTDATED"


class DeviceRevoked(ServiceError):
    """The token was withdrawn."""

    code = "DEVICE_REVOKED"


class BatchTooLarge(ServiceError):
    """More bytes or lines than one request may carry."""

    code = "BATCH_TOO_LARGE"


class UnsupportedMedia(ServiceError):
    """Not JSON."""

    code = "UNSUPPORTED_MEDIA"


class SerialElsewhere(ServiceError):
    """The serial is not where it is taken from."""

    code = "SERIAL_ELSEWHERE"


class LotOnHold(ServiceError):
    """The lot may not be moved or received until quality control frees it."""

    code = "LOT_ON_HOLD"


class LotExpired(ServiceError):
    """The lot's last day is over."""

    code = "LOT_EXPIRED"


class ShelfLifeTooShort(ServiceError):
    """Fewer days are left than the category's rule asks."""

    code = "SHELF_LIFE_TOO_SHORT"


class PhotoRequired(ServiceError):
    """The value asks for a picture."""

    code = "PHOTO_REQUIRED"


class PeriodClosed(ServiceError):
    """The month's books are closed."""

    code = "PERIOD_CLOSED"


class LotRequired(ServiceError):
    """The SKU is tracked by lot."""

    code = "LOT_REQUIRED"


class OverReceipt(ServiceError):
    """More than was shipped or ordered."""

    code = "OVER_RECEIPT"


class ReasonRequired(ServiceError):
    """The step asks for a reason."""

    code = "REASON_REQUIRED"


class ClockSkew(ServiceError):
    """The device's clock runs ahead."""

    code = "CLOCK_SKEW"


class RateLimited(ServiceError):
    """Too many tries."""

    code = "RATE_LIMIT"


class Busy(ServiceError):
    """Not recorded; send again."""

    code = "BUSY"


def status_of(error: StoretwinError) -> int:
    """HTTP status of an error."""
    return STATUS.get(error.code, 400)
