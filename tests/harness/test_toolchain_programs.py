"""The build of Go programs into the cache, with the real Go and modules of a few lines."""

import io
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from tests import ctrl_c

from gpu_inference.errors import GpuInferenceError
from gpu_inference.progress import Progress, Silent
from gpu_inference_testing.toolchain import programs
from gpu_inference_testing.toolchain.go_command import (
    Go,
    architecture,
    build_environment,
    find_go,
    version_key,
)
from gpu_inference_testing.toolchain.programs import GoProgram, build

_HELLO = 'package main\n\nvar version = "unset"\n\nfunc main() { println("hello", version) }\n'


@pytest.fixture(autouse=True)
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GPU_INFERENCE_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache" / "programs"


@pytest.fixture
def hello(tmp_path: Path) -> GoProgram:
    return _program(tmp_path / "sources" / "hello", _HELLO)


def _program(sources: Path, main: str, requires: str = "") -> GoProgram:
    sources.mkdir(parents=True)
    (sources / "go.mod").write_text(f"module test/{sources.name}\n\ngo 1.21\n{requires}")
    (sources / "main.go").write_text(main)
    return GoProgram(name=sources.name, sources=sources)


def test_a_program_is_built_with_its_variables_and_its_other_names(hello: GoProgram) -> None:
    program = replace(hello, variables=(("main.version", "v7"),), links=("alias",))
    (folder,) = build([program], Silent())
    for name in ("hello", "alias"):
        ran = subprocess.run([folder / name], capture_output=True, text=True, check=True)
        assert ran.stderr == "hello v7\n"


def test_each_step_is_said_and_a_program_in_the_cache_is_returned_without_a_word(hello: GoProgram) -> None:
    first, second = io.StringIO(), io.StringIO()
    folders = build([hello], Progress(first))
    built = (folders[0] / "hello").stat().st_ino
    assert "• Compiling hello (once on this machine) …" in first.getvalue()
    assert build([hello], Progress(second)) == folders
    assert second.getvalue() == ""
    assert (folders[0] / "hello").stat().st_ino == built


def test_only_the_missing_one_of_two_programs_is_built(hello: GoProgram, tmp_path: Path) -> None:
    other = _program(tmp_path / "sources" / "other", _HELLO)
    build([hello], Silent())
    said = io.StringIO()
    folders = build([hello, other], Progress(said))
    assert "hello" not in said.getvalue()
    assert (folders[1] / "other").is_file()


def test_the_key_changes_with_everything_that_goes_into_the_build(hello: GoProgram) -> None:
    go = Go(Path("go"), "1.26.8")
    keys = [
        hello.key(go),
        hello.key(replace(go, version="1.27.0")),
        replace(hello, tags=("tag",)).key(go),
        replace(hello, variables=(("main.version", "v8"),)).key(go),
        replace(hello, packages=("./cmd",)).key(go),
        replace(hello, links=("alias",)).key(go),
    ]
    for file, text in [
        ("main.go", _HELLO + "\n"),
        ("go.sum", ""),
        ("go.mod", "module test/hello\n\ngo 1.22\n"),
    ]:
        (hello.sources / file).write_text(text)
        keys.append(hello.key(go))
    assert len(set(keys)) == len(keys)


def test_the_key_does_not_depend_on_where_go_or_the_sources_lie(hello: GoProgram, tmp_path: Path) -> None:
    moved = replace(hello, sources=tmp_path / "moved")
    hello.sources.rename(moved.sources)
    key = moved.key(Go(Path("/usr/bin/go"), "1.26.8"))
    moved.sources.rename(hello.sources)
    assert hello.key(Go(Path("/opt/go/bin/go"), "1.26.8")) == key


