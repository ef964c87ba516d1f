"""ecgwas: raw ECGs and genotypes in, fine-mapped loci and a report out. One study file, one run."""

from pathlib import Path

from snakemake.utils import min_version

min_version("9.0")


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/inputs.smk"
include: "workflow/rules/run.smk"


workdir: f"{workflow.basedir}/results/{STUDY.study}"


wildcard_constraints:
    cohort="|".join(COHORTS),
    model="|".join(MODELS),
    shard=r"\d{3}",
    part=r"\d{3}",


include: "workflow/rules/simulate.smk"
include: "workflow/rules/people.smk"
include: "workflow/rules/ingest.smk"
include: "workflow/rules/pretrain.smk"
include: "workflow/rules/embed.smk"
include: "workflow/rules/genotypes.smk"
include: "workflow/rules/phenotypes.smk"
include: "workflow/rules/gwas.smk"
include: "workflow/rules/finemap.smk"
include: "workflow/rules/predict.smk"
include: "workflow/rules/judge.smk"
include: "workflow/rules/interpret.smk"
include: "workflow/rules/report.smk"


localrules:
    all,


rule all:
    default_target: True
    input:
        "report/index.html",
        to_hand_on,
