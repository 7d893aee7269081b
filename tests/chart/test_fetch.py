"""The init containers' scripts against servers that break, lie, redirect and refuse."""

import contextlib
import hashlib
import http.server
import io
import os
import stat
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import copy_model
import download
import fetch as fetch_script
import pytest
from tests.certificates import server_context, write_certificate
from tests.chart.rendering import CHART
from tests.serving import serving

SCRIPTS = CHART / "files" / "models"
CONTENT = bytes(range(256)) * 4096  # 1 MiB
SHA256 = hashlib.sha256(CONTENT).hexdigest()
SECRET = "sv=2026&sig=only-for-those-who-may"


@dataclass
class Behaviour:
    """What the server does, and what it was asked."""

    content: bytes = CONTENT
    tag: str | None = '"1"'
    break_after: list[int] = field(default_factory=list)
    """For each of the next answers: the bytes after which the connection ends."""
    statuses: list[int] = field(default_factory=list)
    """Statuses of the next answers, before it answers as it should."""
    redirect_to: str | None = None
    knows_ranges: bool = True
    tells_length: bool = True
    wanted_header: tuple[str, str] | None = None
    then: "Behaviour | None" = None
    """What it does after an answer that broke."""
    asked: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)


class FileServer(http.server.ThreadingHTTPServer):
    def __init__(self) -> None:
        self.behaviour = Behaviour()
        super().__init__(("127.0.0.1", 0), Handler)

    def url(self, path: str = "/models/model.pkl", scheme: str = "http") -> str:
        return f"{scheme}://127.0.0.1:{self.server_port}{path}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent about clients that do not trust this server."""


class Handler(http.server.BaseHTTPRequestHandler):
    server: FileServer

    def do_GET(self) -> None:
        does = self.server.behaviour
        does.asked.append(dict(self.headers.items()))
        does.paths.append(self.path)
        if does.statuses:
            self.send_error(does.statuses.pop(0))
        elif does.redirect_to and not self.path.startswith("/moved"):
            self.send_response(302)
            self.send_header("Location", does.redirect_to)
            self.end_headers()
        elif does.wanted_header and self.headers[does.wanted_header[0]] != does.wanted_header[1]:
            self.send_error(401)
        else:
            self._send(does)

    def _send(self, does: Behaviour) -> None:
        start = 0
        unchanged = self.headers.get("If-Range") in (None, does.tag)
        if does.knows_ranges and "Range" in self.headers and unchanged:
            start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        if start >= len(does.content) > 0:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(does.content)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        rest = does.content[start:]
        self.send_response(206 if start else 200)
        if start:
            size = len(does.content)
            self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        if does.tag:
            self.send_header("ETag", does.tag)
        if does.tells_length:
            self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        self.wfile.write(rest[: does.break_after.pop(0)] if does.break_after else rest)
        self.server.behaviour = does.then or does

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the base class's name for it)
        """Log nothing."""


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving(FileServer()) as server:
        yield server


@pytest.fixture
def other_server() -> Iterator[FileServer]:
    with serving(FileServer()) as server:
        yield server


@pytest.fixture
def https_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FileServer, Path]]:
    folder = tmp_path_factory.mktemp("certificate")
    write_certificate(folder)
    server = FileServer()
    server.socket = server_context(folder).wrap_socket(server.socket, server_side=True)
    with serving(server):
        yield server, folder / "ca.crt"


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "FIRST_PAUSE", 0.01)


def fetch(
    into: Path,
    *options: str,
    url: str | None = None,
    sha256: str = SHA256,
    most: int = 10 << 20,
    seconds: float = 60,
    entry: str | None = "model.pkl",
    environment: dict[str, str] | None = None,
) -> Done:
    arguments = [
        "--what=Model net, version 2,",
        f"--into={into}",
        f"--sha256={sha256}",
        f"--most-bytes={most}",
        f"--timeout-seconds={seconds}",
        *([f"--url={url}"] if url else []),
        *([f"--entry={entry}"] if entry else []),
        *options,
    ]
    return script(fetch_script.main, arguments, environment or {})


def script(main: Callable[[], int], arguments: list[str], environment: dict[str, str]) -> Done:
    """Run a script here, because a process for each of these tests would take most of their time."""
    stdout, stderr = io.StringIO(), io.StringIO()
    with (
        # A proxy that this machine may be set to is not on the way.
        mock.patch.dict(os.environ, {"no_proxy": "*", **environment}),
        mock.patch.object(sys, "argv", ["script", *arguments]),
        contextlib.redirect_stdout(stdout),
        contextlib.redirect_stderr(stderr),
    ):
        return Done(main(), stdout.getvalue(), stderr.getvalue())


