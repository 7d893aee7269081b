"""Failing scripts, timeouts and crashes (contract §3.4)."""

from tests.runtime.differential.cases.case import ask, case, get, post

CASES = (
    case(
        "exceptions",
        """
        import asyncio, flask, json, os, socket, sys, werkzeug.exceptions

        class Own(BaseException):
            pass

        def deep(): return deep()

        def broken():
            raise ValueError("secret \\u00e9")

        def raising(error):
            def raise_it(): raise error
            return raise_it

        RAISE = {
            "ValueError": broken,
            "JSON": lambda: json.loads("{"),
            "KeyError": lambda: {}["a"],
            "recursion": deep,
            "StopIteration": raising(StopIteration()),
            "GeneratorExit": raising(GeneratorExit()),
            "own BaseException": raising(Own()),
            "CancelledError": raising(asyncio.CancelledError()),
            "MemoryError": raising(MemoryError()),
            "TimeoutError": raising(TimeoutError("mine")),
            "socket.timeout": raising(socket.timeout("timed out")),
            "SystemExit": lambda: sys.exit(),
            "SystemExit 0": lambda: sys.exit(0),
            "SystemExit text": lambda: sys.exit("text"),
            "KeyboardInterrupt": raising(KeyboardInterrupt()),
            "abort 404": lambda: flask.abort(404),
            "abort 400 text": lambda: flask.abort(400, "text"),
            "abort 503": lambda: flask.abort(503),
            "abort response": lambda: flask.abort(flask.Response("own", 409)),
            "BadRequest": raising(werkzeug.exceptions.BadRequest("bad")),
            "ExceptionGroup": raising(ExceptionGroup("many", [ValueError(1)])),
            "AssertionError": raising(AssertionError()),
            "str that fails": raising(type("Odd", (Exception,), {"__str__": lambda self: 1 / 0})()),
        }

        def run(data):
            return RAISE[data]()
        """,
        *(
            post(key, "text/plain", name=key)
            for key in (
                *("ValueError", "JSON", "KeyError", "recursion", "StopIteration", "GeneratorExit"),
                *("own BaseException", "CancelledError", "MemoryError", "TimeoutError", "socket.timeout"),
                *("SystemExit", "SystemExit 0", "SystemExit text", "KeyboardInterrupt", "abort 404"),
                *("abort 400 text", "abort 503", "abort response", "BadRequest", "ExceptionGroup"),
                *("AssertionError", "str that fails", "no such key"),
            )
        ),
        get("/score?x=1"),
    ),
    case(
        "errors that the script reports itself",
        """
        import json

        def run(raw_data):
            try:
                return json.loads(raw_data)["data"]
            except Exception as e:
                return {"error": str(e)}
        """,
        post(b'{"data": 1}'),
        post(b"{}"),
        post(b"not JSON"),
    ),
    case(
        "timeouts",
        """
        import time

        def run(data):
            if data == "sleep":
                time.sleep(30)
            if data == "loop":
                while True:
                    pass
            if data == "swallow":
                try:
                    time.sleep(30)
                except TimeoutError:
                    return "swallowed"
            if data == "finally":
                try:
                    time.sleep(30)
                finally:
                    open("cleaned", "w").close()
            if data == "cleaned?":
                import os
                return os.path.exists("cleaned")
            return data
        """,
        *(
            post(key, "text/plain", name=name)
            for name, key in (
                ("quick", "x"),
                ("sleep", "sleep"),
                ("after sleep", "x"),
                ("loop", "loop"),
                ("after loop", "x"),
                ("finally", "finally"),
                ("cleaned?", "cleaned?"),
                ("swallow", "swallow"),
                ("after swallow", "x"),
            )
        ),
        settings={"SCORING_TIMEOUT_MS": "1000"},
    ),
    case(
        "the process dies",
        """
        import faulthandler, os, signal

        def init():
            with open("starts", "a") as file:
                file.write(".")

        def run(data):
            if data == "exit":
                os._exit(7)
            if data == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            if data == "segfault":
                faulthandler._sigsegv()
            with open("starts") as file:
                return file.read()
        """,
        *(
            post(key, "text/plain", name=name)
            for name, key in (
                ("before", "x"),
                ("exit", "exit"),
                ("after exit", "x"),
                ("kill", "kill"),
                ("after kill", "x"),
                ("segfault", "segfault"),
                ("after segfault", "x"),
            )
        ),
    ),
    case(
        "broken requests",
        "def run(data): return len(data)",
        ask("POST", body=None, headers=(("Content-Length", "abc"),)),
        ask("POST", body=None, headers=(("Content-Length", "-1"),)),
        ask("POST", body=b"x", headers=(("Transfer-Encoding", "identity"),)),
        ask("POST", body=b"x", headers=(("Transfer-Encoding", "gzip"),)),
        *(
            ask("POST", headers=(("Transfer-Encoding", coding),))
            for coding in ("unknown", "unknown, chunked", "chunked, gzip", "chunked, chunked", "chunked;q=1")
        ),
        ask("POST", body=b"x", version="HTTP/3.7", name="HTTP/3.7"),
        ask("POST", body=b"x", version="nonsense", name="no version"),
        ask("POST", "no-slash", body=b"x"),
        ask("POST", "*", body=b"x"),
        ask("POST", body=b"x", headers=(("X-Long", "v" * 9000),)),
        ask("GET", "/score?q=" + "v" * 5000, name="a line of 5000"),
        ask("POST", body=b"x", headers=tuple((f"X-{i}", "1") for i in range(101)), name="101 headers"),
        ask("POST", body=b"x", headers=(("Bad Name", "1"),)),
        ask("POST", body=b"x", headers=(("X-Nul", "a\x00b"),), name="a NUL in a header"),
    ),
)
