"""What can be wrong with each part of an HTTP request, beside what is right: right parts come more often."""

from tests.runtime.fuzz.targets import CANARY, KEY, SECOND_KEY

PATHS = ("/score", "/api/v1/service/mnist/score")
AUTHORIZATIONS = [f"Bearer {KEY}", f"bearer {SECOND_KEY}", f"BEARER  {KEY} "]
CONTENT_TYPES = ["application/json", "application/json; charset=utf-8", "application/problem+json"]
METHODS = ["POST"] * 12 + ["GET"] * 4 + ["HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT"]
METHODS += ["post", "PRI", "P OST", "", "X" * 40, "PÖST"]
TARGETS = [path.encode() for path in PATHS] * 4
TARGETS += [
    b"/",
    b"/docs",
    b"/swagger.json",
    b"/swagger.json?version=3",
    b"/swagger.json?version=" + b"9" * 20,
]
TARGETS += [b"/score/", b"//score", b"/./score", b"/a/../score", b"/%2e%2e/%2e%2e/etc/passwd", b"/scor%65"]
TARGETS += ["/scöre".encode(), "/api/v1/service/模型/score".encode(), b"/api/v1/service/%E6%A8%A1/score"]
TARGETS += [b"*", b"http://x/score", b"http://[::1/score", b"x:99999", b"/score#f", b"/%00", b"/%zz", b"/%"]
TARGETS += [
    b"/score?" + b"a" * 9000,
    b"/" + b"b" * 3000,
    b"",
    b"score",
    b"/sc ore",
    b"/score\t",
    b"/\xff\xfe",
]
TARGETS += [b"/score?stream=1", b"/docs/../../score.py", b"/docs/%2e%2e/%2e%2e/score.py"]
VERSIONS = [b"HTTP/1.1"] * 12 + [
    b"HTTP/1.0",
    b"HTTP/2.0",
    b"HTTP/0.9",
    b"http/1.1",
    b"HTTP/1.",
    b"HTTPS/1.1",
    b"",
]
HEADERS = [b"Host: x"] * 4 + [b"Host: ", b"Host: a\r\nHost: b", b"Host: \xff", b"Host: x:y:z", b"Host: [::1"]
HEADERS += [f"Authorization: {value}".encode() for value in AUTHORIZATIONS] * 3
HEADERS += [b"Authorization: Bearer " + CANARY.encode(), b"Authorization:", b"Authorization: Bearer"]
HEADERS += [b"Authorization: Basic " + KEY.encode(), b"Authorization: Bearer \xff\xfe" + CANARY.encode()]
HEADERS += [b"Authorization: " + KEY.encode(), b"Authorization Bearer " + KEY.encode()]
HEADERS += [b"Authorization: Bearer " + CANARY.encode() * 500, b"authorization : Bearer " + KEY.encode()]
HEADERS += [b"Content-Type: " + value.encode() for value in CONTENT_TYPES] * 3
HEADERS += [b"Content-Type: multipart/form-data; boundary=b", b"Content-Type: multipart/form-data"]
HEADERS += [
    b"Content-Type: multipart/form-data; boundary=" + b"b" * 300,
    b"Content-Type: text/html; charset=\xff",
]
HEADERS += [
    b"Content-Type: application/x-www-form-urlencoded",
    b"Content-Type: application/json; charset=utf-16",
]
HEADERS += [b"Content-Type: ;;;", b"Content-Type: application/json\r\nContent-Type: text/plain"]
HEADERS += [
    b"Content-Encoding: gzip",
    b"Content-Encoding: " + CANARY.encode(),
    b"Accept: application/xml;q=x",
]
HEADERS += [
    b"Expect: 100-continue",
    b"Expect: " + CANARY.encode(),
    b"Connection: close",
    b"Connection: Upgrade",
]
HEADERS += [
    b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk",
    b"Connection: a, b",
]
HEADERS += [b"x-request-id: " + value for value in (b"", b"r", b"x" * 100, b"x" * 101, b"\xe4\xff", b"a\tb")]
HEADERS += [b"x-ms-request-id: m", b"x-ms-client-request-id: c", b"x-ms-client-request-id: " + b"c" * 101]
HEADERS += [b"TraceId: t", b"TraceId: \xff", b"traceparent: 00-zz-zz-01", b"traceparent: " + b"a" * 300]
HEADERS += [
    b"Origin: http://page.example",
    b"Origin: null",
    b"Origin: " + CANARY.encode(),
    b"Cookie: a=" + b";" * 99,
]
HEADERS += [b"Access-Control-Request-Method: POST", b"Access-Control-Request-Headers: " + CANARY.encode()]
HEADERS += [
    b"X-Forwarded-Proto: https",
    b"X_Under: 1",
    b"No colon " + CANARY.encode(),
    b": no name",
    b" folded: 1",
]
HEADERS += [
    b"X-Nul: \x00" + CANARY.encode(),
    b"X-Long: " + CANARY.encode() * 900,
    b"X\xff: 1",
    b"X-CR: a\rb",
]
HEADERS += [
    b"\r\n".join(b"X-%d: 1" % number for number in range(120)),
    b"X-LF: a\nX-Smuggled: b",
    b"Range: bytes=0-",
]
LENGTHS = [
    b"-1",
    b"+5",
    b"0x5",
    b"5, 5",
    b"",
    b"1e3",
    b"9" * 30,
    b"9" * 5000,
    b"\xb2",
    b"5 5",
    b"1_0",
    b"4097",
]
CODINGS = [b"chunked"] * 4 + [
    b"Chunked",
    b"gzip, chunked",
    b"chunked, gzip",
    b"identity",
    b"xchunked",
    b"gzip",
]
CODINGS += [
    b"chunked, chunked",
    b"chunked\r\nTransfer-Encoding: chunked",
    b"",
    b"\x0bchunked",
    CANARY.encode(),
]
CHUNKED = [
    b"5\r\nhello\r\n0\r\n\r\n",
    b"0\r\n\r\n",
    b"5\r\nhel",
    b"5\r\nhelloX\r\n0\r\n\r\n",
    b"\r\n0\r\n\r\n",
]
CHUNKED += [
    b"zz\r\n" + CANARY.encode(),
    b"-1\r\n\r\n",
    b"+1\r\na\r\n0\r\n\r\n",
    b"f" * 20 + b"\r\n",
    b"1_0\r\n\r\n",
]
CHUNKED += [
    b"5;" + CANARY.encode() * 900 + b"\r\nhello\r\n0\r\n\r\n",
    b"5\nhello\n0\n\n",
    b"0x5\r\nhello\r\n0\r\n\r\n",
]
CHUNKED += [
    b"0\r\nContent-Length: 5\r\n\r\n",
    b"0\r\nAuthorization: Bearer " + KEY.encode() + b"\r\n\r\n",
    b"5",
]
CHUNKED += [b"0\r\n" + CANARY.encode() + b"\r\n\r\n", b"0\r\nX: 1", b"5 \r\nhello\r\n0 \r\n\r\n"]
