"""What a script process takes from a request's head, as Werkzeug and Flask have it."""

import random

import pytest
from tests.runtime.test_flask_request import request_of
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request as Werkzeugs

from gpu_inference_script.request import Request, parse_query

NASTY = [
    "",
    "&",
    "&&=&=",
    "a",
    "a=",
    "=b",
    "a=b=c",
    "a&a=&a=1&b=&a=2",
    "a=1;b=2",
    "a+b=c+d%2B",
    "%61=%62&%3D=%26&%2526=%25",
    "a=%C3%A4%E2%82%AC%F0%9F%98%80",
    "%C3%A4=%c3%a4",
    # No UTF-8, in each way.
    "a=%FF&%FE=b",
    "a=%C3&b=%C3%28&c=%E2%82&d=%E2%82x",
    "a=%C0%AF&b=%ED%A0%80&c=%F4%90%80%80",
    "a=x%FFy%C3%A4z%80",
    "a=%C3+%A4",
    # No percent-encoding.
    "a=%&b=%4&c=%4G&d=%%41&e=100%",
    "a=%00%0A%0D",
    "a=~!*'()/:@?[]{}|\\^`\"<>",
    "a[]=1&a[]=2&a.b=3",
    "a=%E4%BD%A0%E5%A5%BD&a=%20",
    "+=+&%20=%20",
]


def werkzeugs(query: str) -> dict[str, list[str]]:
    environ = EnvironBuilder("/score").get_environ()
    environ["QUERY_STRING"] = query
    return Werkzeugs(environ).args.to_dict(flat=False)


def test_queries_are_taken_apart_as_by_werkzeug() -> None:
    for query in NASTY:
        assert list(parse_query(query).items()) == list(werkzeugs(query).items()), query


def test_queries_of_any_characters_are_too() -> None:
    chance = random.Random(7)
    pieces = [
        "a",
        "b",
        "=",
        "&",
        "+",
        ";",
        "%",
        "%4",
        "%41",
        "%C3",
        "%A4",
        "%C3%A4",
        "%e2%82",
        "%FF",
        "%26",
        "~",
    ]
    for _ in range(20_000):
        query = "".join(chance.choices(pieces, k=chance.randrange(12)))
        assert parse_query(query) == werkzeugs(query), query


def test_bytes_without_percent_encoding_may_be_utf_8_text() -> None:
    assert parse_query("ä=€".encode().decode("latin-1")) == werkzeugs("ä=€".encode().decode("latin-1"))
    # Werkzeug itself fails at others.
    assert parse_query("a=\xff") == {"a": ["%FF"]}


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        ("/score", "/score", ""),
        ("/score?", "/score", ""),
        ("/score?a?b", "/score", "a?b"),
        ("/score#f?a", "/score", ""),
        ("//x/y?a", "//x/y", "a"),
        ("/%C3%A4%2F?%C3%A4", "/ä/", "%C3%A4"),
        ("http://h:1/score?a", "/score", "a"),
        ("*", "*", ""),
    ],
)
def test_a_target_is_path_and_query(target: str, path: str, query: str) -> None:
    request = Request("GET", target)
    assert (request.path, request.query_string) == (path, query)


@pytest.mark.parametrize(
    ("head", "content_type"),
    [
        ("GET / HTTP/1.1", ""),
        ("GET / HTTP/1.1\r\nContent-Type: Text/PLAIN ; charset=x", "text/plain"),
        ("GET / HTTP/1.1\r\nCONTENT-TYPE:", ""),
        ("GET / HTTP/1.1\r\nContent_Type: a/b\r\nX-Content-Type: c/d", ""),
    ],
)
def test_the_content_type_is_the_media_type_alone(head: str, content_type: str) -> None:
    assert request_of(head).content_type == content_type


def test_the_body_is_text_or_bytes_that_outlive_the_shared_memory() -> None:
    shared = bytearray("größe".encode())
    request = Request("POST", body=memoryview(shared))
    kept = request.body_bytes
    assert (request.text(), kept) == ("größe", bytes(shared))
    shared[:] = b"another"
    assert kept == "größe".encode()
    assert request.text() == "another"


def test_what_is_taken_apart_once_is_kept() -> None:
    request = request_of("GET /score?a=1 HTTP/1.1\r\nX-A: 1")
    assert request.query is request.query
    assert request.headers_by_name is request.headers_by_name == {"x-a": "1"}
