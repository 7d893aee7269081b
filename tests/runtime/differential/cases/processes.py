"""What scripts take for granted of their process (contract §3.9, §3.10): threads, signals, logs and more."""

from tests.runtime.differential.cases.case import case, post

CASES = (
    case(
        "globals",
        """
        count = 0
        history = []

        def init():
            global count
            count = 10

        def run(data):
            global count
            count += 1
            history.append(data)
            return {"count": count, "history": history[-2:]}
        """,
        *(post(f"{i}", name=f"call {i}") for i in range(4)),
    ),
    case(
        "threads of init and run",
        """
        import asyncio, signal, sqlite3, threading

        def init():
            global first, base, caught
            first = threading.get_ident()
            base = sqlite3.connect(":memory:")
            base.execute("create table t (x)")
            signal.signal(signal.SIGUSR1, lambda *_: caught.append(1))
            caught = []

        def run(data):
            base.execute("insert into t values (1)")
            signal.raise_signal(signal.SIGUSR1)
            return {
                "rows": base.execute("select count(*) from t").fetchone()[0],
                "same": threading.get_ident() == first,
                "main": threading.current_thread() is threading.main_thread(),
                "signals": len(caught),
                "loop": asyncio.run(asyncio.sleep(0, "done")),
                "event loop": type(asyncio.new_event_loop()).__name__,
            }
        """,
        post(b"x"),
        post(b"y"),
    ),
    case(
        "context variables",
        """
        import contextvars, decimal
        import numpy as np

        decimal.getcontext().prec = 5
        count = contextvars.ContextVar("count", default=0)

        def init():
            np.seterr(divide="raise")
            count.set(10)

        def run(data):
            count.set(count.get() + 1)
            try:
                divided = float(np.float64(1) / 0)
            except FloatingPointError as error:
                divided = str(error)
            return {"count": count.get(), "precise": str(decimal.Decimal(1) / 3), "divided": divided}
        """,
        *(post(f"{i}", name=f"call {i}") for i in range(3)),
    ),
    case(
        "an alarm of the script's own",
        """
        import signal, time

        class Late(Exception):
            pass

        def late(*_):
            raise Late

        def run(data):
            signal.signal(signal.SIGALRM, late)
            signal.setitimer(signal.ITIMER_REAL, 0.1)
            try:
                time.sleep(20)
            except Late:
                return "late"
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
        """,
        post(b"x"),
        post(b"y"),
    ),
    case(
        "threads and processes of the script's own",
        """
        import concurrent.futures, multiprocessing, queue, subprocess, sys, threading

        def work(q):
            while True:
                done, value = q.get()
                done.put(value * 2)

        def square(x):
            return x * x

        def init():
            global q, pool
            q = queue.Queue()
            threading.Thread(target=work, args=(q,), daemon=True).start()
            pool = concurrent.futures.ThreadPoolExecutor(2)

        def run(data):
            done = queue.Queue()
            q.put((done, data))
            child = multiprocessing.get_context("fork").Process(target=print, args=("child",))
            child.start()
            child.join()
            return {
                "thread": done.get(timeout=20),
                "pool": list(pool.map(square, [1, 2])),
                "subprocess": subprocess.run(["echo", "hi"], capture_output=True, text=True).stdout,
                "child": child.exitcode,
            }
        """,
        post(b"x"),
        post(b"y"),
    ),
    case(
        "print and logging",
        """
        import logging, sys, warnings

        def init():
            print("printed", "in", "init", sep="-", end="!", flush=True)
            logging.basicConfig(level=logging.DEBUG)

        def run(data):
            print("printed in run", data)
            print("to stderr", file=sys.stderr)
            sys.stdout.write("written\\n")
            logging.getLogger("mine").info("logged")
            warnings.warn("careful")
            return print.__name__
        """,
        post(b"x"),
    ),
    case(
        "print into a buffer of the script's own",
        """
        import contextlib, io

        def run(data):
            with contextlib.redirect_stdout(io.StringIO()) as buffer:
                print("into the buffer")
            return buffer.getvalue()
        """,
        post(b"x"),
    ),
    case(
        "a script that configures all logging",
        """
        import logging, logging.config

        def init():
            logging.config.dictConfig({"version": 1, "disable_existing_loggers": True})
            logging.disable(logging.CRITICAL)

        def run(data): return data
        """,
        post(b"x"),
        post(b"\xff", "text/plain"),
    ),
    case(
        "the environment",
        """
        import os

        def run(data):
            names = ("AML_APP_ROOT", "AZUREML_MODEL_DIR", "AZUREML_SOURCE_DIRECTORY", "AZUREML_ENTRY_SCRIPT")
            names += ("SERVICE_NAME", "OWN")
            return {name: os.environ.get(name) for name in names}
        """,
        post(b"x"),
        settings={"AZUREML_MODEL_DIR": "{root}/azureml-models/m/1", "OWN": "x", "SERVICE_NAME": "mine"},
    ),
    case(
        "the environment: WORKER_COUNT",
        "import os\ndef run(data): return os.getenv('WORKER_COUNT')",
        post(b"x"),
    ),
    case(
        "the environment, mostly unset",
        "import os\ndef run(data): return [os.getenv(n, '-') for n in ('AZUREML_MODEL_DIR', 'SERVICE_NAME')]",
        post(b"x"),
    ),
    case(
        "an entry script that prints at import", "print('at import')\ndef run(data): return data", post(b"x")
    ),
    case(
        "init with a default argument",
        "def init(context=None):\n    global c\n    c = context\ndef run(data): return c is None",
        post(b"x"),
    ),
    case(
        "a script that changes the working directory",
        "import os\ndef init(): os.chdir('src')\n"
        "def run(data): return sorted(set(os.listdir('.')) - {'__pycache__'})",
        post(b"x"),
    ),
    case(
        "floats and locale",
        "import locale\ndef run(d): return [locale.localeconv()['decimal_point'], 0.1 + 0.2, 1e16, -0.0]",
        post(b"x"),
    ),
)
