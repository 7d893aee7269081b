"""Scripts that take the HTTP request itself: `@rawhttp` (contract §3.2)."""

from tests.runtime.differential.cases.case import ask, case, get, post
from tests.runtime.differential.cases.text_inputs import LARGE_FORMS, MULTIPART_BODY

_RAW = "from azureml.contrib.services.aml_request import AMLRequest, rawhttp\n"
_RESPONSE = "from azureml.contrib.services.aml_response import AMLResponse\n"
_FORM = "application/x-www-form-urlencoded"
_MULTIPART = "multipart/form-data; boundary=b"

_EVERY_METHOD = (
    post(b"x"),
    get("/score?x=1"),
    ask("OPTIONS"),
    ask("HEAD"),
    ask("PUT", "/score", b"x"),
    ask("DELETE"),
)

CASES = (
    case(
        "rawhttp as documented",
        _RAW
        + _RESPONSE
        + """
@rawhttp
def run(request):
    if request.method == "GET":
        return AMLResponse(str.encode(request.full_path), 200)
    elif request.method == "POST":
        return AMLResponse(request.get_data(False), 200)
    else:
        return AMLResponse("bad request", 500)
""",
        *_EVERY_METHOD,
        post(b"\xff\xd8\xff\x00", "image/jpeg"),
        post(b"\xff\xd8\xff\x00", name="JPEG said to be JSON"),
        ask("POST", chunks=(b"one ", b"two"), content_type="image/jpeg"),
        post(b""),
    ),
    case(
        "rawhttp: what the request has",
        _RAW
        + """
@rawhttp
def run(request):
    return {
        "type": type(request).__name__,
        "method": request.method, "path": request.path, "full_path": request.full_path, "url": request.url,
        "base_url": request.base_url, "host": request.host, "scheme": request.scheme,
        "root": request.script_root,
        "query_string": request.query_string.decode(), "args": request.args.to_dict(flat=False),
        "content_type": request.content_type, "mimetype": request.mimetype, "is_json": request.is_json,
        "content_length": request.content_length, "remote_addr": request.remote_addr,
        "cookies": request.cookies, "headers": sorted(request.headers.keys()),
        "accept": str(request.accept_mimetypes), "agent": str(request.user_agent),
        "auth": request.authorization and request.authorization.token,
        "view_args": request.view_args, "rule": str(request.url_rule),
        "protocol": request.environ["SERVER_PROTOCOL"], "multithread": request.is_multiprocess,
    }
""",
        *_EVERY_METHOD,
        post(
            b'{"a": 1}',
            headers=(("Cookie", "a=1; b=2"), ("Authorization", "Bearer t"), ("Accept", "text/html")),
        ),
        post(b"x", target="/score?q=1&q=2", name="POST with a query"),
        post(b"x", target="/score?", name="POST with an empty query"),
        ask("POST", chunks=(b"x",), content_type="text/plain"),
        ask("POST", body=b"x", headers=(("X-Forwarded-For", "1.2.3.4"), ("X-Forwarded-Proto", "https"))),
    ),
    case(
        "rawhttp: ways to the body",
        _RAW
        + """
READ = {
    "data": lambda r: r.data.decode("latin-1"),
    "get_data": lambda r: r.get_data().decode("latin-1"),
    "text": lambda r: r.get_data(as_text=True),
    "twice": lambda r: [r.get_data().decode("latin-1"), r.get_data().decode("latin-1")],
    "stream": lambda r: r.stream.read().decode("latin-1"),
    "lines": lambda r: [line.decode("latin-1") for line in r.stream],
    "json": lambda r: r.json,
    "get_json": lambda r: r.get_json(force=True),
    "silent": lambda r: r.get_json(silent=True),
    "form": lambda r: [r.form.to_dict(flat=False), r.data.decode("latin-1")],
    "values": lambda r: r.values.to_dict(),
    "files": lambda r: {
        name: [f.filename, f.content_type, f.read().decode("latin-1")] for name, f in r.files.items()
    },
    "form and files": lambda r: [r.form.get("field"), sorted(r.files)],
    "data after form": lambda r: [len(r.form), r.get_data().decode("latin-1")],
    "input": lambda r: r.environ["wsgi.input"].read().decode("latin-1"),
}

@rawhttp
def run(request):
    return READ[request.headers["How"]](request)
""",
        *(
            post(body, content_type, headers=(("How", how),), name=f"{how} of {kind}")
            for how in (
                *(
                    "data",
                    "get_data",
                    "text",
                    "twice",
                    "stream",
                    "lines",
                    "json",
                    "get_json",
                    "silent",
                    "form",
                ),
                *("values", "files", "form and files", "data after form", "input"),
            )
            for kind, content_type, body in (
                ("JSON", "application/json", b'{"a": [1]}'),
                ("bytes", "image/jpeg", b"\xff\xd8\n\xff"),
                ("a form", _FORM, b"field=value&field=2"),
                ("multipart", _MULTIPART, MULTIPART_BODY),
            )
        ),
        ask("POST", headers=(("How", "stream"),), chunks=(b"one", b"two")),
        ask(
            "POST",
            headers=(("How", "files"),),
            content_type=_MULTIPART,
            chunks=(MULTIPART_BODY,),
            name="files, chunked",
        ),
        ask(
            "POST",
            headers=(("How", "json"),),
            content_type="application/json",
            body=b"not JSON",
            name="bad JSON",
        ),
        ask("GET", "/score?a=1", headers=(("How", "values"),)),
    ),
    case(
        "rawhttp: large forms",
        _RAW + "@rawhttp\ndef run(request): return [len(v) for v in request.form.values()][:2]",
        *LARGE_FORMS,
    ),
    case(
        "rawhttp: a picture from a form",
        _RAW
        + _RESPONSE
        + """
import json

@rawhttp
def run(request: AMLRequest):
    if request.method != "POST":
        return AMLResponse("Unsupported verb: " + request.method, status_code=400)
    file = request.files.get("image")
    if file is None:
        return AMLResponse(json.dumps({"error": "no image"}), 422, {"Content-Type": "application/json"})
    return AMLResponse(file.read(), 200, {"Content-Type": file.mimetype, "X-Name": file.filename})
""",
        post(MULTIPART_BODY, _MULTIPART, name="with the picture"),
        post(b"--b--\r\n", _MULTIPART, name="without it"),
        get("/score"),
    ),
    case(
        "rawhttp returns plain values",
        _RAW
        + """
import json

@rawhttp
def run(request):
    return json.loads(request.get_data())
""",
        post(b'{"a": [1, null]}'),
        post(b'"text"'),
        post(b"null"),
        post(b"nonsense"),
        ask("HEAD"),
    ),
    case(
        "rawhttp with request_headers",
        _RAW
        + """
@rawhttp
def run(request, request_headers):
    return [request.method, request_headers["Host"], request.headers["Host"]]
""",
        post(b"x"),
    ),
    case(
        "rawhttp on another function",
        _RAW
        + """
@rawhttp
def helper(request):
    return request

def run(data):
    return type(data).__name__
""",
        post(b"x"),
        get("/score?x=1"),
    ),
    case(
        "rawhttp with flask's tools",
        _RAW
        + """
import flask

@rawhttp
def run(request):
    kind = request.get_data(as_text=True)
    if kind == "jsonify":
        return flask.jsonify(a=1)
    if kind == "same":
        return flask.request.method == request.method and isinstance(request, flask.Request)
    if kind == "response":
        return flask.make_response("made", 201, {"X-A": "1"})
    if kind == "redirect":
        return flask.redirect("/score")
    if kind == "send_file":
        import io
        return flask.send_file(io.BytesIO(b"content"), mimetype="text/plain", download_name="a.txt")
    if kind == "stream":
        return flask.Response(flask.stream_with_context(f"{request.method} {i}\\n" for i in range(2)))
    if kind == "after_this_request":
        @flask.after_this_request
        def add(response):
            response.headers["X-After"] = response.get_data()
            return response
        return "done"
    if kind == "copy_current_request_context":
        import threading
        seen = []
        look = flask.copy_current_request_context(lambda: seen.append(flask.request.method))
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
        return seen
    return flask.has_request_context()
""",
        *(
            post(kind, "text/plain", name=kind)
            for kind in (
                *("jsonify", "same", "response", "redirect", "send_file", "stream", "after_this_request"),
                *("copy_current_request_context", "has_request_context"),
            )
        ),
    ),
    case(
        "AMLRequest as an annotation only",
        _RAW + "def run(request: AMLRequest): return type(request).__name__",
        post(b"x"),
    ),
    case(
        "imports by module name",
        """
        from azureml.contrib.services import aml_request
        from azureml.contrib.services.aml_response import AMLResponse

        def run(data): return AMLResponse(data, 200)
        """,
        post(b"x"),
    ),
    case(
        "imports under another name",
        """
        import azureml.contrib.services.aml_request as request
        import azureml.contrib.services.aml_response as response

        @request.rawhttp
        def run(given): return response.AMLResponse(given.get_data(), 200)
        """,
        post(b"x"),
    ),
    case(
        "imports of everything",
        "from azureml.contrib.services.aml_request import *\n"
        "from azureml.contrib.services.aml_response import *\n"
        "def run(data): return AMLResponse(data, 201)",
        post(b"x"),
    ),
    case(
        "imports of the server's own modules",
        "from azureml_inference_server_http.api.aml_request import rawhttp\n"
        "from azureml_inference_server_http.api.aml_response import AMLResponse\n"
        "@rawhttp\n"
        "def run(request): return AMLResponse(request.get_data(), 200)",
        post(b"x"),
    ),
)
