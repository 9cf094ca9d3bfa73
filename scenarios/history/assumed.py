"""What the recorded history does not hold, assumed by department, each with its reason.

No source gives cost, case, mass or shelf life for these articles. The figures are round
numbers of the right size for the trade; ``docs/assumptions.md`` lists them, every run
carries them in its network, and pages say that they are assumed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Department:
    """Assumed properties of a department's articles.

    Attributes
    ----------
    margin : float, share of the price that is gross margin
    pack : int, base units in the inner case a store orders
    mass_g, volume_cm3 : int, of one unit with its packing
    lead_days : int, promised lead time of the supplier
    """

    margin: float
    pack: int
    mass_g: int
    volume_cm3: int
    lead_days: int


DEFAULT = Department(0.28, 6, 500, 1_000, 3)
DEPARTMENTS = {
    "GROCERY": Department(0.26, 6, 600, 1_100, 3),
    "DRUG GM": Department(0.32, 4, 300, 800, 4),
    "PRODUCE": Department(0.34, 6, 500, 1_200, 1),
    "MEAT": Department(0.27, 4, 700, 900, 1),
    "MEAT-PCKGD": Department(0.28, 6, 450, 700, 2),
    "DELI": Department(0.38, 4, 300, 600, 1),
    "PASTRY": Department(0.42, 4, 400, 1_500, 1),
    "NUTRITION": Department(0.33, 4, 250, 600, 3),
    "COSMETICS": Department(0.40, 3, 100, 250, 4),
    "SEAFOOD-PCKGD": Department(0.30, 4, 400, 700, 2),
    "SEAFOOD": Department(0.32, 4, 400, 600, 1),
    "SPIRITS": Department(0.25, 6, 1_200, 1_300, 3),
    "FLORAL": Department(0.45, 4, 300, 3_000, 2),
    "SALAD BAR": Department(0.45, 4, 400, 900, 1),
}


def department(name: str) -> Department:
    """Assumptions for a department; unknown ones get round averages."""
    return DEPARTMENTS.get(name, DEFAULT)


def lead_time_table(promised_days: int) -> npt.NDArray[np.int32]:
    """(200,) equally likely lead times: 27 % early, 61.5 % on the day, 11.5 % late.

    Shares measured on 10,324 real shipments. How early or late is assumed: one day early
    where the promise allows it, one to four days late, shorter delays more often.
    """
    early, late = 54, (10, 7, 4, 2)
    on_time = 200 - early - sum(late)
    days = [max(promised_days - 1, 1)] * early + [promised_days] * on_time
    for extra, count in enumerate(late, start=1):
        days += [promised_days + extra] * count
    return np.array(days, dtype=np.int32)