def entries(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_the_script_runs_by_itself_as_in_a_pod(server: FileServer, tmp_path: Path) -> None:
    options = [f"--into={tmp_path}", "--most-bytes=9000000", "--timeout-seconds=60", "--entry=model.pkl"]
    command = [sys.executable, "-Es", str(SCRIPTS / "fetch.py"), "--what=The model", *options]
    done = subprocess.run(
        [*command, f"--sha256={SHA256}", f"--url={server.url()}"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert entries(tmp_path) == {"done", "content/model.pkl"}


def test_a_file_is_fetched_and_lies_alone_where_the_service_looks(server: FileServer, tmp_path: Path) -> None:
    done = fetch(tmp_path, url=server.url())
    assert done.returncode == 0, done.stderr
    assert entries(tmp_path / "content") == {"model.pkl"}
    assert (tmp_path / "content" / "model.pkl").read_bytes() == CONTENT
    assert f"Fetching Model net, version 2, from {server.url()}\n" in done.stdout
    assert "Fetched 1.0 MB in " in done.stdout
    assert f"its SHA-256 is {SHA256} as expected" in done.stdout


def test_a_broken_download_goes_on_where_it_broke(server: FileServer, tmp_path: Path) -> None:
    server.behaviour.break_after = [300_000, 200_000]
    done = fetch(tmp_path, url=server.url())
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "content" / "model.pkl").read_bytes() == CONTENT
    ranges = [headers.get("Range") for headers in server.behaviour.asked]
    assert ranges == [None, "bytes=300000-", "bytes=500000-"]
    assert "the connection ended at 0.3 MB of 1.0 MB; trying again with 0.3 MB here" in done.stdout
    assert "resumed 2 times" in done.stdout


def test_a_broken_download_goes_on_after_a_restart_of_the_container(
    server: FileServer, tmp_path: Path
) -> None:
    server.behaviour.break_after = [300_000]
    with mock.patch.object(download, "FIRST_PAUSE", 1000):
        first = fetch(tmp_path, url=server.url())
    assert first.returncode == 1
    assert "did not arrive in time (0.3 MB so far)" in first.stderr
    assert "download.timeoutSeconds" in first.stderr
    assert not (tmp_path / "content").exists()
    second = fetch(tmp_path, url=server.url())
    assert second.returncode == 0, second.stderr
    assert server.behaviour.asked[-1]["Range"] == "bytes=300000-"
    assert (tmp_path / "content" / "model.pkl").read_bytes() == CONTENT


def test_a_file_that_changed_meanwhile_is_fetched_from_its_start(server: FileServer, tmp_path: Path) -> None:
    server.behaviour.break_after = [300_000]
    server.behaviour.content, server.behaviour.tag = b"old" * 400_000, '"0"'
    server.behaviour.then = Behaviour()
    done = fetch(tmp_path, url=server.url())
    assert done.returncode == 0, done.stderr
    assert server.behaviour.asked[0]["If-Range"] == '"0"'
    assert (tmp_path / "content" / "model.pkl").read_bytes() == CONTENT


def test_parts_that_do_not_fit_together_are_fetched_anew_once(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "download.part").write_bytes(b"of another file")
    done = fetch(tmp_path, url=server.url())
    assert done.returncode == 0, done.stderr
    assert "The parts do not fit together: once more from the start" in done.stdout
    assert [headers.get("Range") for headers in server.behaviour.asked] == ["bytes=15-", None]


def test_a_server_that_knows_no_ranges_sends_all_again(server: FileServer, tmp_path: Path) -> None:
    server.behaviour.knows_ranges = False
    server.behaviour.break_after = [300_000]
    done = fetch(tmp_path, url=server.url())
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "content" / "model.pkl").read_bytes() == CONTENT


def test_a_download_complete_before_a_restart_is_only_checked(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "download.part").write_bytes(CONTENT)
    done = fetch(tmp_path, url=server.url())
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "content" / "model.pkl").read_bytes() == CONTENT


def test_a_part_longer_than_the_file_is_dropped(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "download.part").write_bytes(CONTENT + b"more")
    done = fetch(tmp_path, url=server.url())
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "content" / "model.pkl").read_bytes() == CONTENT


def test_what_is_here_already_is_not_fetched_again(server: FileServer, tmp_path: Path) -> None:
    assert fetch(tmp_path, url=server.url()).returncode == 0
    again = fetch(tmp_path, url=server.url())
    assert again.returncode == 0
    assert "is here already" in again.stdout
    assert len(server.behaviour.asked) == 1


