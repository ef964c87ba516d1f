"""Hail on a Spark cluster, a real master and two workers on loopback: the numbers of Hail in one process."""

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.conftest import run_study
from tests.reference.cohorts import QUICK_JAVA
from tests.unit.genotypes.conftest import family_calls, write_plink  # noqa: F401 (a fixture)
from tests.unit.gwas.test_scan import INPUTS, files, run_scan, study  # noqa: F401 (a fixture)

from ecgwas.config import Genotypes, GenotypeSource, Gwas
from ecgwas.genotypes import qc_main
from ecgwas.gwas import crosscheck
from ecgwas.hail_session import find_java

pytestmark = [pytest.mark.hail, pytest.mark.spark]
TABLES = ("samples", "variants", "excluded", "pcs", "kinship")
WORKERS = 2
UP_S = 60


@dataclass(frozen=True)
class Cluster:
    """A running standalone cluster: its master's address, and the folder of each worker."""

    master: str
    workers: list[Path]

    def executors(self) -> list[Path]:
        """Folders of the executors each application had, of all workers."""
        return [path for worker in self.workers for path in worker.glob("app-*/*")]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as stream:
        return stream.getsockname()[1]


def daemon(name: str, log: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """One daemon of Spark: `spark-class` becomes its Java process, so that the process id is the daemon's."""
    import pyspark

    home = Path(pyspark.__file__).parent
    own = {"SPARK_HOME": str(home), "JAVA_HOME": str(find_java()), "SPARK_LOCAL_IP": "127.0.0.1"}
    own |= {"SPARK_DAEMON_MEMORY": "256m", "JAVA_TOOL_OPTIONS": QUICK_JAVA}
    command = [str(home / "bin" / "spark-class"), f"org.apache.spark.deploy.{name}", "--host", "127.0.0.1"]
    with log.open("wb") as stream:
        return subprocess.Popen(
            [*command, "--webui-port", "0", *arguments], env=os.environ | own, stdout=stream, stderr=subprocess.STDOUT
        )


def wait_for(log: Path, words: str, times: int, daemons: list[subprocess.Popen[bytes]]) -> None:
    """Until `words` stand `times` times in `log`."""
    until = time.monotonic() + UP_S
    while log.read_text().count(words) < times:
        assert time.monotonic() < until, log.read_text()[-3000:]
        assert all(process.poll() is None for process in daemons), log.read_text()[-3000:]
        time.sleep(0.1)


@contextlib.contextmanager
def running_cluster(folder: Path) -> Iterator[Cluster]:
    """A master and two workers of one core and 1 GB each; ended by their own process ids."""
    master, daemons = f"spark://127.0.0.1:{free_port()}", []
    workers = [folder / f"worker-{number}" for number in range(WORKERS)]
    try:
        log = folder / "master.log"
        daemons.append(daemon("master.Master", log, "--port", master.rpartition(":")[2]))
        wait_for(log, "I have been elected leader", 1, daemons)
        for worker in workers:
            worker.mkdir()
            options = ["--cores", "1", "--memory", "1g", "--work-dir", str(worker), master]
            daemons.append(daemon("worker.Worker", folder / f"{worker.name}.log", *options))
        wait_for(log, "Registering worker", WORKERS, daemons)
        yield Cluster(master, workers)
    finally:
        for process in reversed(daemons):
            process.terminate()
        for process in daemons:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=20)
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> Iterator[Cluster]:
    """A standalone Spark cluster of two workers on loopback."""
    with pytest.MonkeyPatch.context() as patch, running_cluster(tmp_path_factory.mktemp("spark")) as running:
        patch.setenv("JAVA_TOOL_OPTIONS", QUICK_JAVA)
        yield running


@pytest.fixture
def cohort(tmp_path, family_calls):  # noqa: F811
    """Arguments of the genotypes stage for 120 people, relatives among them, and 880 variants."""
    calls = family_calls[:880]
    contig, position = np.divmod(np.arange(len(calls)), 40)
    ids = [f"g{i}" for i in range(calls.shape[1])]
    bed = write_plink(
        tmp_path / "a", calls, [str(c + 1) for c in contig], (14_000_000 + 100_000 * position).tolist(), ids
    )
    people = pl.DataFrame({"person_id": ids, "sex": ["male", "female"] * (len(ids) // 2)})
    people.write_csv(tmp_path / "people.csv")
    people.with_row_index("recording_id").write_csv(tmp_path / "ecg.csv")
    source = GenotypeSource(format="plink", paths=[bed], build="GRCh37")
    return source, tmp_path / "people.csv", tmp_path / "ecg.csv", Genotypes(pcs=4)


def quality_control(folder: Path, cohort, master: str) -> dict[str, bytes]:
    """The stage's tables, as they lie on disk."""
    paths = {name: folder / f"{name}.parquet" for name in TABLES}
    paths |= {"converted": folder / "converted", "manifest": folder / "manifest.json", "pruned": folder / "pruned.mt"}
    qc_main.main(*cohort, **paths, memory_mb=1200, master=master)
    assert (paths["pruned"] / "_SUCCESS").is_file()
    return {name: paths[name].read_bytes() for name in TABLES}


def test_quality_control_on_the_cluster_writes_the_same_bytes(cluster, cohort, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    there = quality_control(tmp_path / "there", cohort, cluster.master)
    assert {path.parents[1] for path in cluster.executors()} == set(cluster.workers)
    assert not list(tmp_path.glob("ecgwas-hail-*"))
    here = quality_control(tmp_path / "here", cohort, "local")
    assert [name for name in TABLES if here[name] != there[name]] == []
    assert pl.read_parquet(tmp_path / "there/kinship.parquet").height == 3


def test_leads_are_tested_again_on_the_cluster(cluster, study, monkeypatch):  # noqa: F811
    monkeypatch.chdir(study)
    before, settings = len(cluster.executors()), Gwas(dtype="float64")
    part, out = run_scan(study, settings), study / "crosscheck.parquet"
    lead = pl.read_parquet(part).filter(pl.col("rsid") == "rs40")
    loci = lead.select("contig", lead_position="position", lead_ref="ref", lead_alt="alt")
    loci.write_parquet(study / "loci.parquet")
    given = [study / "loci.parquet", [part], study / "per-trait.parquet", *files(study, *INPUTS), settings, out]
    crosscheck.main(*given, memory_mb=1200, master=cluster.master)
    assert len(cluster.executors()) > before
    found = pl.read_parquet(out)
    assert found["rsid"].to_list() == ["rs40"]
    assert found.select(pl.max_horizontal("beta_difference", "se_difference")).item() < 1e-6


def test_one_key_of_the_study_sends_hail_to_the_cluster():
    key = ["study=spark-dry", 'hail={master: "spark://host:7077"}']
    told = run_study("config/tiny.yaml", "--profile", "spark", "--config", *key, "--dry-run", "--printshellcmds").stdout
    for step in ("genotypes qc", "gwas crosscheck"):
        assert f"ecgwas {step} --master spark://host:7077 " in told
