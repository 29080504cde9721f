"""Telephone numbers of people: called from anywhere, or never used."""

from pathlib import Path

import pytest
import yaml

from escalation.config.company import Company, Directory
from escalation.config.notify import Via
from escalation.notify.methods import addresses
from escalation.oncall.coverage import wakes
from tests.support.company import EXAMPLE, example_data
from tocsin.config import loader

LOCAL = ["0151 12345678", "(030) 1234567", "030/1234567", "5550101"]


def with_phone(phone: str) -> dict[str, object]:
    people = {key: {"email": f"{key}@example.com"} for key in example_data()["people"]}
    return example_data() | {"people": people | {"dana": {"email": "dana@example.com", "phone": phone}}}


@pytest.mark.parametrize("phone", LOCAL)
def test_a_number_without_a_country_code_loads_with_a_warning(phone: str, tmp_path: Path) -> None:
    """An old file keeps working; `tocsin check` names the line, and what to write."""
    path = tmp_path / "tocsin.yml"
    path.write_text(yaml.safe_dump(with_phone(phone)))
    [warning] = [w for w in loader.load(path).warnings if "country code" in w.text]
    assert phone in warning.text
    assert "dana gets no SMS and no call" in warning.text
    assert phone in path.read_text().splitlines()[warning.line - 1]


@pytest.mark.parametrize("phone", LOCAL)
def test_a_number_without_a_country_code_is_never_used(phone: str) -> None:
    """Nobody is called at somebody else's number: the person counts as one whom nothing wakes."""
    company = Company.model_validate(with_phone(phone))
    assert not {Via.SMS, Via.CALL} & addresses(company, "dana", Directory()).keys()
    assert not wakes(company, "dana")


def test_a_number_with_a_country_code_is_used_as_it_is_dialled() -> None:
    """Spaces, dots, hyphens and (0) are left out; the shipped example has such numbers."""
    company = Company.model_validate(with_phone("+49 (0)151 / 1234-5678"))
    assert addresses(company, "dana", Directory())[Via.SMS] == "+4915112345678"
    assert not [w for w in loader.load(EXAMPLE).warnings if "country code" in w.text]
