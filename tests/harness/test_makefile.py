"""The Makefile: it explains itself, every target can be run, and the release targets do what they say."""

import re
import shutil
from pathlib import Path

import pytest
from tests.harness.makefile import ROOT, TEXT, make

from gpu_inference import __version__
from gpu_inference.image import FRAMEWORKS

_DECLARED = re.search(r"^\.PHONY: (.*)$", TEXT.replace("\\\n", " "), re.MULTILINE)
TARGETS = _DECLARED[1].split() if _DECLARED else []
VARIABLES = (
    "T=tests/chart",
    "VERSION=v1.38.0",
    "TO=9.9.9",
    "REGISTRY=registry.example.com/team",
    "TAG=v9.9.9",
)
# The targets make the environment that these tests run in only where it is outdated; here it never is.
AS_IT_IS = ("--assume-old=.venv/.installed",)


def test_make_help_lists_every_target_with_a_sentence() -> None:
    sentences = dict(line.split(maxsplit=1) for line in make("help").stdout.splitlines())
    assert sentences.keys() == set(TARGETS)


def test_help_lists_targets_with_digits_and_dashes(tmp_path: Path) -> None:
    own = tmp_path / "own.mk"
    own.write_text("python3-12: ## A target\n")
    lines = make("--file", str(own), "help").stdout.splitlines()
    assert [line.split() for line in lines if "python" in line.split()[0]] == [["python3-12", "A", "target"]]


def test_make_alone_is_make_help() -> None:
    assert make().stdout == make("help").stdout != ""


def test_every_target_can_be_run() -> None:
    failed = {name: make(*AS_IT_IS, "--dry-run", name, *VARIABLES).stderr for name in TARGETS}
    assert {name: said for name, said in failed.items() if said} == {}


@pytest.mark.parametrize(
    ("target", "example"),
    [
        ("test-one", "T=tests/chart/test_quality.py::test_a_render_holds_nothing_random"),
        ("kubernetes", "VERSION=v1.38.0"),
        ("version", "TO=0.3.0"),
        ("release-check", f"TAG=v{__version__}"),
        ("release-images", "REGISTRY=ghcr.io/OWNER"),
        ("release-chart", "REGISTRY=ghcr.io/OWNER"),
    ],
)
def test_a_target_without_its_variable_says_what_to_give(target: str, example: str) -> None:
    made = make(*AS_IT_IS, target)
    assert made.returncode == 2
    name = example.partition("=")[0]
    assert made.stderr.startswith(f"make {target} needs {name}: make {target} {example}\n")


def test_the_example_of_test_one_is_a_test() -> None:
    example = re.search(r"T=(\S+)::(test_\w+)", TEXT)
    assert example
    assert f"def {example[2]}(" in (ROOT / example[1]).read_text()


def test_test_one_takes_pytests_options_too() -> None:
    ran = make(
        *AS_IT_IS, "test-one", 'T=tests/chart/test_batching.py -k "value and not mode" --collect-only -q'
    )
    assert ran.returncode == 0, ran.stderr
    assert "tests/chart/test_batching.py::" in ran.stdout
    assert "deselected" in ran.stdout


def test_the_makefile_finds_the_frameworks_of_the_command() -> None:
    printed = make("--eval", "frameworks: ; @echo $(IMAGES)", "frameworks").stdout.split()
    assert printed == list(FRAMEWORKS)


@pytest.fixture
def stand_ins(tmp_path: Path) -> Path:
    """A folder with programs that log how they are called, in place of Docker, a registry and cosign."""
    folder = tmp_path / "bin"
    folder.mkdir()
    answers = {
        "gpu-inference": 'echo "docker.io/library/gpu-inference-runtime:9-$4 12 MB sha256:abc"',
        "docker": 'test "$1" != image || printf "docker.io/x@sha256:1\\n%s@sha256:2\\n" "$REGISTRY/x"',
        "helm": 'echo "Pushed: x"; echo "Digest: sha256:3"',
    }
    for name in ("gpu-inference", "docker", "helm", "syft", "cosign"):
        program = folder / name
        program.write_text(f'#!/bin/sh\necho "{name} $*" >> "{tmp_path}/calls"\n{answers.get(name, "")}\n')
        program.chmod(0o755)
    return folder