def test_a_wrong_checksum_leaves_nothing_and_names_both(server: FileServer, tmp_path: Path) -> None:
    done = fetch(tmp_path, url=server.url(), sha256="0" * 64)
    assert done.returncode == 3
    assert f"has the SHA-256 {SHA256}, not {'0' * 64}: it was deleted" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_checksum_in_capital_letters_is_the_same(server: FileServer, tmp_path: Path) -> None:
    assert fetch(tmp_path, url=server.url(), sha256=SHA256.upper()).returncode == 0


@pytest.mark.parametrize("tells_length", [True, False])
def test_a_file_above_the_limit_is_refused(tells_length: bool, server: FileServer, tmp_path: Path) -> None:
    server.behaviour.tells_length = tells_length
    done = fetch(tmp_path, url=server.url(), most=1_000_000)
    assert done.returncode == 3
    assert "is larger than 1.0 MB: raise download.sizeLimitGi" in done.stderr
    assert not (tmp_path / "content").exists()


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (401, "the credentials are missing, wrong or expired"),
        (403, "the credentials are missing, wrong or expired"),
        (404, "there is nothing at this address"),
        (400, "it cannot be fetched like this"),
    ],
)
def test_a_refusal_ends_it_at_once_and_says_why(
    status: int, reason: str, server: FileServer, tmp_path: Path
) -> None:
    server.behaviour.statuses = [status]
    done = fetch(tmp_path, url=server.url("/net.pkl?x=1"))
    assert done.returncode == 3
    assert done.stderr == (
        f"Model net, version 2, was not fetched. {server.url('/net.pkl')} answered {status}: {reason}.\n"
    )
    assert len(server.behaviour.asked) == 1


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_asked_again(status: int, server: FileServer, tmp_path: Path) -> None:
    server.behaviour.statuses = [status]
    done = fetch(tmp_path, url=server.url())
    assert done.returncode == 0, done.stderr
    assert f"answered {status}; trying again" in done.stdout


def test_a_server_that_is_not_there_ends_it_when_the_time_is_over(tmp_path: Path) -> None:
    url = "http://127.0.0.1:9/model.pkl"
    done = fetch(tmp_path, url=url, seconds=0)
    assert done.returncode == 1
    assert f"{url} did not arrive in time (0 bytes so far): {url} cannot be reached: " in done.stderr


def test_a_url_from_a_secret_is_not_printed_but_for_its_host(server: FileServer, tmp_path: Path) -> None:
    url = server.url(f"/private-container/model.pkl?{SECRET}")
    server.behaviour.break_after = [1000]
    done = fetch(tmp_path, environment={"FETCH_URL": f"{url}\n"})
    assert done.returncode == 0, done.stderr
    assert server.behaviour.paths[0] == f"/private-container/model.pkl?{SECRET}"
    server.behaviour.statuses = [403]
    refused = fetch(tmp_path / "again", environment={"FETCH_URL": url}) if mkdir(tmp_path / "again") else done
    assert refused.returncode == 3
    for text in (done.stdout, done.stderr, refused.stdout, refused.stderr):
        assert "sig=" not in text
        assert "private-container" not in text
    assert f"http://127.0.0.1:{server.server_port}/… answered 403" in refused.stderr


def mkdir(folder: Path) -> Path:
    folder.mkdir()
    return folder


@pytest.mark.parametrize(
    "url", ["", "ftp://host/x?sig=1", "https://ho st/?sig=1", "http://host:x?sig=1", "http://"]
)
def test_a_secret_that_holds_no_url_is_refused_without_being_printed(url: str, tmp_path: Path) -> None:
    done = fetch(tmp_path, environment={"FETCH_URL": url})
    assert done.returncode == 3
    assert "The key url of the Secret " in done.stderr
    assert "sig=" not in done.stdout + done.stderr


def test_credentials_in_a_secret_url_become_basic_auth(server: FileServer, tmp_path: Path) -> None:
    url = server.url().replace("http://", "http://me:p%40ss@")
    done = fetch(tmp_path, environment={"FETCH_URL": url})
    assert done.returncode == 0, done.stderr
    assert server.behaviour.asked[0]["Authorization"] == "Basic bWU6cEBzcw=="
    assert "p%40ss" not in done.stdout + done.stderr


def test_headers_of_the_secret_are_sent_with_each_try(server: FileServer, tmp_path: Path) -> None:
    server.behaviour.wanted_header = ("Authorization", "Bearer abc")
    server.behaviour.break_after = [1000]
    headers = "Authorization: Bearer abc\nX-Version: 7\n"
    done = fetch(tmp_path, url=server.url(), environment={"FETCH_HEADERS": headers})
    assert done.returncode == 0, done.stderr
    assert [headers["X-Version"] for headers in server.behaviour.asked] == ["7", "7"]
    assert "abc" not in done.stdout + done.stderr


