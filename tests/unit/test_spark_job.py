"""A job on Spark is started once for one piece of work, followed to its end, and believed only if silver moved."""

import threading

import pytest

from connectors.cdc.merge import merge_table
from connectors.cdc.spark_job import run_on_spark, tables_for_spark
from connectors.emr import service
from connectors.emr.service import JobService
from connectors.errors import ConfigurationError, ServiceUnavailable, TerminalError
from connectors.lake.checked import Checked, record_checked
from connectors.lake.engines.local import LocalRunner
from connectors.settings import SparkSettings
from deployments.spark.merge_job import work_on_tables
from tests.emr import SPARK, emr_serverless, options_of
from tests.events import event
from tests.lake import as_recorded
from tests.silver_lake import KEYED, KEYLESS, row
from tests.unit.test_rebuild import TABLE, Source


@pytest.fixture(autouse=True)
def impatient(monkeypatch, tmp_path):
    monkeypatch.setenv("LAKEHOUSE_HOME", str(tmp_path))
    monkeypatch.setattr(service, "_LOOK_SECONDS", 0.01)


@pytest.fixture
def source(tmp_path):
    source = Source(str(tmp_path / "lake"), KEYED)
    source.receive(event("c", row(1, "a", "x"), lsn=10, prev=5), event("c", row(2, "b", "y"), lsn=20, prev=15))
    record_checked(source.layout, Checked(1))
    return source


@pytest.fixture
def emr(source):
    def work(job):
        words = job["jobDriver"]["sparkSubmit"]["entryPointArguments"]
        tables, rebuild = [w for w in words if w != "--rebuild"], "--rebuild" in words
        work_on_tables(source.settings, tables, LocalRunner(), rebuild=rebuild)

    with emr_serverless(work) as emr:
        source.settings = source.settings.model_copy(update={"spark": SPARK, "aws": emr.aws()})
        yield emr


def test_job_merges_what_is_pending(source, emr):
    said = []
    report = run_on_spark(source.settings, [TABLE], say=said.append)
    assert source.rows() == [(1, "a", "x"), (2, "b", "y")]
    assert (report.tables, report.job.state, report.job.seconds) == ((TABLE,), "SUCCESS", 60)
    assert report.job.dollars == pytest.approx(0.1515, abs=1e-4)
    assert report.logs == "s3://logs/applications/00app1/jobs/job0/SPARK_DRIVER/"
    assert said[-1] == "job job0 is SUCCESS"


def test_job_is_told_where_its_lake_code_and_logs_are(source, emr):
    run_on_spark(source.settings, [TABLE])
    [job] = emr.jobs.values()
    options = options_of(job)
    assert job["executionRoleArn"] == SPARK.role_arn
    assert job["jobDriver"]["sparkSubmit"]["entryPoint"] == "s3://code/spark/merge_job.py"
    assert options["spark.archives"] == "s3://code/spark/environment.tar.gz#environment"
    assert options["spark.emr-serverless.driverEnv.LAKEHOUSE_LAKE__ROOT"] == source.settings.lake.root
    assert options["spark.executorEnv.PYSPARK_PYTHON"] == "python3.11"
    assert (
        job["configurationOverrides"]["monitoringConfiguration"]["s3MonitoringConfiguration"]["logUri"] == "s3://logs"
    )


def test_job_rebuilds(source, emr):
    run_on_spark(source.settings, [TABLE])
    source.corrupt()
    run_on_spark(source.settings, [TABLE], rebuild=True)
    assert source.rows() == [(1, "a", "x"), (2, "b", "y")]


def test_failed_job_says_why_and_where_its_log_is(source, emr):
    emr.work = lambda _: "out of memory"
    with pytest.raises(TerminalError, match="job job0 is FAILED: out of memory") as failed:
        run_on_spark(source.settings, [TABLE])
    assert "s3://logs/applications/00app1/jobs/job0" in failed.value.hint


def test_job_that_did_nothing_is_not_believed(source, emr):
    emr.work = lambda _: None
    with pytest.raises(TerminalError, match=r"ended well, and yet public\.t is where it was"):
        run_on_spark(source.settings, [TABLE])
    with pytest.raises(TerminalError, match=r"ended well, and yet public\.t is where it was"):
        run_on_spark(source.settings, [TABLE], rebuild=True)


def test_job_after_a_failed_one_is_another(source, emr):
    work, emr.work = emr.work, lambda _: "no capacity"
    with pytest.raises(TerminalError):
        run_on_spark(source.settings, [TABLE])
    emr.work = work
    assert run_on_spark(source.settings, [TABLE]).job.id == "job1"


