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
    why : str, the reason behind the figures
    price_cents : int, where the source records no price
    """

    margin: float
    pack: int
    mass_g: int
    volume_cm3: int
    lead_days: int
    why: str
    price_cents: int = 399


DEFAULT = Department(0.28, 6, 500, 1_000, 3, "a supermarket's average article")
DEPARTMENTS = {
    "GROCERY": Department(0.26, 6, 600, 1_100, 3, "dry goods: thin margin, half cases"),
    "DRUG GM": Department(0.32, 4, 300, 800, 4, "general goods: small, slower, dearer to hold"),
    "PRODUCE": Department(0.34, 6, 500, 1_200, 1, "daily supply; the margin pays for waste"),
    "MEAT": Department(0.27, 4, 700, 900, 1, "daily supply, heavy, small cases"),
    "MEAT-PCKGD": Department(0.28, 6, 450, 700, 2, "chilled and packed, some days of life"),
    "DELI": Department(0.38, 4, 300, 600, 1, "service counter: labour is in the margin"),
    "PASTRY": Department(0.42, 4, 400, 1_500, 1, "baked goods: bulky, labour in the margin"),
    "NUTRITION": Department(0.33, 4, 250, 600, 3, "small packs, slow, specialised"),
    "COSMETICS": Department(0.40, 3, 100, 250, 4, "tiny, dear, slow: smallest cases"),
    "SEAFOOD-PCKGD": Department(0.30, 4, 400, 700, 2, "chilled and packed"),
    "SEAFOOD": Department(0.32, 4, 400, 600, 1, "fresh counter, daily supply"),
    "SPIRITS": Department(0.25, 6, 1_200, 1_300, 3, "glass: heavy; cases of six bottles"),
    "FLORAL": Department(0.45, 4, 300, 3_000, 2, "bulky, much waste, high margin"),
    "SALAD BAR": Department(0.45, 4, 400, 900, 1, "prepared on the day, labour in the margin"),
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