def test_headers_that_are_none_are_refused_without_being_printed(tmp_path: Path) -> None:
    done = fetch(tmp_path, url="http://127.0.0.1:9/x", environment={"FETCH_HEADERS": "Bearer abc"})
    assert done.returncode == 3
    assert "lines of the form NAME: VALUE" in done.stderr
    assert "abc" not in done.stderr


def test_credentials_follow_a_redirect_on_the_same_server(server: FileServer, tmp_path: Path) -> None:
    server.behaviour.redirect_to = "/moved/model.pkl"
    server.behaviour.wanted_header = ("Authorization", "Bearer abc")
    done = fetch(tmp_path, url=server.url(), environment={"FETCH_HEADERS": "Authorization: Bearer abc"})
    assert done.returncode == 0, done.stderr


def test_credentials_do_not_follow_a_redirect_to_another_server(
    server: FileServer, other_server: FileServer, tmp_path: Path
) -> None:
    server.behaviour.redirect_to = other_server.url(f"/moved?{SECRET}")
    done = fetch(tmp_path, url=server.url(), environment={"FETCH_HEADERS": "Authorization: Bearer abc"})
    assert done.returncode == 0, done.stderr
    assert server.behaviour.asked[0]["Authorization"] == "Bearer abc"
    assert "Authorization" not in other_server.behaviour.asked[0]
    assert "sig=" not in done.stdout + done.stderr


def test_https_is_never_left_for_http(
    https_server: tuple[FileServer, Path], server: FileServer, tmp_path: Path
) -> None:
    secure, ca_file = https_server
    secure.behaviour.redirect_to = server.url("/moved")
    done = fetch(tmp_path, f"--ca-file={ca_file}", url=secure.url(scheme="https"))
    assert done.returncode == 3
    assert "redirects to http: only https is followed" in done.stderr
    assert server.behaviour.asked == []


def test_an_authority_of_your_own_is_trusted_when_it_is_given(
    https_server: tuple[FileServer, Path], tmp_path: Path
) -> None:
    secure, ca_file = https_server
    unknown = fetch(tmp_path, url=secure.url(scheme="https"))
    assert unknown.returncode == 3
    assert "is not to be trusted" in unknown.stderr
    assert "download.caConfigMap" in unknown.stderr
    known = fetch(tmp_path, f"--ca-file={ca_file}", url=secure.url(scheme="https"))
    assert known.returncode == 0, known.stderr


def test_an_entry_script_lies_in_its_source_folder(server: FileServer, tmp_path: Path) -> None:
    done = fetch(tmp_path, "--file=package/score.py", url=server.url(), entry="src")
    assert done.returncode == 0, done.stderr
    assert entries(tmp_path / "content") == {"src/package/score.py"}


def tar(members: dict[str, bytes], *, mode: str = "w:gz", link: str | None = None) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o600
            archive.addfile(entry, io.BytesIO(content))
        if link:
            entry = tarfile.TarInfo(link)
            entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
            archive.addfile(entry)
    return buffer.getvalue()


def zipped(members: dict[str, bytes], *, link: str | None = None) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        if link:
            info = zipfile.ZipInfo(link)
            info.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(info, "/etc/passwd")
    return buffer.getvalue()


MODEL = {"model/graph.meta": b"graph", "model/weights/0": b"weights"}


def fetch_archive(
    server: FileServer, into: Path, content: bytes, kind: str, entry: str | None = None, **more: Any
) -> Done:
    server.behaviour.content = content
    sha256 = hashlib.sha256(content).hexdigest()
    return fetch(into, f"--archive={kind}", url=server.url(), sha256=sha256, entry=entry, **more)


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("tar", tar(MODEL, mode="w")),
        ("tar", tar(MODEL, mode="w:gz")),
        ("tar", tar(MODEL, mode="w:bz2")),
        ("tar", tar(MODEL, mode="w:xz")),
        ("tar", tar({f"./{name}": content for name, content in MODEL.items()})),
        ("zip", zipped(MODEL)),
        ("zip", zipped({**MODEL, "__MACOSX/model/._graph.meta": b"x", "._model": b"x"})),
    ],
    ids=["tar", "gz", "bz2", "xz", "from within", "zip", "of a Mac"],
)
def test_the_one_folder_of_an_archive_is_the_model(
    kind: str, content: bytes, server: FileServer, tmp_path: Path
) -> None:
    done = fetch_archive(server, tmp_path, content, kind)
    assert done.returncode == 0, done.stderr
    assert entries(tmp_path) == {"done", *(f"content/{name}" for name in MODEL)}
    assert "Unpacked 12 bytes" in done.stdout


