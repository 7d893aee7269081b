"""What can be wrong with, or rare in, each part of an HTTP request."""

from tests.runtime.fuzz.targets import CANARY, KEY

_CANARY = CANARY.encode()
_KEY = KEY.encode()


def _lines(text: str) -> list[bytes]:
    return [line.encode() for line in text.strip().splitlines()]


METHODS = [
    "HEAD",
    "OPTIONS",
    "PUT",
    "DELETE",
    "PATCH",
    "TRACE",
    "CONNECT",
    "post",
    "PRI",
    "P OST",
    "PÖST",
    "",
    "X" * 40,
]
VERSIONS = [b"HTTP/1.0", b"HTTP/2.0", b"HTTP/0.9", b"http/1.1", b"HTTP/1.", b"HTTPS/1.1", b"HTTP/1.1 ", b""]
TARGETS = _lines("""
/
/docs
/docs/../../score.py
/docs/%2e%2e/%2e%2e/score.py
/swagger.json
/swagger.json?version=3
/swagger.json?version=99999999999999999999
/api/v1/service/mnist/swagger.json
/api/v1/service/%E6%A8%A1/score
/api/v1/service/模型/score
/score/
//score
//x/score
/./score
/a/../score
/scor%65
/%2e%2e/%2e%2e/etc/passwd
/scöre
/score?stream=1
/score#fragment
/score%0d%0aforged%20line
/%1b[2Jforged
/%E2%80%A8forged
/%00
/%zz
/%
*
score
/sc ore
http://x/score
http://[::1/score
x:99999
""")
TARGETS += [b"", b"/score\t", b"/\xff\xfe", b"/" + b"b" * 3000, b"/score?" + b"a" * 9000]
QUERIES = _lines(f"""
?rows=[[1,2]]&name=x
?rows=[[1,2]]&rows=[[3]]
?rows={CANARY}&name={CANARY}
?%ff=%fe
?=&;&
?a=NaN&b=1e999&c={{
?q={CANARY}&q=%
?q={CANARY}ä
""")
# JSON that nobody can read.
NESTED = b"[" * 2000
QUERIES += [b"?q=" + NESTED, b"?" + b"&".join(b"a=1" for _ in range(1500))]
HEADERS = _lines(f"""
Host:
Host: x:y:z
Host: [::1
Host: another
Authorization:
Authorization: Bearer
Authorization: Bearer {CANARY}
Authorization: Basic {KEY}
Authorization: {KEY}
Authorization Bearer {KEY}
authorization : Bearer {KEY}
Proxy-Authorization: Bearer {KEY}
Content-Type: multipart/form-data; boundary=b
Content-Type: multipart/form-data
Content-Type: application/x-www-form-urlencoded
Content-Type: application/json; charset=utf-16
Content-Type: text/plain
Content-Type: ;;;
Content-Encoding: gzip
Content-Encoding: {CANARY}
Accept: application/xml;q=x
Expect: 100-continue
Expect: {CANARY}
Connection: close
Connection: keep-alive
Connection: Upgrade
Connection: a, b
x-request-id:
x-request-id: r
x-request-id: {"x" * 100}
x-request-id: {"x" * 101}
x-request-id: ä
x-ms-request-id: m
x-ms-client-request-id: c
x-ms-client-request-id: {"c" * 101}
TraceId: t
traceparent: 00-{"a" * 32}-{"b" * 16}-01
traceparent: 00-zz-zz-01
traceparent: {"a" * 300}
Origin: http://page.example
Origin: null
Origin: {CANARY}
Access-Control-Request-Method: POST
Access-Control-Request-Headers: {CANARY}
Cookie: a={CANARY};;;
X-Forwarded-Proto: https
X-Forwarded-For: {CANARY}
X_Under: {CANARY}
No colon {CANARY}
: no name {CANARY}
 folded: {CANARY}
Range: bytes=0-
Trailer: Authorization
TE: trailers
""")
HEADERS += [
    b"Host: \xff",
    b"Authorization: Bearer \xff\xfe" + _CANARY,
    b"Authorization: Bearer " + _CANARY * 500,
    b"Content-Type: text/html; charset=\xff",
    b"Content-Type: multipart/form-data; boundary=" + b"b" * 300,
    b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk",
    b"x-request-id: a\tb",
    b"TraceId: \xff",
    b"X-Nul: \x00" + _CANARY,
    b"X-CR: a\r" + _CANARY,
    b"X-LF: a\nX-Smuggled: " + _CANARY,
    b"X-Long: " + _CANARY * 900,
    b"X\xff: " + _CANARY,
    b"\r\n".join(b"X-%d: 1" % number for number in range(120)),
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
CODINGS = _lines(f"""
chunked
Chunked
gzip, chunked
chunked, gzip
chunked, chunked
identity
gzip
xchunked
{CANARY}
""")
CODINGS += [b"", b"\x0bchunked", b"chunked\r\nTransfer-Encoding: chunked"]
CHUNKS = [
    b"5\r\nhello\r\n0\r\n\r\n",
    b"0\r\n\r\n",
    b"5",
    b"5\r\nhel",
    b"5\r\nhelloX\r\n0\r\n\r\n",
    b"\r\n0\r\n\r\n",
    b"zz\r\n" + _CANARY,
    b"-1\r\n\r\n",
    b"+1\r\na\r\n0\r\n\r\n",
    b"f" * 20 + b"\r\n",
    b"1_0\r\n\r\n",
    b"0x5\r\nhello\r\n0\r\n\r\n",
    b"5 \r\nhello\r\n0 \r\n\r\n",
    b"5\nhello\n0\n\n",
    b"5;" + _CANARY * 900 + b"\r\nhello\r\n0\r\n\r\n",
    b"0\r\nContent-Length: 5\r\n\r\n",
    b"0\r\nAuthorization: Bearer " + _KEY + b"\r\n\r\n",
    b"0\r\n" + _CANARY + b"\r\n\r\n",
    b"0\r\nX: 1",
]
FORM_TYPES = _lines("""
Content-Type: multipart/form-data; boundary=b
Content-Type: multipart/form-data; boundary="b"
Content-Type: multipart/form-data
Content-Type: multipart/mixed; boundary=b
Content-Type: application/x-www-form-urlencoded
Content-Type: application/x-www-form-urlencoded; charset=utf-16
""")
_PART = b"--b\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n"
FORMS = [
    b"a=1&b=%zz&c",
    b"&".join(b"a=1" for _ in range(1200)),
    b"%ff=" + _CANARY + b"&=&a[]=1",
    _PART * 70 + b"--b--\r\n",
    b"--b\r\n\r\n1\r\n--b--\r\n",
    b"--b\r\nContent-Disposition: form-data\r\n\r\n1\r\n--b--\r\n",
    b"--b\r\nContent-Disposition: form-data; name=a\r\nContent-Type: \xff\r\n\r\n1\r\n--b--\r\n",
    b"--b\r\nContent-Disposition: form-data; name*=utf-16''%ff%ff\r\n\r\n1\r\n--b--\r\n",
    b"--b\r\nX: " + _CANARY * 300,
    b"--b--\r\n",
]
GARBAGE = [b"\r\n", b"\x16\x03\x01", _CANARY + b" x y\r\n\r\n", b"\x00" * 30, b"{" + _CANARY, b"GET"]
