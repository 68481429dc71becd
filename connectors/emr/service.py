"""Jobs on EMR Serverless: the same work is started once, and found again by whoever asks for it meanwhile."""

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from tenacity import Retrying, retry_if_result, wait_exponential

from connectors.aws import aws_client, aws_errors
from connectors.emr.runs import ENDED, JobRun
from connectors.errors import ConfigurationError, LakehouseError
from connectors.settings import AwsSettings, SparkSettings

_SERVICE = "emr-serverless"
_LOOK_SECONDS = 10.0
_log = logging.getLogger(__name__)


class JobService:
    """The jobs of one EMR Serverless application.

    Args:
        aws: The account.
        spark: The application, the job's role, code and logs.

    Raises:
        ConfigurationError: One of them is not set, or AWS refuses.
    """

    def __init__(self, aws: AwsSettings, spark: SparkSettings) -> None:
        missing = [name for name in ("application_id", "role_arn", "code") if getattr(spark, name) is None]
        if missing:
            names = ", ".join(f"LAKEHOUSE_SPARK__{name.upper()}" for name in missing)
            raise ConfigurationError(f"{names}: not set", hint="docs/spark.md says how to set up the Spark job")
        self._spark = spark
        self._client = aws_client(aws, _SERVICE)

    def start(self, name: str, arguments: Sequence[str], environment: Mapping[str, str]) -> str:
        """Starts a job, unless one of this name runs; returns the id of the job that does the work.

        Args:
            name: What the job does; jobs of one name do the same.
            arguments: Arguments of the job's script.
            environment: Environment variables of driver and executors.

        Raises:
            ConfigurationError: AWS refuses.
            ServiceUnavailable: It did not answer.
        """
        with aws_errors(_SERVICE):
            earlier = self._runs(name)
            running = [run["id"] for run in earlier if run["state"] not in ENDED]
            if running:
                return str(running[-1])
            started = self._client.start_job_run(
                applicationId=self._spark.application_id,
                executionRoleArn=self._spark.role_arn,
                name=name,
                # Of two that start a job at once, both get the same one.
                clientToken=_token(name, *(run["id"] for run in earlier[-1:])),
                executionTimeoutMinutes=self._spark.timeout_minutes,
                jobDriver={
                    "sparkSubmit": {
                        "entryPoint": f"{self._spark.code}/merge_job.py",
                        "entryPointArguments": list(arguments),
                        "sparkSubmitParameters": _parameters(self._spark, environment),
                    }
                },
                **_monitoring(self._spark),
            )
        return str(started["jobRunId"])

    def look(self, job: str) -> JobRun:
        """Returns how a job is doing.

        Raises:
            ConfigurationError: AWS refuses, or there is no such job.
            ServiceUnavailable: It did not answer.
        """
        with aws_errors(_SERVICE):
            found = self._client.get_job_run(applicationId=self._spark.application_id, jobRunId=job)["jobRun"]
        billed = found.get("billedResourceUtilization", {})
        return JobRun(
            job,
            found.get("name", ""),
            found["state"],
            found.get("stateDetails", ""),
            float(found.get("totalExecutionDurationSeconds", 0)),
            float(billed.get("vCPUHour", 0)),
            float(billed.get("memoryGBHour", 0)),
        )

    def cancel(self, job: str) -> None:
        """Cancels a job that has not ended."""
        with aws_errors(_SERVICE):
            self._client.cancel_job_run(applicationId=self._spark.application_id, jobRunId=job)

    def dashboard(self, job: str) -> str:
        """Returns the address of the job's pages, with its logs; it is good for an hour."""
        with aws_errors(_SERVICE):
            found = self._client.get_dashboard_for_job_run(applicationId=self._spark.application_id, jobRunId=job)
        return str(found["url"])

    def logs(self, job: str) -> str | None:
        """Returns where the log of the job's driver stays."""
        if self._spark.log_uri is None:
            return None
        root = self._spark.log_uri.rstrip("/")
        return f"{root}/applications/{self._spark.application_id}/jobs/{job}/SPARK_DRIVER/"

    def _runs(self, name: str) -> list[dict[str, Any]]:
        """The runs of a name, oldest first, of the time in which one may still run."""
        after = datetime.now(UTC) - timedelta(minutes=self._spark.timeout_minutes, days=1)
        pages = self._client.get_paginator("list_job_runs").paginate(
            applicationId=self._spark.application_id, createdAtAfter=after
        )
        found = [run for page in pages for run in page["jobRuns"] if run.get("name") == name]
        return sorted(found, key=lambda run: run["createdAt"])


def follow(service: JobService, job: str, *, say: Callable[[JobRun], None]) -> JobRun:
    """Waits for the end of a job.

    Whoever stops waiting for good cancels it: an interrupt, the end of the process by a signal. After an error it goes
    on: a retry finds it.

    Args:
        service: Where it runs.
        job: Its id.
        say: Called with each new state.

    Raises:
        ServiceUnavailable: EMR did not answer.
    """
    states: list[str] = []

    def look() -> JobRun:
        run = service.look(job)
        if run.state not in states[-1:]:
            states.append(run.state)
            say(run)
        return run

    waiting = Retrying(retry=retry_if_result(lambda run: not run.ended), wait=wait_exponential(max=_LOOK_SECONDS))
    try:
        return waiting(look)
    except BaseException as error:
        if not isinstance(error, Exception):
            _cancel(service, job)
        raise


def _cancel(service: JobService, job: str) -> None:
    """Cancels a job for somebody who is ending: nothing may take the place of what ends them."""
    try:
        service.cancel(job)
    except LakehouseError as error:
        _log.warning("job %s goes on, as it could not be cancelled: %s", job, error)


def _token(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _parameters(spark: SparkSettings, environment: Mapping[str, str]) -> str:
    """Returns the options of spark-submit: EMR cuts them at spaces, so no value may have one."""
    everywhere = {"PYTHONPATH": "./environment", **environment}
    driver = {"PYSPARK_DRIVER_PYTHON": spark.python, "PYSPARK_PYTHON": spark.python, **everywhere}
    options = {
        "spark.archives": f"{spark.code}/environment.tar.gz#environment",
        **{f"spark.emr-serverless.driverEnv.{name}": value for name, value in driver.items()},
        **{
            f"spark.executorEnv.{name}": value for name, value in {"PYSPARK_PYTHON": spark.python, **everywhere}.items()
        },
    }
    if spaced := [name for name, value in options.items() if any(c.isspace() for c in value)]:
        raise ConfigurationError(
            f"{', '.join(spaced)}: EMR Serverless takes no value with a space", hint="use other names"
        )
    return " ".join(f"--conf {name}={value}" for name, value in options.items())


def _monitoring(spark: SparkSettings) -> dict[str, Any]:
    if spark.log_uri is None:
        return {}
    logs = {"s3MonitoringConfiguration": {"logUri": spark.log_uri}}
    return {"configurationOverrides": {"monitoringConfiguration": logs}}
