"""A stand-in for EMR Serverless: its REST interface, with functions as jobs. Of EMR's own Spark it says nothing."""

import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from connectors.settings import AwsSettings, SparkSettings
from deployments.stack.ports import pick_ports

APPLICATION = "00app1"
SPARK = SparkSettings(
    application_id=APPLICATION,
    role_arn="arn:aws:iam::000000000000:role/spark-job",
    code="s3://code/spark",
    log_uri="s3://logs",
)


class StandIn:
    """The jobs of one application.

    Args:
        work: Does what a job does, and returns why it failed, or None; called with the job.
    """

    def __init__(self, work):
        self.work, self.jobs, self.tokens, self.lock = work, {}, {}, threading.Lock()
        self.address = ""

    def aws(self):
        return AwsSettings(
            endpoint_url=self.address, region="us-east-1", access_key_id="test", secret_access_key="testtest"
        )

    def start(self, request):
        with self.lock:
            if request["clientToken"] in self.tokens:
                return self.tokens[request["clientToken"]]
            job = f"job{len(self.jobs)}"
            self.tokens[request["clientToken"]] = job
            now = time.time()
            self.jobs[job] = request | {"id": job, "jobRunId": job, "createdAt": now, "state": "SUBMITTED"}
        threading.Thread(target=self._run, args=[job], daemon=True).start()
        return job

    def _run(self, job):
        found = self.jobs[job]
        found["state"] = "RUNNING"
        try:
            why = self.work(found)
        except Exception as error:  # noqa: BLE001 - as a job fails, whatever it fails of
            why = str(error)
        if found["state"] == "RUNNING":
            found |= {"totalExecutionDurationSeconds": 60, "stateDetails": why or ""}
            found["billedResourceUtilization"] = {"vCPUHour": 2.0, "memoryGBHour": 8.0, "storageGBHour": 0.0}
            found["state"] = "FAILED" if why else "SUCCESS"

    def answer(self, method, path, body):
        match method, path.strip("/").split("/")[2:]:
            case "POST", ["jobruns"]:
                return {"applicationId": APPLICATION, "jobRunId": self.start(body)}
            case "GET", ["jobruns"]:
                return {"jobRuns": list(self.jobs.values())}
            case "GET", ["jobruns", job]:
                return {"jobRun": self.jobs[job]}
            case "DELETE", ["jobruns", job]:
                self.jobs[job]["state"] = "CANCELLED"
                return {"applicationId": APPLICATION, "jobRunId": job}
            case "GET", ["jobruns", job, "dashboard"]:
                return {"url": f"https://pages.example/{job}"}


@contextmanager
def emr_serverless(work):
    """Serves the interface on 127.0.0.1."""
    stand_in = StandIn(work)

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def answer(self):
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else {}
            found = stand_in.answer(self.command, urlsplit(self.path).path, body)
            data = json.dumps(found).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    for method in ("GET", "POST", "DELETE"):
        setattr(Handler, f"do_{method}", Handler.answer)
    server = ThreadingHTTPServer(("127.0.0.1", pick_ports(["emr"])["emr"]), Handler)
    thread = threading.Thread(target=server.serve_forever, args=[0.01], daemon=True)
    thread.start()
    stand_in.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield stand_in
    finally:
        server.shutdown()
        server.server_close()


def options_of(job):
    """The `--conf` options that a job was started with."""
    words = job["jobDriver"]["sparkSubmit"]["sparkSubmitParameters"].split()
    return dict(word.split("=", 1) for word in words if word != "--conf")