def _release(stand_ins: Path, *words: str) -> tuple[int, list[str]]:
    """Run a release target; return its exit status and its calls of programs that are not ours."""
    made = make(
        *AS_IT_IS,
        *words,
        f"BIN={stand_ins}",
        "REGISTRY=registry.example.com/team",
        env={"PATH": f"{stand_ins}:/usr/bin:/bin"},
    )
    calls = (stand_ins.parent / "calls").read_text().splitlines()
    return made.returncode, [call for call in calls if not call.startswith("gpu-inference")]


def test_release_images_signs_the_digest_that_was_pushed(stand_ins: Path) -> None:
    built = "docker.io/library/gpu-inference-runtime:9-torch-gpu"
    pushed = "registry.example.com/team/gpu-inference-runtime:9-torch-gpu"
    digest = "registry.example.com/team/x@sha256:2"
    sbom = "dist/gpu-inference-runtime:9-torch-gpu.spdx.json"
    assert _release(stand_ins, "release-images", "IMAGES=torch-gpu") == (
        0,
        [
            f"docker tag {built} {pushed}",
            f"docker push {pushed}",
            f"docker image inspect --format {{{{range .RepoDigests}}}}{{{{println .}}}}{{{{end}}}} {pushed}",
            f"syft scan {digest} --output spdx-json={sbom}",
            f"cosign sign --yes {digest}",
            f"cosign attest --yes --type spdxjson --predicate {sbom} {digest}",
        ],
    )


def test_release_images_stops_at_the_first_failure(stand_ins: Path) -> None:
    (stand_ins / "syft").write_text("#!/bin/sh\nexit 7\n")
    status, calls = _release(stand_ins, "release-images", "IMAGES=none torch-gpu")
    assert status == 2
    assert [call.split()[:2] for call in calls] == [
        ["docker", "tag"],
        ["docker", "push"],
        ["docker", "image"],
    ]


def test_release_chart_signs_the_digest_that_was_pushed(stand_ins: Path) -> None:
    assert _release(stand_ins, "release-chart") == (
        0,
        [
            f"helm push dist/gpu-inference-{__version__}.tgz oci://registry.example.com/team/charts",
            "cosign sign --yes registry.example.com/team/charts/gpu-inference@sha256:3",
        ],
    )


def test_a_missing_program_is_named() -> None:
    made = make(*AS_IT_IS, "chart-lint", env={"PATH": "/usr/bin:/bin"})
    assert made.returncode == 2
    assert made.stderr.startswith("make chart-lint needs ct on PATH.\n")


VERSIONED = (
    "charts/gpu-inference/Chart.yaml",
    "harness/pyproject.toml",
    "sdk/pyproject.toml",
    "sdk/src/gpu_inference/__init__.py",
    "runtime/pyproject.toml",
    "runtime/src/gpu_inference_runtime/__init__.py",
    "CHANGELOG.md",
)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with the files that name the version."""
    for name in VERSIONED:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def test_version_sets_it_everywhere_and_begins_a_changelog(checkout: Path) -> None:
    made = make("version", "TO=9.9.9", folder=checkout)
    assert made.returncode == 0, made.stderr
    texts = {name: (checkout / name).read_text() for name in VERSIONED}
    assert {name: text.count("9.9.9") for name, text in texts.items()} == dict.fromkeys(VERSIONED, 1) | {
        "charts/gpu-inference/Chart.yaml": 3,
        # Its own version, and the one of the SDK that it needs.
        "harness/pyproject.toml": 2,
    }
    assert f"## [9.9.9] - Unreleased\n\n## [{__version__}]" in texts["CHANGELOG.md"]


def test_release_check_wants_the_tag_of_the_version(checkout: Path) -> None:
    made = make("release-check", "TAG=v9.9.9", folder=checkout)
    assert made.returncode == 2
    assert f"The tag is v9.9.9, and the packages say {__version__}." in made.stderr


def test_release_check_wants_a_date_in_the_changelog(checkout: Path) -> None:
    make("version", "TO=9.9.9", folder=checkout)
    made = make("release-check", "TAG=v9.9.9", folder=checkout)
    assert made.returncode == 2
    assert "CHANGELOG.md has no line '## [9.9.9] - YYYY-MM-DD'." in made.stderr
    changelog = checkout / "CHANGELOG.md"
    changelog.write_text(changelog.read_text().replace("[9.9.9] - Unreleased", "[9.9.9] - 2027-01-31"))
    assert make("release-check", "TAG=v9.9.9", folder=checkout).returncode == 0
