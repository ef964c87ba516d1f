"""A wrong configuration is refused before anything runs, with the key and what to write."""

import pytest
import yaml

from ecgwas import config, study
from ecgwas.errors import UserError


@pytest.fixture
def root(tmp_path):
    """A project folder with one complete cohort `real`, one simulated cohort `made` and one model `pca`."""
    for name in ("ecg", "geno"):
        (tmp_path / name).mkdir()
    for name in ("people.csv", "geno/g.bed"):
        (tmp_path / name).write_text("")
    write(
        tmp_path / "config/cohorts/real.yaml",
        cohort="real",
        ecg={"path": "ecg"},
        people="people.csv",
        genotypes={"paths": ["geno/g.bed"], "build": "GRCh37"},
    )
    write(tmp_path / "config/cohorts/made.yaml", cohort="made", simulate={"kind": "cohort", "genotype_format": "bgen"})
    write(tmp_path / "config/models/pca.yaml", kind="pca")
    write(tmp_path / "config/models/net.yaml", kind="transformer")
    return tmp_path


def write(path, **values):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(values))


def check(root, **changes):
    return study.check({"study": "s", "cohorts": ["real"], "models": ["pca", "intervals"], **changes}, root)


def test_relative_paths_start_at_the_project(root):
    checked = check(root)
    assert checked.cohorts["real"].people == root / "people.csv"
    assert checked.cohorts["real"].genotypes.paths == [root / "geno/g.bed"]
    assert checked.report_model == "pca"


def test_a_simulated_cohort_gets_the_paths_its_simulation_writes(root):
    made = check(root, cohorts=["made"]).cohorts["made"]
    assert str(made.genotypes.paths[0]) == "simulated/made/genotypes.bgen"
    assert str(made.genotypes.sample_file) == "simulated/made/genotypes.sample"
    assert str(made.people) == "simulated/made/people.csv"


def test_environment_variables_in_paths(root, monkeypatch):
    write(
        root / "config/cohorts/real.yaml",
        cohort="real",
        ecg={"path": "${NOWHERE_SET:-ecg}"},
        people="${HERE}/people.csv",
        genotypes={"paths": ["geno/g.bed"], "build": "GRCh37"},
    )
    monkeypatch.setenv("HERE", str(root))
    assert check(root).cohorts["real"].ecg.path == root / "ecg"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"gwas": {"locus_windw_bp": 1}}, ["gwas.locus_windw_bp", "did you mean 'locus_window_bp'"]),
        ({"modles": ["pca"]}, ["modles", "did you mean 'models'"]),
        ({"phenotypes": {"axes": 0}}, ["phenotypes.axes", "greater than or equal to 1", "got 0"]),
        ({"models": ["pac"]}, ["models", "'pac'", "did you mean 'pca'"]),
        ({"cohorts": ["rael"]}, ["cohorts", "'rael'", "did you mean 'real'"]),
        ({"cohorts": ["real", "real"]}, ["cohorts", "real", "more than once"]),
        ({"cohorts": []}, ["cohorts", "at least 1 item"]),
        ({"predict": {"label_shares": [0.0125]}}, ["predict.label_shares", "per milles"]),
        ({"predict": {"label_shares": [0.1, 0.1]}}, ["predict.label_shares", "each once"]),
        ({"predict": {"label_shares": [1.0]}}, ["predict.label_shares", "0.999"]),
        ({"pretrain": ["rael"]}, ["pretrain", "'rael'", "real"]),
        ({"pretrain": ["real", "real"]}, ["pretrain", "more than once"]),
        ({"report": {"model": "nano"}}, ["report.model", "'nano'", "pca"]),
    ],
)
def test_a_wrong_study_is_refused(root, changes, words):
    with pytest.raises(UserError) as error:
        check(root, **changes)
    assert all(word in str(error.value) for word in words), str(error.value)


def test_a_missing_file_is_named_with_its_key(root):
    (root / "geno/g.bed").unlink()
    with pytest.raises(UserError, match=r"real\.yaml: genotypes\.paths: no such file: .*g\.bed"):
        check(root)


def test_two_cohorts_of_one_name(root):
    write(root / "config/cohorts/copy.yaml", **yaml.safe_load((root / "config/cohorts/real.yaml").read_text()))
    with pytest.raises(UserError, match=r"copy\.yaml: cohort 'real' is also the cohort of .*real\.yaml"):
        check(root)