def test_who_asks_meanwhile_waits_for_the_same_job(source, emr):
    goes_on = threading.Event()
    emr.work = lambda _: goes_on.wait(30) and None
    jobs = JobService(source.settings.aws, SPARK)
    try:
        assert [jobs.start("merge a", ["a"], {}) for _ in range(2)] == ["job0", "job0"]
        assert jobs.start("merge b", ["b"], {}) == "job1"
    finally:
        goes_on.set()


def test_of_two_that_start_at_once_both_get_one_job(source, emr, monkeypatch):
    emr.work = lambda _: None
    monkeypatch.setattr(JobService, "_runs", lambda *_: [])
    assert [JobService(source.settings.aws, SPARK).start("merge a", [], {}) for _ in range(2)] == ["job0", "job0"]


def test_end_of_the_one_who_waits_ends_the_job(source, emr):
    goes_on = threading.Event()
    emr.work = lambda _: goes_on.wait(30) and None

    def interrupt(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_on_spark(source.settings, [TABLE], say=interrupt)
    assert emr.jobs["job0"]["state"] == "CANCELLED"
    goes_on.set()


def test_error_of_the_one_who_waits_leaves_the_job_for_a_retry(source, emr):
    goes_on, work = threading.Event(), emr.work
    emr.work = lambda job: goes_on.wait(30) and work(job)

    def fail(_):
        raise ServiceUnavailable("the network is away")

    with pytest.raises(ServiceUnavailable):
        run_on_spark(source.settings, [TABLE], say=fail)
    goes_on.set()
    assert run_on_spark(source.settings, [TABLE]).job.id == "job0"
    assert source.rows() == [(1, "a", "x"), (2, "b", "y")]


def test_what_is_not_set_is_named(source):
    with pytest.raises(ConfigurationError, match="LAKEHOUSE_SPARK__APPLICATION_ID, LAKEHOUSE_SPARK__CODE: not set"):
        run_on_spark(source.settings.model_copy(update={"spark": SparkSettings(role_arn="r")}), [TABLE])


def test_value_that_would_be_cut_is_refused(source, emr):
    with pytest.raises(ConfigurationError, match=r"LAKEHOUSE_LAKE__ROOT: EMR Serverless takes no value with a space"):
        JobService(source.settings.aws, SPARK).start("n", [], {"LAKEHOUSE_LAKE__ROOT": "s3://a/my lake"})


def test_tables_are_chosen_by_name_or_size(source):
    def chosen(**spark):
        settings = source.settings.model_copy(
            update={"spark": SparkSettings(**spark), "cdc": source.settings.cdc.model_copy(update={"merge_seconds": 0})}
        )
        return tables_for_spark(settings)

    assert chosen() == []
    assert chosen(tables=("public.*",)) == chosen(above_rows=1) == [TABLE]
    assert chosen(tables=("public.*", "!public.t")) == chosen(above_rows=2) == []
    record_checked(source.layout, Checked(1, frozenset([TABLE])))
    assert chosen(above_rows=1) == []


def test_tables_that_are_named_need_no_reason_but_a_key(source, tmp_path):
    assert tables_for_spark(source.settings, ["public.*"]) == [TABLE]
    merge_table(source.settings, TABLE, checked=as_recorded(source.settings))
    assert tables_for_spark(source.settings, ["public.*"]) == []
    assert tables_for_spark(source.settings, ["public.*"], rebuild=True) == [TABLE]
    with pytest.raises(ConfigurationError, match=r"public\.t: without a primary key, or paused"):
        tables_for_spark(Source(str(tmp_path / "other"), KEYLESS).settings, ["public.t"])


def test_paused_table_is_nothing_for_the_job_also_where_it_is_named(source):
    record_checked(source.layout, Checked(1, frozenset([TABLE])))
    with pytest.raises(ConfigurationError, match=r"public\.t: without a primary key, or paused"):
        tables_for_spark(source.settings, ["public.t"])


def test_rebuild_of_nothing_in_particular_is_refused(source):
    with pytest.raises(ConfigurationError, match="no table is named that is to be rebuilt"):
        tables_for_spark(source.settings, rebuild=True)


def test_interrupt_stays_one_where_the_job_can_not_be_cancelled(source, emr, monkeypatch):
    goes_on = threading.Event()
    emr.work = lambda _: goes_on.wait(30) and None

    def interrupt(_):
        raise KeyboardInterrupt

    def away(*_):
        raise ServiceUnavailable("AWS is away")

    monkeypatch.setattr(JobService, "cancel", away)
    with pytest.raises(KeyboardInterrupt):
        run_on_spark(source.settings, [TABLE], say=interrupt)
    goes_on.set()
