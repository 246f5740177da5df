"""A worker under test: folders of its own, the real launcher as a process, and a target on 127.0.0.1."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent
FAKE_JMETER = PACKAGE / "tests" / "fake_jmeter" / "bin" / "jmeter"

LOCUST = """\
from locust import HttpUser, constant, task


class Shopper(HttpUser):
    wait_time = constant(0.05)

    @task
    def home(self):
        self.client.get("/")
"""


def plan(sampler: str = "", extra: str = "", path: str = "/") -> str:
    """A small JMX; `extra` goes beside its sampler."""
    sampler = sampler or (
        '<HTTPSamplerProxy guiclass="HttpTestSampleGui" testclass="HTTPSamplerProxy" testname="home">'
        '<elementProp name="HTTPsampler.Arguments" elementType="Arguments"><collectionProp name="Arguments.arguments"/></elementProp>'
        '<stringProp name="HTTPSampler.domain">127.0.0.1</stringProp>'
        '<stringProp name="HTTPSampler.port">${__P(port)}</stringProp>'
        f'<stringProp name="HTTPSampler.path">{path}</stringProp><stringProp name="HTTPSampler.method">GET</stringProp>'
        '<boolProp name="HTTPSampler.use_keepalive">true</boolProp></HTTPSamplerProxy><hashTree/>'
    )
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<jmeterTestPlan version="1.2" properties="5.0" jmeter="5.6.3">
  <hashTree>
    <TestPlan guiclass="TestPlanGui" testclass="TestPlan" testname="plan"/>
    <hashTree>
      <ThreadGroup guiclass="ThreadGroupGui" testclass="ThreadGroup" testname="users">
        <intProp name="ThreadGroup.num_threads">1</intProp>
        <elementProp name="ThreadGroup.main_controller" elementType="LoopController"><intProp name="LoopController.loops">-1</intProp></elementProp>
      </ThreadGroup>
      <hashTree>
        {extra}
        {sampler}
      </hashTree>
    </hashTree>
  </hashTree>
</jmeterTestPlan>
"""


class Target:
    """Answers `/` at once, `/slow` after `delay` seconds, `/status/404` with that code; counts requests."""

    def __init__(self, delay: float = 15.0) -> None:
        self.paths: list[str] = []
        released = self._released = threading.Event()
        paths = self.paths

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Header and body go out in one piece; else each answer would wait 40 ms for a delayed acknowledgement.
            wbufsize = -1
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                paths.append(self.path)
                if self.path.startswith("/slow"):
                    released.wait(delay)
                self.send_response(int(self.path.split("/")[2]) if self.path.startswith("/status/") else 200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                pass  # a stopped engine cuts its connections

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._released.set()
        self.server.shutdown()
        self.server.server_close()


class WorkerTest(unittest.TestCase):
    """Plays the collector."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="volley-worker-")
        self.addCleanup(folder.cleanup)
        self.control, self.work = Path(folder.name, "control"), Path(folder.name, "work")
        (self.control / "workspace").mkdir(parents=True)
        self.work.mkdir()
        self.target = Target()
        self.addCleanup(self.target.close)
        self.process: subprocess.Popen[bytes] | None = None
        self.console = Path(folder.name, "console")

    def write(self, name: str, document: dict) -> None:
        temporary = self.control / f".{name}"
        temporary.write_text(json.dumps({"version": 1, **document}))
        temporary.rename(self.control / name)

    def workspace(self, **files: str) -> None:
        """File names with `__` for the dot."""
        for name, content in files.items():
            (self.control / "workspace" / name.replace("__", ".")).write_text(content)

    def lay(self, engine: str, script: str, content: str, hold: str = "4s", users: int = 2, **execution: object) -> None:
        """One execution of one script, as the collector writes it, and `launch.json`."""
        (self.control / "workspace" / script).write_text(content)
        configuration = {
            "execution": [{"executor": engine, "concurrency": users, "hold-for": hold, "scenario": "main", **execution}],
            "scenarios": {"main": {"script": script, "default-address": self.target.url, "properties": {"port": self.target.port}}},
        }
        self.launch(configuration, [{"engine": engine, "file": f"workspace/{script}"}])

    def launch(self, configuration: dict, scripts: list) -> None:
        self.workspace(volley__yml=json.dumps(configuration))
        # As in a pod: the main container cannot write here. (Root can; then Taurus' own copy is what keeps this from mattering.)
        document = {"configurations": ["workspace/volley.yml"], "scripts": scripts, "uploadTimeoutSeconds": 20}
        self.write("launch.json", document)

    def start_launcher(self, limits: str = "", **environment: str) -> None:
        code = f"import sys; from volley_worker.launcher import Limits, main; sys.exit(main(Limits({limits})))"
        with self.console.open("wb") as console:
            self.process = subprocess.Popen(
                [sys.executable, "-c", code],
                env={
                    **os.environ,
                    "PYTHONPATH": str(PACKAGE),
                    "VOLLEY_CONTROL_DIR": str(self.control),
                    "VOLLEY_WORK_DIR": str(self.work),
                    **environment,
                },
                stdout=console,
                stderr=subprocess.STDOUT,
            )
        self.addCleanup(self._end)

    def _end(self) -> None:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def status(self, name: str) -> dict:
        return json.loads((self.work / "status" / name).read_text())

    def until(self, what: str, condition: Callable[[], bool], seconds: float) -> float:
        """Seconds that it took."""
        began = time.monotonic()
        while not condition():
            if time.monotonic() - began > seconds:
                self.fail(f"not within {seconds} s: {what}\n{self.said()}")
            time.sleep(0.02)
        return time.monotonic() - began

    def until_file(self, path: Path, seconds: float = 30.0) -> float:
        return self.until(f"{path.name}", path.exists, seconds)

    def until_prepared(self) -> float:
        failed = self.work / "status" / "failed.json"
        took = self.until("prepared", lambda: (self.work / "status" / "prepared.json").exists() or failed.exists(), 40)
        self.assertFalse(failed.exists(), failed.read_text() if failed.exists() else "")
        return took

    def open_gate(self) -> None:
        (self.control / "start").touch()

    def samples(self) -> int:
        """Complete rows in kpi.jtl, or requests in k6's kpi.csv."""
        rows, requests = self.work / "artifacts" / "kpi.jtl", self.work / "artifacts" / "kpi.csv"
        if requests.exists():
            return requests.read_bytes().count(b"\nhttp_reqs,")
        return max(0, rows.read_bytes().count(b"\n") - 1) if rows.exists() else 0

    def until_samples(self, count: int = 5, seconds: float = 30.0) -> float:
        return self.until(f"{count} samples", lambda: self.samples() >= count, seconds)

    def leave(self, seconds: float = 40.0) -> int:
        """Wait for the end, report the upload, and return the exit code."""
        self.until_file(self.work / "status" / "ended.json", seconds)
        (self.control / "uploaded").touch()
        return self.exit_code(15.0)

    def exit_code(self, seconds: float) -> int:
        assert self.process is not None
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.fail(f"the launcher did not exit within {seconds} s\n{self.said()}")

    def terminate(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)

    def said(self) -> str:
        return self.console.read_text(errors="replace")[-6000:]

    def left_behind(self) -> list[str]:
        """Command lines of processes that know this test's folder."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                try:
                    line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                except OSError:
                    continue
                if str(self.work) in line:
                    found.append(line)
        return found
