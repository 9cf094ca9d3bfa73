"""The one error tree. Children are named for the fact that was found."""

from __future__ import annotations


class StoretwinError(Exception):
    """A fact that stops the work, said so that a person can mend it.

    Parameters
    ----------
    detail : str
        What was found, in one sentence.
    field : str, optional
        The column, key or argument that carries the fault.
    row : int or str, optional
        The row, line or position where it stands.
    remedy : str, optional
        What to do about it.
    """

    code = "ERROR"

    def __init__(
        self,
        detail: str,
        *,
        field: str | None = None,
        row: int | str | None = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.field = field
        self.row = row
        self.remedy = remedy

    def __str__(self) -> str:
        parts = [self.detail]
        if self.field is not None:
            parts.append(f"field: {self.field}")
        if self.row is not None:
            parts.append(f"row: {self.row}")
        if self.remedy is not None:
            parts.append(f"remedy: {self.remedy}")
        return "; ".join(parts)

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword-only arguments survive the trip between worker processes.
        return (_rebuild, (type(self), self.detail, self.field, self.row, self.remedy))


def _rebuild(
    kind: type[StoretwinError],
    detail: str,
    field: str | None,
    row: int | str | None,
    remedy: str | None,
) -> StoretwinError:
    return kind(detail, field=field, row=row, remedy=remedy)


class InvalidInput(StoretwinError):
    """A value is outside what the field allows."""

    code = "VALIDATION"


class BadBarcode(StoretwinError):
    """A scanned code is none of the forms we know."""

    code = "BAD_BARCODE"


class WrongCheckDigit(BadBarcode):
    """The check digit of a GTIN, GLN or SSCC does not fit."""

    code = "GTIN_CHECKSUM"


class UnknownUnit(InvalidInput):
    """A unit of measure that no SKU has."""

    code = "UOM_UNKNOWN"


class UnknownSku(StoretwinError):
    """No SKU of that name in the network."""

    code = "SKU_UNKNOWN"


class UnknownLocation(StoretwinError):
    """No location of that name in the network."""

    code = "LOCATION_UNKNOWN"


class WouldOverdraw(StoretwinError):
    """The movement takes more than is available."""

    code = "INSUFFICIENT_STOCK"


class DuplicateMovement(StoretwinError):
    """The same movement id with another content."""

    code = "IDEMPOTENCY_MISMATCH"


class StaleView(StoretwinError):
    """A decision was made on a view that is no longer true."""

    code = "VERSION_CONFLICT"


class PolicyBroken(StoretwinError):
    """A policy breaks the contract that ``check_policy`` tests."""

    code = "POLICY_BROKEN"


class ReleaseRefused(StoretwinError):
    """A release can't be used here (other code, other data, not approved)."""

    code = "RELEASE_REFUSED"


class ConservationBroken(StoretwinError):
    """Units appeared or vanished: a defect of the program, never of the data."""

    code = "CONSERVATION"


class ScenarioInvalid(InvalidInput):
    """A scenario file says something that can't be simulated."""

    code = "SCENARIO"


class ImportRefused(InvalidInput):
    """A history file can't be read under its mapping."""

    code = "IMPORT"


class SuspiciousInput(UserWarning):
    """Legal, but worth a look."""
