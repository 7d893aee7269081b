"""The hosted CI: its workflow is valid, pins what it uses, and runs make targets that people can run."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.harness.makefile import ROOT, make

from gpu_inference.image import FRAMEWORKS
from gpu_inference.progress import Silent
from gpu_inference_testing import versions
from gpu_inference_testing.toolchain import programs
from gpu_inference_testing.toolchain.programs import GoProgram

WORKFLOWS = sorted((ROOT / ".github" / "workflows").iterdir())
TEXT = (ROOT / ".github" / "workflows" / "ci.yaml").read_text()
JOBS: dict[str, Any] = yaml.safe_load(TEXT)["jobs"]
STEPS = [step for job in JOBS.values() for step in job["steps"]]
ACTIONLINT = GoProgram(
    name="actionlint",
    sources=Path(__file__).with_name("actionlint"),
    packages=("github.com/rhysd/actionlint/cmd/actionlint",),
)


@pytest.fixture(scope="module")
def actionlint() -> Path:
    """The program, compiled unless the cache has it."""
    (folder,) = programs.build([ACTIONLINT], Silent())
    return folder / "actionlint"


def _lint(actionlint: Path, *workflows: Path) -> str:
    # Without shellcheck and pyflakes, which are on some machines only.
    command = [str(actionlint), "-shellcheck=", "-pyflakes=", "-no-color", *map(str, workflows)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT).stdout


def test_actionlint_finds_nothing_wrong(actionlint: Path) -> None:
    assert _lint(actionlint, *WORKFLOWS) == ""


def test_actionlint_would_find_a_mistake(actionlint: Path, tmp_path: Path) -> None:
    broken = tmp_path / "ci.yaml"
    broken.write_text(TEXT.replace("needs: images", "needs: image"))
    assert 'job "release-chart" needs job "image"' in _lint(actionlint, broken)


def test_every_make_target_of_a_step_can_be_run() -> None:
    commands = [found for step in STEPS for found in re.findall(r"\bmake (\S+)", step.get("run", ""))]
    assert {"test", "chart-lint", "chart-install", "release-images", "release-chart"} <= set(commands)
    for target in commands:
        assert make("-n", target, "REGISTRY=registry.example.com/team", "TAG=v1.0.0").returncode == 0, target


def test_every_action_is_pinned_to_a_commit_with_its_version_beside_it() -> None:
    used = re.findall(r"uses: (.*)", TEXT)
    assert len(used) > 10
    assert [line for line in used if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)] == []
    # One version of each.
    assert len(set(used)) == len({line.partition("@")[0] for line in used})


def test_jobs_have_no_more_permissions_than_they_need() -> None:
    assert yaml.safe_load(TEXT)["permissions"] == {"contents": "read"}
    more = {name: job["permissions"] for name, job in JOBS.items() if "permissions" in job}
    publishing = {"contents": "read", "packages": "write", "id-token": "write"}
    assert more == {"images": publishing, "release-chart": publishing}
    checkouts = [step for step in STEPS if step.get("uses", "").startswith("actions/checkout@")]
    assert len(checkouts) == len(JOBS)
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_only_a_tag_publishes_and_only_after_all_checks() -> None:
    for name in ("images", "release-chart"):
        assert JOBS[name]["if"] == "startsWith(github.ref, 'refs/tags/v')"
        assert "make release-check" in [step.get("run") for step in JOBS[name]["steps"]]
    assert JOBS["images"]["needs"] == ["test", "chart"]
    assert JOBS["release-chart"]["needs"] == "images"


def test_an_image_of_every_framework_is_published() -> None:
    assert JOBS["images"]["strategy"]["matrix"]["image"] == list(FRAMEWORKS)


def test_go_is_the_one_that_people_are_told_to_install() -> None:
    (go,) = (step for step in STEPS if step.get("uses", "").startswith("actions/setup-go@"))
    assert go["with"]["go-version"] == versions.GO
