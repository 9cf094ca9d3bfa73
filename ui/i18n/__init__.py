"""One catalogue of words, Chinese and English, for every page and the phone.

The catalogue is TOML: one table a key, with ``zh`` and ``en`` side by side, so that a
sentence and its translation are read and changed together.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from policies.domain.errors import InvalidInput

LANGUAGES: tuple[str, ...] = ("zh", "en")
DEFAULT_LANGUAGE = "zh"
HTML_LANG: dict[str, str] = {"zh": "zh-CN", "en": "en"}
_FOLDER = Path(__file__).parent


class Words:
    """The catalogue in one language.

    Parameters
    ----------
    language : {"zh", "en"}
    entries : mapping of key to the text in that language
    """

    def __init__(self, language: str, entries: Mapping[str, str]) -> None:
        self.language = language
        self._entries = entries

    @property
    def html_lang(self) -> str:
        """The value of the ``lang`` attribute."""
        return HTML_LANG[self.language]

    @property
    def other(self) -> str:
        """The language to switch to."""
        return "en" if self.language == "zh" else "zh"

    def __call__(self, key: str, **values: object) -> str:
        """The text of `key`, its ``{placeholders}`` filled from `values`."""
        try:
            text = self._entries[key]
        except KeyError:
            raise InvalidInput(
                f"no text {key!r} in the catalogue",
                field="key",
                remedy="add it to ui/i18n in both languages",
            ) from None
        return text.format(**values) if values else text

    def has(self, key: str) -> bool:
        """Whether the catalogue knows `key`."""
        return key in self._entries

    def starting(self, prefix: str) -> dict[str, str]:
        """All texts whose key starts with `prefix`, as the phone loads them."""
        return {key: text for key, text in self._entries.items() if key.startswith(prefix)}


@cache
def catalogue() -> dict[str, dict[str, str]]:
    """Every key with its texts by language, from all files of the catalogue."""
    out: dict[str, dict[str, str]] = {}
    for path in sorted(_FOLDER.glob("*.toml")):
        for section, entries in tomllib.loads(path.read_text(encoding="utf-8")).items():
            for key, texts in entries.items():
                out[f"{section}.{key}"] = texts
    return out


@cache
def words(language: str) -> Words:
    """The catalogue in `language`; an unknown one falls back to the default."""
    chosen = language if language in LANGUAGES else DEFAULT_LANGUAGE
    return Words(chosen, {key: texts[chosen] for key, texts in catalogue().items()})
