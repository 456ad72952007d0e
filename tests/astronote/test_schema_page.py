"""`docs/schema.md` says what is true of the Prisma schema's models and of ours."""

import re
import tomllib
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings

PAGE = (settings.BASE_DIR / "docs" / "schema.md").read_text("utf-8")
DATA = Path(__file__).parents[1] / "data" / "prisma_schema.toml"
PRISMA = {name: set(text.split()) for name, text in tomllib.loads(DATA.read_text("utf-8")).items()}
NONE = "–"
IN_BACKTICKS = re.compile(r"`([^`]+)`")


def table_rows(text):
    """The cells of the rows of the tables in a text, without headings."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in rows if row[0] not in ("Prisma", "Prisma model")]


OVERVIEW, *_ = PAGE.split("# Differences, field by field")
MODELS = {name: cells for name, *cells in table_rows(OVERVIEW)}
OURS = {
    name: IN_BACKTICKS.findall(cells[0])[0] for name, cells in MODELS.items() if "`" in cells[0]
}
SECTIONS = {section.split("\n", 1)[0]: table_rows(section) for section in PAGE.split("\n## ")[1:]}


def fields_in(cell):
    return set(IN_BACKTICKS.findall(cell))


def test_all_43_models_are_listed_with_a_state_and_a_reason():
    assert len(MODELS) == 43 and len(table_rows(OVERVIEW)) == 43
    for name, (ours, state, reason) in MODELS.items():
        assert state in ("alive", "not written", "not built", "left out"), name
        assert reason and (ours == NONE) == (state in ("not built", "left out")), name
    assert set(OURS) == set(PRISMA)


def test_a_model_that_is_not_built_does_not_exist():
    existing = {model.__name__ for model in apps.get_models()}
    assert existing.isdisjoint(name for name in MODELS if name not in OURS)


@pytest.mark.parametrize("name", OURS)
def test_each_field_that_only_one_side_has_is_listed_with_its_reason(name):
    ours = {field.name for field in apps.get_model(OURS[name])._meta.concrete_fields}
    rows = SECTIONS.get(name, [])
    assert all(reason for _, _, reason in rows)
    listed_of_prisma = set().union(*(fields_in(prisma) for prisma, _, _ in rows))
    listed_of_ours = set().union(*(fields_in(own) for _, own, _ in rows))
    assert listed_of_prisma <= PRISMA[name] and listed_of_ours <= ours
    assert PRISMA[name] - ours - listed_of_prisma == set(), "of the Prisma schema alone"
    assert ours - PRISMA[name] - listed_of_ours == set(), "ours alone"


def test_models_of_ours_alone_are_named():
    project = {
        model._meta.label
        for model in apps.get_models()
        if model._meta.app_label in settings.PROJECT_APPS and not model._meta.proxy
    }
    assert project == set(OURS.values()) | (fields_in(OVERVIEW) & project)