def test_settings_of_the_users_own_do_not_reach_the_build(
    hello: GoProgram, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOFLAGS", "-mod=vendor -nonsense")
    monkeypatch.setenv("GOOS", "windows")
    monkeypatch.setenv("GOTOOLCHAIN", "go9.9.9")
    (tmp_path / "go.work").write_text("go 1.21\n\nuse ./elsewhere\n")
    (folder,) = build([hello], Silent())
    assert subprocess.run([folder / "hello"], check=True).returncode == 0


def test_an_error_of_the_compiler_is_shown_and_leaves_nothing(hello: GoProgram, cache_folder: Path) -> None:
    (hello.sources / "main.go").write_text("package main\n\nfunc main() { undefinedThing() }\n")
    with pytest.raises(GpuInferenceError, match=r"(?s)hello cannot be compiled.*undefined: undefinedThing"):
        build([hello], Silent())
    assert [path.name for path in cache_folder.iterdir()] == [".lock"]


def test_a_module_that_cannot_be_fetched_is_named(
    tmp_path: Path, cache_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOPROXY", "off")
    monkeypatch.setenv("GOMODCACHE", str(tmp_path / "modules"))
    program = _needs_a_module(tmp_path)
    with pytest.raises(
        GpuInferenceError,
        match=r"(?s)modules of needy cannot be fetched.*main\.go:3:8: .*GOPROXY=off.*go env GOPROXY",
    ):
        build([program], Silent())
    assert [path.name for path in cache_folder.iterdir()] == [".lock"]


def test_without_go_the_error_says_so(hello: GoProgram, tmp_path: Path) -> None:
    with pytest.raises(GpuInferenceError, match="Go is not installed"):
        build([hello], Silent(), search_path=str(tmp_path))


def test_ctrl_c_while_modules_are_fetched_ends_go_and_leaves_nothing(
    tmp_path: Path, cache_folder: Path
) -> None:
    # A module proxy that takes the connection and never answers.
    with socket.create_server(("127.0.0.1", 0)) as server:
        program = _needs_a_module(tmp_path)
        proxy = f"http://127.0.0.1:{server.getsockname()[1]}"
        _interrupt(program, "Fetching", {"GOPROXY": proxy, "GOMODCACHE": str(tmp_path / "modules")})
    assert [path.name for path in cache_folder.iterdir()] == [".lock"]


def test_ctrl_c_while_a_program_is_compiled_ends_go_and_leaves_nothing(
    tmp_path: Path, cache_folder: Path
) -> None:
    # Enough to keep the compiler busy for many seconds, and new each time: Go remembers what it has compiled.
    new = time.time_ns()
    functions = "".join(
        f"func f{new}_{i}(m map[int]string) {{ {'; '.join(f'm[{j}] += m[{i}]' for j in range(400))} }}\n"
        for i in range(400)
    )
    program = _program(tmp_path / "sources" / "slow", _HELLO + functions)
    _interrupt(program, "Compiling", {})
    assert [path.name for path in cache_folder.iterdir()] == [".lock"]


def _needs_a_module(tmp_path: Path) -> GoProgram:
    program = _program(
        tmp_path / "sources" / "needy",
        'package main\n\nimport "nowhere.test/x"\n\nfunc main() { x.Do() }\n',
        "\nrequire nowhere.test/x v1.0.0\n",
    )
    empty = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
    (program.sources / "go.sum").write_text(
        f"nowhere.test/x v1.0.0 h1:{empty}\nnowhere.test/x v1.0.0/go.mod h1:{empty}\n"
    )
    return program


def _interrupt(program: GoProgram, step: str, environment: dict[str, str]) -> None:
    """Build in another process, press Ctrl-C in the step, and see that no Go is left at work."""
    ours = (
        "import pathlib\n"
        "from gpu_inference.progress import Progress\n"
        "from gpu_inference_testing.toolchain import programs\n"
        f"sources = pathlib.Path({str(program.sources)!r})\n"
        f"program = programs.GoProgram(name={program.name!r}, sources=sources)\n"
        "programs.build([program], Progress(heartbeat_seconds=0.5))\n"
    )
    process = ctrl_c.start(
        [sys.executable, "-c", ours], env={**os.environ, **environment}, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr
    for line in process.stderr:
        # Not at once: Go has to have begun.
        if step in line and "so far" in line:
            break
    children = _go_processes(program.sources)
    assert children
    process.send_signal(signal.SIGINT)
    assert "KeyboardInterrupt" in process.communicate(timeout=30)[1]
    assert _go_processes(program.sources) == []


def _go_processes(sources: Path) -> list[int]:
    """Return the processes that work in a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            ended = "\nState:\tZ" in (process / "status").read_text()
            if (process / "cwd").readlink() == sources and not ended:
                found.append(int(process.name))
        except OSError:
            continue  # It ended while we looked, or is another user's.
    return found


def test_go_is_found_on_the_search_path_with_its_version() -> None:
    go = find_go()
    assert go
    said = subprocess.run([go.program, "env", "GOVERSION"], capture_output=True, text=True, check=True).stdout
    assert said == f"go{go.version}\n"


def test_a_go_whose_folder_does_not_tell_its_version_is_asked(tmp_path: Path) -> None:
    go = find_go()
    assert go
    wrapper = tmp_path / "bin" / "go"
    wrapper.parent.mkdir()
    wrapper.write_text(f'#!/bin/sh\nexec {go.program} "$@"\n')
    wrapper.chmod(0o755)
    assert find_go(str(wrapper.parent)) == Go(wrapper, go.version)


@pytest.mark.parametrize(
    ("older", "newer"), [("1.26.6", "1.26.8"), ("1.9.7", "1.26.0"), ("1.25.10", "1.26rc1"), ("", "1.0")]
)
def test_versions_of_go_are_compared_as_numbers(older: str, newer: str) -> None:
    assert version_key(older) < version_key(newer)


def test_an_unknown_processor_is_named() -> None:
    with pytest.raises(GpuInferenceError, match="this is riscv64"):
        architecture("riscv64")


def test_the_cluster_is_asked_for_its_real_version() -> None:
    # Helm compares a chart's kubeVersion with what the API server says; clients send what client-go says.
    flags = programs.KUBERNETES.build_arguments()[-1]
    for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version"):
        assert f"-X {package}.gitVersion=v{programs.KUBERNETES.version} " in flags


def test_builds_use_no_c_compiler() -> None:
    assert build_environment()["CGO_ENABLED"] == "0"
