"""What a case of the comparison is: a script with what lies around it, and the requests that it gets."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

_SCRIPT = "src/score.py"
_HOST = "service.example"


@dataclass(frozen=True)
class Ask:
    """One request.

    Args:
        name: what differences are listed under; unique in its case.
        method: HTTP's.
        message: all of it, as it goes over the wire.
    """

    name: str
    method: str
    message: bytes


@dataclass(frozen=True)
class Case:
    """A script and its requests.

    Args:
        name: what differences are listed under; unique.
        files: by their path below the app root, the script among them.
        asks: the requests, in order.
        settings: environment variables; `{root}` is the app root, the value `{unset}` leaves one out.
        arguments: the command's; `{port}` is the port.
    """

    name: str
    files: Mapping[str, bytes]
    asks: tuple[Ask, ...]
    settings: Mapping[str, str] = field(default_factory=dict)
    arguments: tuple[str, ...] = ("--entry_script", _SCRIPT, "--port", "{port}")


def case(
    name: str,
    script: str,
    *asks: Ask,
    files: Mapping[str, str | bytes] | None = None,
    settings: Mapping[str, str] | None = None,
    arguments: Sequence[str] | None = None,
) -> Case:
    """Return a case. A script that does not define `init` gets one that does nothing."""
    text = textwrap.dedent(script).strip("\n") + "\n"
    if "init" not in text:
        text += "\n\ndef init(): pass\n"
    every = {_SCRIPT: text, **(files or {})}
    names = [ask.name for ask in asks]
    assert len(names) == len(set(names)), f"{name}: two requests of one name: {names}"
    content = {path: each.encode() if isinstance(each, str) else each for path, each in every.items()}
    usual = Case(name, content, asks, settings or {})
    return usual if arguments is None else Case(name, content, asks, settings or {}, tuple(arguments))


def ask(
    method: str,
    target: str = "/score",
    body: bytes | str | None = None,
    *,
    name: str = "",
    content_type: str | None = None,
    headers: Sequence[tuple[str, str]] = (),
    chunks: Sequence[bytes] = (),
    version: str = "HTTP/1.1",
) -> Ask:
    """Return a request; its name is made of what it is, unless one is given."""
    content = body.encode() if isinstance(body, str) else body
    lines = [f"{method} {target} {version}", f"Host: {_HOST}"]
    if content_type is not None:
        lines.append(f"Content-Type: {content_type}")
    lines += [f"{key}: {value}" for key, value in headers]
    if chunks:
        lines.append("Transfer-Encoding: chunked")
        content = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    elif content is not None:
        lines.append(f"Content-Length: {len(content)}")
    message = "\r\n".join([*lines, "", ""]).encode("latin-1") + (content or b"")
    parts = [method, *([target] if target != "/score" else []), content_type or ""]
    parts += [f"{key}: {value[:40]}" for key, value in headers]
    parts += ["chunked"] if chunks else []
    parts += [content[:80].decode("latin-1")] if content else []
    return Ask(name or " ".join(part for part in parts if part), method, message)


def post(
    body: bytes | str = b"",
    content_type: str | None = "application/json",
    *,
    name: str = "",
    target: str = "/score",
    headers: Sequence[tuple[str, str]] = (),
) -> Ask:
    """Return a POST; its name is its body, where it is JSON, unless one is given."""
    if not name and content_type == "application/json" and target == "/score" and not headers:
        text = body if isinstance(body, str) else body.decode("latin-1")
        name = text[:120] or "empty"
    return ask("POST", target, body, name=name, content_type=content_type, headers=headers)


def get(target: str, *, headers: Sequence[tuple[str, str]] = ()) -> Ask:
    """Return a GET."""
    return ask("GET", target, headers=headers)


def swagger() -> tuple[Ask, ...]:
    """Return the requests for all versions of a service's description."""
    return tuple(get(f"/swagger.json{query}") for query in ("", "?version=2", "?version=3", "?version=3.1"))