def test_a_cohort_without_genotypes(root):
    write(root / "config/cohorts/real.yaml", cohort="real", ecg={"path": "ecg"})
    assert check(root).cohorts["real"].genotypes is None
    write(root / "config/cohorts/real.yaml", cohort="real", people="people.csv")
    with pytest.raises(UserError, match=r"ecg required"):
        check(root)


def test_a_simulated_cohort_without_genotypes(root):
    write(root / "config/cohorts/made.yaml", cohort="made", simulate={"kind": "cohort", "genotype_format": "none"})
    cohort = check(root, cohorts=["made"]).cohorts["made"]
    assert (cohort.genotypes, cohort.id_bridge) == (None, None)
    assert str(cohort.labels.diagnoses) == "simulated/made/diagnoses.csv"


def test_every_file_behind_the_genotypes_is_an_input_and_a_fasta_needs_its_index(root):
    names = ["g.bed", "g.bim", "g.fam", "hg.fa", "p.bed", "p.bim", "groups.csv"]
    for name in names:
        (root / "geno" / name).write_text("")
    more = {"fasta": "geno/hg.fa", "panel": {"paths": ["geno/p.bed"], "labels": "geno/groups.csv"}}
    path = root / "config/cohorts/real.yaml"
    values = yaml.safe_load(path.read_text())
    write(path, **values | {"genotypes": values["genotypes"] | more})
    with pytest.raises(UserError, match=r"genotypes\.fasta: no such index: .*hg\.fa\.fai; run samtools faidx"):
        check(root)
    (root / "geno/hg.fa.fai").write_text("")
    files = check(root).cohorts["real"].genotypes.files()
    assert sorted(file.name for file in files) == sorted([*names, "hg.fa.fai"])


@pytest.mark.parametrize(
    ("predict", "words"),
    [
        ({}, []),
        ({"model": "pca"}, ["predict.model", "'pca' is no transformer", "net"]),
        ({"train": "other"}, ["predict.train", "'other'", "real"]),
        ({"outcomes": {"af": {}}}, ["predict.outcomes.af", "either codes or column"]),
        ({"outcomes": {"af": {"column": "af", "kind": "incident"}}}, ["incident outcome needs dates"]),
        ({"outcomes": {"af": {"codes": ["I48*"]}}}, ["cohort real has no codes", "config/cohorts/real.yaml"]),
        ({"splits": {"train": [1], "validation": [2], "test": [2]}}, ["folds [2]", "more than one"]),
        ({"methods": ["probe"]}, ["interpret.methods: finetuned", "not among predict.methods"]),
    ],
)
def test_predictors_that_cannot_be_fitted(root, predict, words):
    def given():
        return check(root, models=["net", "pca"], predict={"outcomes": {"af": {"column": "af"}}} | predict)

    if not words:
        assert given().predict_model == "net"
        assert given().predict_train == "real"
        return
    with pytest.raises(UserError) as error:
        given()
    assert all(word in str(error.value) for word in words), str(error.value)


def test_outcomes_need_columns_named_by_every_cohort(root):
    with pytest.raises(UserError, match=r"write `outcomes: \[\.\.\.\]` in config/cohorts/real.yaml"):
        check(root, models=["outcomes"])
    path = root / "config/cohorts/real.yaml"
    write(path, **yaml.safe_load(path.read_text()), outcomes=["af"])
    checked = check(root, models=["outcomes", "pca"])
    assert checked.models["outcomes"].kind == "outcomes"
    assert checked.cohorts["real"].outcomes == ["af"]


def test_an_external_cohort_is_not_trained_on_unless_named(root):
    cohorts, predict = ["real", "made"], {"outcomes": {"af": {"column": "af"}}, "train": "real"}
    both = {"cohorts": cohorts, "models": ["net"]}
    assert check(root, **both).pretrained == cohorts
    assert check(root, **both, predict=predict).pretrained == ["real"]
    assert check(root, **both, predict=predict, pretrain=["made", "real"]).pretrained == ["made", "real"]


def test_former_names_of_the_validation_split_are_read_with_a_warning():
    with pytest.warns(FutureWarning, match=r"predict\.splits\.choose is now called validation"):
        splits = config.Splits(train=[1], choose=[2], test=[3])
    assert splits == config.Splits(train=[1], validation=[2], test=[3])
    with pytest.warns(FutureWarning, match="write validation_share"):
        assert config.Splits(choose_share=0.2).validation_share == 0.2
    with pytest.raises(ValueError, match="choose is the former name of validation"):
        config.Splits(train=[1], choose=[2], validation=[2], test=[3])