@pytest.mark.parametrize("members", [{"a.py": b"a", "b/c.py": b"c"}, {"src/a.py": b"a", "src/b/c.py": b"c"}])
def test_an_archive_with_or_without_its_folder_becomes_it(
    members: dict[str, bytes], server: FileServer, tmp_path: Path
) -> None:
    done = fetch_archive(server, tmp_path, tar(members), "tar", entry="src")
    assert done.returncode == 0, done.stderr
    assert entries(tmp_path / "content") == {"src/a.py", "src/b/c.py"}


def test_a_file_packed_for_its_owner_alone_is_readable(server: FileServer, tmp_path: Path) -> None:
    assert fetch_archive(server, tmp_path, tar(MODEL), "tar").returncode == 0
    assert stat.S_IMODE((tmp_path / "content/model/graph.meta").stat().st_mode) == 0o644


def test_an_archive_of_several_entries_needs_a_name(server: FileServer, tmp_path: Path) -> None:
    done = fetch_archive(server, tmp_path, tar({"a": b"", "b": b""}), "tar")
    assert done.returncode == 3
    assert "The archive holds 2 entries at its top, not one" in done.stderr
    assert not (tmp_path / "content").exists()


@pytest.mark.parametrize(
    ("kind", "content", "complaint"),
    [
        ("tar", tar({"../out": b"x"}), "would write outside of its folder ('../out')"),
        ("tar", tar({"model/../../out": b"x"}), "would write outside of its folder"),
        ("tar", tar({"/etc/out": b"x"}), "would write outside of its folder"),
        ("zip", zipped({"../out": b"x"}), "would write outside of its folder"),
        ("tar", tar(MODEL, link="model/link"), "holds a link or a device ('model/link')"),
        ("zip", zipped(MODEL, link="model/link"), "holds a link or a device ('model/link')"),
        ("tar", b"no archive at all", "It is no tar archive that can be unpacked"),
        ("zip", b"no archive at all", "It is no zip archive that can be unpacked"),
        ("tar", tar(MODEL)[:80], "It is no tar archive that can be unpacked"),
        ("tar", tar({"model": bytes(2_000_000)}), "The archive unpacks to more than 1.0 MB"),
        ("zip", zipped({"model": bytes(2_000_000)}), "The archive unpacks to more than 1.0 MB"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_nothing_of_a_dangerous_or_broken_archive_serves(
    kind: str, content: bytes, complaint: str, server: FileServer, tmp_path: Path
) -> None:
    into = mkdir(tmp_path / "volume")
    done = fetch_archive(server, into, content, kind, most=1_000_000)
    assert done.returncode == 3
    assert complaint in done.stderr
    assert not (into / "content").exists()
    assert not (tmp_path / "out").exists()
    # Once the archive is right, what was left does not stand in its way.
    assert fetch_archive(server, into, tar(MODEL), "tar").returncode == 0


def copy(source: Path, into: Path) -> Done:
    arguments = ["--what=Model net, version 2,", f"--source={source}", f"--into={into}"]
    return script(copy_model.main, arguments, {})


def test_a_model_is_copied_as_it_is_with_what_its_links_lead_to(tmp_path: Path) -> None:
    source, into = mkdir(tmp_path / "model"), mkdir(tmp_path / "volume")
    (source / "weights").write_text("weights")
    (tmp_path / "elsewhere").write_text("linked")
    (source / "link").symlink_to(tmp_path / "elsewhere")
    for _ in range(2):
        done = copy(source, into)
        assert done.returncode == 0, done.stderr
        assert "Copied Model net, version 2,: 13 bytes in " in done.stdout
        assert entries(into) == {"content/model/weights", "content/model/link"}
    assert (into / "content/model/link").read_text() == "linked"
    assert not (into / "content/model/link").is_symlink()


def test_a_single_file_is_copied(tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_text("weights")
    assert copy(tmp_path / "model.pkl", mkdir(tmp_path / "volume")).returncode == 0
    assert entries(tmp_path / "volume") == {"content/model.pkl"}


def test_a_model_that_cannot_be_read_is_named_with_who_reads(tmp_path: Path) -> None:
    done = copy(tmp_path / "absent", mkdir(tmp_path / "volume"))
    assert done.returncode == 1
    assert "Model net, version 2, was not copied: " in done.stderr
    assert f"(this container runs as user {os.getuid()}, group {os.getgid()})" in done.stderr
    assert not (tmp_path / "volume" / "content").exists()
