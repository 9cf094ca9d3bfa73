"""One catalogue, two languages, nothing forgotten."""

import re
from pathlib import Path

import pytest

from policies.domain.decision import Reason
from policies.domain.errors import InvalidInput
from policies.domain.kpis import KPIS
from twin.scenario import Frictions
from ui.access import MAY_OPEN
from ui.i18n import LANGUAGES, catalogue, words
from ui.pages.figures import TILE_KPIS

UI = Path(__file__).resolve().parents[2] / "ui"
NAMES = re.compile(r"storetwin|English|P10|P90|TOML|\{[a-z_]*\}|SKU|GTIN|SSCC|ERP|Ctrl")
LATIN_SENTENCE = re.compile(r"[A-Za-z]{2,}\s+[A-Za-z]{2,}")
USED = re.compile(r"""\b(?:say|t)\(\s*["']([a-z_]+\.[A-Za-z0-9_ ]+)["']""")


def test_every_key_has_both_languages_and_nothing_else():
    wrong = {
        key: sorted(texts) for key, texts in catalogue().items() if set(texts) != set(LANGUAGES)
    }
    assert wrong == {}
    assert len(catalogue()) > 100


def test_no_text_is_empty():
    assert [
        key for key, texts in catalogue().items() if not all(t.strip() for t in texts.values())
    ] == []


def test_a_translation_keeps_every_placeholder():
    fields = re.compile(r"\{[a-z_]+\}")
    wrong = [
        key
        for key, texts in catalogue().items()
        if set(fields.findall(texts["zh"])) != set(fields.findall(texts["en"]))
    ]
    assert wrong == []


def test_no_latin_sentence_is_left_in_chinese():
    left = {
        key: texts["zh"]
        for key, texts in catalogue().items()
        if LATIN_SENTENCE.search(NAMES.sub("", texts["zh"]))
    }
    assert left == {}


def test_no_chinese_is_left_in_english():
    left = [
        key
        for key, texts in catalogue().items()
        if re.search(r"[\u4e00-\u9fff]", texts["en"]) and key != "shell.to_zh"
    ]
    assert left == []


def test_every_key_that_the_code_names_is_in_the_catalogue():
    named = set()
    for path in [*UI.rglob("*.py"), *UI.rglob("*.html"), *UI.rglob("*.js")]:
        named |= set(USED.findall(path.read_text(encoding="utf-8")))
    assert named
    # A name that ends in "_" is completed by the code at run time.
    missing = {name for name in named if not name.endswith("_")} - set(catalogue())
    assert missing == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_kpi_reason_friction_and_role_has_words(language):
    say = words(language)
    keys = [f"kpi.{name}" for name in KPIS]
    keys += [f"kpi_question.{name}" for name in TILE_KPIS]
    keys += [f"reason.{reason.name}" for reason in Reason]
    keys += [f"friction.{name}" for name in Frictions.__dataclass_fields__]
    keys += [f"role.{role}" for roles in MAY_OPEN.values() for role in roles]
    keys += [f"unit.{kpi.unit}" for kpi in KPIS.values()]
    assert [key for key in keys if not say.has(key)] == []


def test_an_unknown_key_names_itself():
    with pytest.raises(InvalidInput, match="nowhere"):
        words("zh")("nowhere.at_all")


def test_an_unknown_language_reads_chinese():
    assert words("fr").language == "zh"
