"""data/README.md tells the counts that the data have."""

import pandas as pd
import pytest
from conftest import PROJECT

from evalkit.facts import claims
from evalkit.readers import read_study

LOG = (PROJECT / "data" / "README.md").read_text(encoding="utf-8")
OTHER = "programme, regions, plan"


def counts():
    """Claims, sources and conflicts of the pilot, by municipality, as the log's rows."""
    study = read_study(PROJECT / "data" / "raw" / "pilot")
    every = claims(study.tables)
    names = study.tables["municipalities"].set_index("slug")["name"].to_dict()
    owner = every["subject"].map(
        lambda subject: next(
            (n for slug, n in names.items() if subject == slug or subject.startswith(slug + "-")),
            OTHER,
        )
    )
    groups = {name: every[owner == name] for name in sorted(set(owner) - {OTHER})}
    for name, own in {**groups, OTHER: every[owner == OTHER], "**all**": every}.items():
        disputed = own.loc[own["conflict"], "key"].nunique()
        yield f"| {name} | {len(own)} | {own['source'].nunique()} | {disputed} |"


def test_the_log_has_the_counts_of_claims_sources_and_conflicts():
    for row in counts():
        assert row in LOG


@pytest.mark.parametrize("path", sorted((PROJECT / "data" / "raw").glob("*/study.toml")))
def test_every_study_is_in_the_log_and_sound(path):
    if path.parent.name != "demo":
        assert f"`{path.parent.name}`" in LOG
    read_study(path.parent)


@pytest.mark.parametrize("study", ["selbu", "ovre-eiker", "kristiansund", "pilot"])
def test_the_municipalities_bore_their_codes_in_the_years_of_the_study(study, shared_data):
    """Statistics Norway's classification of municipalities (Klass 131), as downloaded there."""
    klass = pd.read_csv(shared_data / "geo" / "klass131_municipality_codes.csv", dtype=str)
    read = read_study(PROJECT / "data" / "raw" / study)
    years = range(read.settings.period[0] + 1, read.settings.period[1] + 1)
    used = read.tables["municipalities"].set_index("municipality_code")["name"]

    for code in read.settings.municipality_codes:
        own = klass.loc[klass["code"] == code]
        for year in years:
            day = f"{year}-01-01"
            valid = own[(own["validFrom"] <= day) & ~(own["validTo"] <= day)]
            assert used[code] in valid["label"].str.split(" - ").explode().tolist(), (code, year)
