"""The Latin part of Inter as one small variable WOFF2 that we serve ourselves."""

from __future__ import annotations

import io
from importlib import resources
from pathlib import Path

_RANGES = ((0x20, 0x7F), (0xA0, 0x180))
_SINGLES = (
    *(0x2011, 0x2013, 0x2014, 0x2018, 0x2019, 0x201C, 0x201D, 0x2026, 0x2212, 0x00D7),
    *(0x2190, 0x2191, 0x2192, 0x2193, 0x25B2, 0x25BC, 0x25CF, 0x2264, 0x2265),
)
_TEXT_SIZE = 14


def latin_inter(cache: Path | None = None) -> bytes | None:
    """WOFF2 bytes of Inter's Latin glyphs, or None where the font is not installed.

    Parameters
    ----------
    cache : Path, optional
        File that keeps the result; cutting the font takes about two seconds.

    Returns
    -------
    bytes or None
        None leaves the page on the system's own sans-serif font.
    """
    if cache is not None and cache.exists():
        return cache.read_bytes()
    try:
        source = resources.files("fontpkg_inter") / "files" / "Inter[opsz,wght].ttf"
        raw = source.read_bytes()
    except (ModuleNotFoundError, FileNotFoundError):
        return None
    cut = _cut(raw)
    if cache is not None:
        cache.parent.mkdir(parents=True, exist_ok=True)
        cache.write_bytes(cut)
    return cut


def _cut(raw: bytes) -> bytes:
    # Imported here: two hundred modules that only the first start needs.
    from fontTools import subset  # noqa: PLC0415
    from fontTools.ttLib import TTFont  # noqa: PLC0415
    from fontTools.varLib import instancer  # noqa: PLC0415

    options = subset.Options()
    options.layout_features = ["kern", "liga", "calt", "tnum", "ccmp", "locl", "mark", "mkmk"]
    options.hinting = False
    font = TTFont(io.BytesIO(raw))
    cutter = subset.Subsetter(options)
    wanted = [code for low, high in _RANGES for code in range(low, high)]
    cutter.populate(unicodes=[*wanted, *_SINGLES])
    cutter.subset(font)
    font = instancer.instantiateVariableFont(font, {"opsz": _TEXT_SIZE, "wght": (400, 700)})
    font.flavor = "woff2"
    out = io.BytesIO()
    font.save(out)
    return out.getvalue()
