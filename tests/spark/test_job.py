"""The job as EMR Serverless starts it: the packed environment, a Python that has nothing else, processes of Spark.

The stand-in unpacks the archive where the driver starts, as EMR does; the executors' copy is Spark's own doing.
"""

import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pyspark
import pytest
from deltalake import DeltaTable

from connectors.cdc.merge import merge_table, open_silver
from connectors.cdc.spark_job import run_on_spark
from connectors.lake.checked import Checked, record_checked
from deployments.spark import merge_job
from deployments.spark.package import pack
from tests.emr import SPARK, emr_serverless, options_of
from tests.events import event
from tests.lake import as_recorded
from tests.silver_lake import KEYED, row
from tests.spark.run import UV
from tests.unit.test_rebuild import TABLE, Source

JOB_SECONDS = 120
CLEAN_PYTHON = str(Path(sys.base_prefix) / "bin" / "python3.11")
HOME = Path(pyspark.__file__).parent
LOCAL = {"spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1", "spark.ui.enabled": "false"}
OF_EMR = "spark.emr-serverless.driverEnv."


def conf(options):
    return [word for name, value in options.items() for word in ("--conf", f"{name}={value}")]


@pytest.fixture(scope="module")
def code(tmp_path_factory):
    """What `make spark-job` makes."""
    folder = tmp_path_factory.mktemp("code")
    pack(folder, uv=str(UV))
    return folder


@pytest.fixture
def emr(code, tmp_path):
    def work(job):
        driver = tmp_path / job["id"]
        with tarfile.open(code / "environment.tar.gz") as archive:
            archive.extractall(driver / "environment", filter="data")
        options = {name: value.replace(SPARK.code, str(code)) for name, value in options_of(job).items()}
        given = {name.removeprefix(OF_EMR): options.pop(name) for name in list(options) if name.startswith(OF_EMR)}
        submit = job["jobDriver"]["sparkSubmit"]
        command = [HOME / "bin" / "spark-submit", "--master", "local-cluster[1,2,1024]", *conf(options | LOCAL)]
        command += [submit["entryPoint"].replace(SPARK.code, str(code)), *submit["entryPointArguments"]]
        kept = {name: os.environ[name] for name in ("PATH", "JAVA_HOME") if name in os.environ}
        ended = subprocess.run(
            command,
            cwd=driver,
            env=kept | given | {"SPARK_HOME": str(HOME), "SPARK_LOCAL_IP": "127.0.0.1"},
            capture_output=True,
            text=True,
            check=False,
            timeout=JOB_SECONDS,
        )
        (driver / "stderr").write_text(ended.stderr)
        return ended.stderr[-2_000:] if ended.returncode else None

    with emr_serverless(work) as emr:
        yield emr


@pytest.fixture
def source(emr, tmp_path, monkeypatch):
    monkeypatch.setenv("LAKEHOUSE_HOME", str(tmp_path))
    source = Source(str(tmp_path / "lake"), KEYED)
    spark = SPARK.model_copy(update={"python": CLEAN_PYTHON})
    source.settings = source.settings.model_copy(update={"spark": spark, "aws": emr.aws()})
    source.receive(*(event("c", row(n, f"name {n}", "x"), lsn=10 + n, prev=5) for n in range(1_000)))
    record_checked(source.layout, Checked(1))
    return source


def test_packed_job_rebuilds(source):
    merge_table(source.settings, TABLE, checked=as_recorded(source.settings))
    expected = source.rows()
    source.corrupt()
    run_on_spark(source.settings, [TABLE], rebuild=True)
    assert source.rows() == expected != []


def test_killed_job_is_run_again(source):
    source.receive((b'{"id":7}', b"{broken", [("lakehouse.epoch", b"1")]))
    record_checked(source.layout, Checked(2))

    def spark_submit(**given):
        lake = {"LAKEHOUSE_LAKE__ROOT": source.settings.lake.root, "LAKEHOUSE_CDC__SOURCE": "s"}
        command = [HOME / "bin" / "spark-submit", "--master", "local[2]", *conf(LOCAL), merge_job.__file__, "public.t"]
        return subprocess.run(
            command, env=os.environ | lake | given, capture_output=True, check=False, timeout=JOB_SECONDS
        ).returncode

    # Its rows are written by now, and not committed.
    assert spark_submit(LAKEHOUSE_FAILPOINT="quarantined") != 0
    assert open_silver(source.settings, TABLE).count() == 0
    assert spark_submit() == 0
    assert source.rows() == [(n, f"name {n}", "x") for n in range(1_000)]
    assert DeltaTable(source.layout.quarantine).count() == 1
