"""CHANGELOG.md keeps to the form of Keep a Changelog, and its newest version is the packages'."""

import datetime
import re

from tests.harness.makefile import ROOT

from gpu_inference import __version__

TEXT = (ROOT / "CHANGELOG.md").read_text()
RELEASES = re.findall(r"^## (.*)$", TEXT, re.MULTILINE)
KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_the_newest_version_is_that_of_the_packages() -> None:
    assert RELEASES[0].startswith(f"[{__version__}] - ")


def test_every_release_has_its_date_but_the_one_to_come() -> None:
    dates = [release.rpartition(" - ")[2] for release in RELEASES]
    released = dates[1:] if dates[0] == "Unreleased" else dates
    assert released == sorted(
        (datetime.date.fromisoformat(date).isoformat() for date in released), reverse=True
    )


def test_versions_go_down() -> None:
    versions = [tuple(map(int, release[1 : release.index("]")].split("."))) for release in RELEASES]
    assert versions == sorted(versions, reverse=True)
    assert len(set(versions)) == len(versions) > 1


def test_every_section_is_a_kind_of_change() -> None:
    sections = re.findall(r"^### (.*)$", TEXT, re.MULTILINE)
    assert sections
    assert set(sections) <= KINDS


def test_every_change_is_one_short_bullet() -> None:
    bullets = [line for line in TEXT.splitlines() if line.startswith("- ")]
    assert len(bullets) > 50
    assert [bullet for bullet in bullets if len(bullet.split()) > 30] == []
