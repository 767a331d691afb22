"""How fast the statistics are, side by side: plain pandas loops, a library's own routine, evalkit.

    OPENBLAS_NUM_THREADS=1 python benchmarks/bench_statistics.py
    python benchmarks/bench_statistics.py --subjects changes,bootstrap --respondents 20000
    python benchmarks/bench_statistics.py --subjects synthetic --donors 356 --no-predictors

All data are synthetic (syntetisk), generated here from a seed. A way that would take too long
is measured on a stated part of the work and scaled up; the table says which part. Printed are
medians over the rounds and ratios within a round, which other work on the machine disturbs
less than it does seconds. Before anything is timed, the ways are held to give the same numbers.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats
from scipy.optimize import minimize
from statsmodels.stats.proportion import confint_proportions_2indep

from evalkit.bootstrap import bootstrap_change
from evalkit.indicators import comparison_with_areas, comparison_with_peers, peer_group
from evalkit.survey import AGREES_FROM, share_change
from evalkit.synthetic_controls import synthetic_control, synthetic_control_weights

SEED = 2024
FIRST_CODE = 1001
YEARS_BEFORE = 14
YEARS_AFTER = 6
PREDICTORS = 5


@dataclass(frozen=True)
class Way:
    """One way to do the work: what it runs, and the share of the whole that it runs."""

    name: str
    run: Callable[[], object]
    share: float = 1.0
    part: str = "all of it"


# ---------------------------------------------------------------- (a) item changes


def survey_answers(respondents: int, items: int, municipalities: int) -> pd.DataFrame:
    """Answers of half the respondents before and all others after; a third answered twice."""
    draws = np.random.default_rng(SEED)
    waves = np.repeat([0, 1], [respondents // 2, respondents - respondents // 2])
    persons = np.arange(respondents)
    again = persons[waves == 1][: respondents // 6]
    persons[again] = again - respondents // 2
    home = (FIRST_CODE + draws.integers(0, municipalities, respondents)).astype(str)[persons]
    ease = draws.normal(size=respondents)[persons]
    score = 3 + ease[:, None] + 0.2 * waves[:, None] + draws.normal(size=(respondents, items))
    score = np.clip(np.round(score), 1, 5)
    score[draws.random(score.shape) < 0.04] = np.nan
    return pd.DataFrame(
        {
            "municipality_code": np.repeat(home, items),
            "wave": np.repeat(waves, items),
            "respondent_id": np.repeat([f"syntetisk-{n}" for n in persons], items),
            "item": np.tile([f"item-{n:02d}" for n in range(items)], respondents),
            "score": score.ravel(),
        }
    )


def changes_by_loop(answers: pd.DataFrame, codes: list[str]) -> pd.DataFrame:
    """A loop over municipality and item, with the interval of statsmodels."""
    rows = []
    for code in codes:
        for item in sorted(answers["item"].unique()):
            here = answers[(answers["municipality_code"] == code) & (answers["item"] == item)]
            before = here[here["wave"] == 0]["score"].dropna()
            after = here[here["wave"] == 1]["score"].dropna()
            agreed_before, agreed_after = (before >= AGREES_FROM).sum(), (after >= 4).sum()
            lower, upper = confint_proportions_2indep(
                agreed_after, len(after), agreed_before, len(before), method="newcomb"
            )
            value = agreed_after / len(after) - agreed_before / len(before)
            rows.append((code, item, value, lower, upper))
    return pd.DataFrame(rows, columns=["municipality_code", "item", "value", "lower", "upper"])


def changes_by_groupby(answers: pd.DataFrame) -> pd.DataFrame:
    """One groupby for the counts, then statsmodels row by row."""
    given = answers.dropna(subset="score").assign(agreed=lambda t: t["score"] >= AGREES_FROM)
    counts = given.groupby(["municipality_code", "item", "wave"])["agreed"].agg(["sum", "count"])
    wide = counts.unstack("wave")
    rows = []
    for k1, k2, n1, n2 in wide.itertuples(index=False):
        lower, upper = confint_proportions_2indep(k2, n2, k1, n1, method="newcomb")
        rows.append((k2 / n2 - k1 / n1, lower, upper))
    return pd.DataFrame(rows, columns=["value", "lower", "upper"], index=wide.index).reset_index()


def change_ways(answers: pd.DataFrame) -> list[Way]:
    codes = sorted(answers["municipality_code"].unique())

    def ours() -> pd.DataFrame:
        return share_change(answers, linkage="unlinked")

    columns = ["value", "lower", "upper"]
    held = ours().query("municipality_code == @codes[0]")[columns]
    same(held, changes_by_loop(answers, codes[:1])[columns])
    same(ours()[columns], changes_by_groupby(answers)[columns])
    return [
        Way(
            "pandas loop, statsmodels interval",
            lambda: changes_by_loop(answers, codes[:1]),
            1 / len(codes),
            f"1 of {len(codes)} municipalities",
        ),
        Way("pandas groupby, statsmodels interval", lambda: changes_by_groupby(answers)),
        Way("evalkit, unlinked", ours),
        Way(
            "evalkit, linked (pairs found)",
            lambda: share_change(answers, linkage="linked"),
        ),
        Way(
            "evalkit, partly linked (bounds)",
            lambda: share_change(answers, linkage="partly_linked"),
        ),
    ]


# ---------------------------------------------------------------- (b) bootstrap


def bootstrap_by_loop(answers: pd.DataFrame, replicates: int) -> list[pd.Series]:
    """Persons of a municipality drawn, their rows joined, all items grouped; again and again."""
    draws = np.random.default_rng(SEED)
    own = answers.dropna(subset="score").assign(agreed=lambda t: t["score"] >= AGREES_FROM)
    results = []
    for _ in range(replicates):
        parts = []
        for _, group in own.groupby("municipality_code"):
            persons = group["respondent_id"].unique()
            drawn = pd.DataFrame({"respondent_id": draws.choice(persons, len(persons))})
            parts.append(drawn.merge(group, on="respondent_id"))
        shares = pd.concat(parts).groupby(["municipality_code", "item", "wave"])["agreed"].mean()
        wide = shares.unstack("wave")
        results.append(wide[1] - wide[0])
    return results


def bootstrap_by_scipy(answers: pd.DataFrame, replicates: int, code: str, items: int) -> list:
    """``scipy.stats.bootstrap`` for each item of one municipality."""
    results = []
    for item in sorted(answers["item"].unique())[:items]:
        here = answers[(answers["municipality_code"] == code) & (answers["item"] == item)]
        here = here.dropna(subset="score")
        agreed = (here["score"] >= AGREES_FROM).to_numpy(dtype=float)
        is_after = (here["wave"] == 1).to_numpy()
        results.append(
            stats.bootstrap(
                (agreed[is_after], agreed[~is_after]),
                lambda x, y, axis: x.mean(axis=axis) - y.mean(axis=axis),
                n_resamples=replicates,
                method="percentile",
                rng=np.random.default_rng(SEED),
            )
        )
    return results


def bootstrap_ways(answers: pd.DataFrame, replicates: int) -> list[Way]:
    codes = sorted(answers["municipality_code"].unique())
    item_count = answers["item"].nunique()
    tried = min(4, item_count)

    def ours() -> pd.DataFrame:
        return bootstrap_change(answers, seed=SEED, replicate_count=replicates)

    held = ours().query("municipality_code == @codes[0]").head(tried)
    theirs = bootstrap_by_scipy(answers, replicates, codes[0], tried)
    limits = [result.confidence_interval for result in theirs]
    # The draws differ, and ours keeps the two answers of a person together.
    assert np.allclose(held["lower"], [limit.low for limit in limits], atol=0.03)
    assert np.allclose(held["upper"], [limit.high for limit in limits], atol=0.03)
    return [
        Way(
            "pandas loop over replicates",
            lambda: bootstrap_by_loop(answers, 2),
            2 / replicates,
            f"2 of {replicates} replicates",
        ),
        Way(
            "scipy.stats.bootstrap per item (persons not kept together)",
            lambda: bootstrap_by_scipy(answers, replicates, codes[0], tried),
            tried / (item_count * len(codes)),
            f"{tried} of {item_count * len(codes)} changes",
        ),
        Way("evalkit, whole persons drawn", ours),
    ]


# ---------------------------------------------------------------- (c) comparisons


def indicator_values(municipalities: int, indicators: int, years: int) -> pd.DataFrame:
    draws = np.random.default_rng(SEED)
    codes = (FIRST_CODE + np.arange(municipalities)).astype(str)
    rows = municipalities * indicators * years
    base = draws.integers(50, 5000, rows).astype(float)
    count = np.floor(base * draws.beta(4, 6, rows))
    return pd.DataFrame(
        {
            "municipality_code": np.repeat(codes, indicators * years),
            "indicator_id": np.tile(
                np.repeat([f"syntetisk-{n:03d}" for n in range(indicators)], years), municipalities
            ),
            "year": np.tile(np.arange(2000, 2000 + years), municipalities * indicators),
            "value": count / base,
            "numerator": count,
            "denominator": base,
        }
    )


def area_values(values: pd.DataFrame) -> pd.DataFrame:
    """County and country of every value; a county is 24 municipalities."""
    county = (values["municipality_code"].astype(int) - FIRST_CODE) // 24
    keyed = values.assign(county=county)
    blocks = []
    for area, extra in (("county", ["county"]), ("country", [])):
        totals = keyed.groupby([*extra, "indicator_id", "year"])[["numerator", "denominator"]]
        both = totals.transform("sum")
        blocks.append(
            values[["municipality_code", "indicator_id", "year"]].assign(
                area=area,
                value=both["numerator"] / both["denominator"],
                numerator=both["numerator"],
                denominator=both["denominator"],
            )
        )
    return pd.concat(blocks, ignore_index=True)


def comparisons_by_loop(
    values: pd.DataFrame, areas: pd.DataFrame, peers: pd.DataFrame, series: list[tuple[str, str]]
) -> pd.DataFrame:
    """One series at a time, filtered from the whole table, statsmodels for each interval."""
    rows = []
    for code, indicator in series:
        same_indicator = values[values["indicator_id"] == indicator]
        own = same_indicator[same_indicator["municipality_code"] == code]
        mine = areas[(areas["municipality_code"] == code) & (areas["indicator_id"] == indicator)]
        like = peers.loc[peers["municipality_code"] == code, "peer_code"]
        theirs = same_indicator[same_indicator["municipality_code"].isin(like)]
        for row in own.itertuples():
            quartiles = theirs.loc[theirs["year"] == row.year, "value"].quantile([0.25, 0.5, 0.75])
            for area in mine[mine["year"] == row.year].itertuples():
                rest_count = area.numerator - row.numerator
                rest_base = area.denominator - row.denominator
                lower, upper = confint_proportions_2indep(
                    row.numerator, row.denominator, rest_count, rest_base, method="newcomb"
                )
                value = row.value - rest_count / rest_base
                rows.append((code, row.year, area.area, value, lower, upper, quartiles[0.5]))
    columns = ["municipality_code", "year", "area", "value", "lower", "upper", "peer_median"]
    return pd.DataFrame(rows, columns=columns)


def comparisons_by_groupby(
    values: pd.DataFrame, areas: pd.DataFrame, peers: pd.DataFrame, codes: list[str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Merges and a groupby quantile; the interval of statsmodels on whole columns."""
    keys = ["municipality_code", "indicator_id", "year"]
    own = values[values["municipality_code"].isin(codes)]
    merged = own.merge(areas, on=keys, suffixes=("", "_area"))
    rest = merged["numerator_area"] - merged["numerator"]
    rest_base = merged["denominator_area"] - merged["denominator"]
    merged["lower"], merged["upper"] = confint_proportions_2indep(
        merged["numerator"], merged["denominator"], rest, rest_base, method="newcomb"
    )
    pairs = peers.loc[peers["municipality_code"].isin(codes), ["municipality_code", "peer_code"]]
    like = pairs.merge(
        values.rename(columns={"municipality_code": "peer_code"}), on="peer_code"
    ).groupby(keys)["value"]
    quantiles = like.quantile([0.25, 0.5, 0.75]).unstack()
    return merged, own.merge(quantiles.reset_index(), on=keys)


def comparison_ways(values: pd.DataFrame, peer_count: int) -> list[Way]:
    draws = np.random.default_rng(SEED)
    areas = area_values(values)
    codes = sorted(values["municipality_code"].unique())
    profiles = pd.DataFrame({"municipality_code": codes, **_columns(draws, len(codes))})
    peers = peer_group(profiles, characteristics=["size", "age", "distance"], peer_count=peer_count)
    all_series = values[["municipality_code", "indicator_id"]].drop_duplicates()
    few = [tuple(row) for row in all_series.sample(3, random_state=SEED).to_numpy()]
    some = codes[:: max(len(codes) // 12, 1)]

    def ours(own: pd.DataFrame = values, beside: pd.DataFrame = areas) -> tuple:
        by_area = comparison_with_areas(
            own, beside, areas_contain_municipality=True, confidence_levels=[0.95]
        )
        return by_area, comparison_with_peers(values, peers)

    by_area, by_peers = ours()
    keys = ["municipality_code", "year"]
    looped = comparisons_by_loop(values, areas, peers, few[:1])
    mine = by_area.query("municipality_code == @few[0][0] and indicator_id == @few[0][1]")
    order = [*keys, "area"]
    columns = ["value", "lower", "upper"]
    same(mine.sort_values(order)[columns], looped.sort_values(order)[columns])
    median = by_peers.query("municipality_code == @few[0][0] and indicator_id == @few[0][1]")
    same(median[["peer_median"]], looped.drop_duplicates("year")[["peer_median"]])
    return [
        Way(
            "pandas loop over series and years",
            lambda: comparisons_by_loop(values, areas, peers, few),
            len(few) / len(all_series),
            f"{len(few)} of {len(all_series)} series",
        ),
        Way(
            "pandas merge and groupby quantile, statsmodels interval",
            lambda: comparisons_by_groupby(values, areas, peers, some),
            len(some) / len(codes),
            f"{len(some)} of {len(codes)} municipalities",
        ),
        Way("evalkit, all comparisons", ours),
    ]


def _columns(draws: np.random.Generator, size: int) -> dict[str, np.ndarray]:
    return {name: draws.normal(size=size) for name in ("size", "age", "distance")}


# ---------------------------------------------------------------- (d) synthetic control


def panel(donors: int) -> tuple[pd.DataFrame, list[str], pd.DataFrame]:
    """Outcomes of one treated municipality and its donors, and predictors of them."""
    draws = np.random.default_rng(SEED)
    years = np.arange(2000, 2000 + YEARS_BEFORE + YEARS_AFTER)
    shapes = draws.normal(size=(4, len(years))).cumsum(axis=1)
    units = 50 + draws.dirichlet(np.ones(4), donors + 1) @ shapes * 4
    units += draws.normal(size=units.shape)
    codes = [str(FIRST_CODE + n) for n in range(donors + 1)]
    values = (
        pd.DataFrame(units, columns=years)
        .assign(municipality_code=codes)
        .melt(id_vars="municipality_code", var_name="year", value_name="value")
        .astype({"year": int})
    )
    early = units[:, :YEARS_BEFORE]
    numbers = np.column_stack([early.mean(axis=1), early[:, 0], early[:, -1]])
    noise = draws.normal(size=(donors + 1, PREDICTORS - numbers.shape[1]))
    predictors = pd.DataFrame(np.column_stack([numbers, noise])).add_prefix("p")
    return values, codes, predictors.assign(municipality_code=codes)


def nearest_by_slsqp(own: np.ndarray, others: np.ndarray) -> np.ndarray:
    """A general solver with gradient: what a user of scipy would write."""
    start = np.full(others.shape[1], 1 / others.shape[1])
    found = minimize(
        lambda w: ((own - others @ w) ** 2).sum(),
        start,
        jac=lambda w: -2 * others.T @ (own - others @ w),
        method="SLSQP",
        bounds=[(0, 1)] * len(start),
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": np.ones_like},
        options={"maxiter": 300, "ftol": 1e-10},
    )
    return found.x


def synthetic_ways(donors: int, with_predictors: bool, with_pysyncon: bool) -> list[Way]:
    values, codes, predictors = panel(donors)
    treated_from = 2000 + YEARS_BEFORE
    table = values.pivot(index="year", columns="municipality_code", values="value")[codes]
    early = table.loc[: treated_from - 1]
    asked = {"treated": codes[:1], "treated_from": treated_from, "donors": codes[1:]}

    weights = synthetic_control_weights(
        values, municipality_code=codes[0], treated_from=treated_from, donors=codes[1:]
    ).set_index("donor_code")["weight"]
    general = nearest_by_slsqp(early[codes[0]].to_numpy(), early[codes[1:]].to_numpy())

    def loss(given: np.ndarray) -> float:
        return float(((early[codes[0]] - early[codes[1:]] @ given) ** 2).sum())

    assert loss(weights[codes[1:]].to_numpy()) <= loss(general) + 1e-6

    def slsqp() -> None:
        nearest_by_slsqp(early[codes[0]].to_numpy(), early[codes[1:]].to_numpy())

    fits = donors + 1
    ways = [
        Way("scipy SLSQP with gradient, in a loop", slsqp, 1 / fits, f"1 of {fits} fits"),
    ]
    if with_pysyncon:
        from pysyncon import Synth

        def fixed() -> None:
            same_weight = np.full(YEARS_BEFORE, 1 / YEARS_BEFORE)
            own, others = early[codes[0]], early[codes[1:]]
            Synth().fit(X0=others, X1=own, Z0=others, Z1=own, custom_V=same_weight)

        ways.append(Way("pysyncon, outcome alone", fixed, 1 / fits, f"1 of {fits} fits"))
    ways.append(
        Way("evalkit, outcome alone, all placebos", lambda: synthetic_control(values, **asked))
    )
    if not with_predictors:
        return ways
    if with_pysyncon:

        def optimised() -> None:
            matched = predictors.set_index("municipality_code").T
            Synth().fit(
                X0=matched[codes[1:]],
                X1=matched[codes[0]],
                Z0=early[codes[1:]],
                Z1=early[codes[0]],
                optim_options={"maxiter": 10},
            )

        ways.append(
            Way(
                f"pysyncon, {PREDICTORS} predictors, 10 steps of its search",
                optimised,
                1 / fits,
                f"1 of {fits} fits",
            )
        )
    ways.append(
        Way(
            f"evalkit, {PREDICTORS} predictors, their weights optimised, all placebos",
            lambda: synthetic_control(values, predictors=predictors, **asked),
        )
    )
    return ways


# ---------------------------------------------------------------- measuring


def same(ours: pd.DataFrame, theirs: pd.DataFrame) -> None:
    if not np.allclose(ours.to_numpy(dtype=float), theirs.to_numpy(dtype=float), atol=1e-9):
        sys.exit("two ways that should give the same numbers do not")


def measured(way: Way) -> float:
    """Seconds for the whole, scaled up from the part that was run."""
    start = time.perf_counter()
    way.run()
    return (time.perf_counter() - start) / way.share


def table(title: str, ways: list[Way], rounds: int) -> str:
    """Medians over the rounds, and each way's time over evalkit's first, within a round."""
    seconds = [{way.name: measured(way) for way in ways} for _ in range(rounds)]
    first = next(way.name for way in ways if way.name.startswith("evalkit"))
    lines = [
        f"\n{title}\n",
        f"| way | s | s / {first} | measured on |",
        "|---|---:|---:|---|",
    ]
    for way in ways:
        whole = statistics.median(each[way.name] for each in seconds)
        ratio = statistics.median(each[way.name] / each[first] for each in seconds)
        lines.append(f"| {way.name} | {whole:,.2f} | {ratio:,.1f} | {way.part} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--subjects", default="changes,bootstrap,comparisons,synthetic")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--respondents", type=int, default=20_000)
    parser.add_argument("--items", type=int, default=40)
    parser.add_argument("--survey-municipalities", type=int, default=7)
    parser.add_argument("--replicates", type=int, default=1000)
    parser.add_argument("--municipalities", type=int, default=357)
    parser.add_argument("--indicators", type=int, default=200)
    parser.add_argument("--years", type=int, default=20)
    parser.add_argument("--peers", type=int, default=25)
    parser.add_argument("--donors", type=int, default=356)
    parser.add_argument("--no-predictors", action="store_true", help="outcome alone")
    parser.add_argument("--no-pysyncon", action="store_true", help="leave out its slow fits")
    parsed = parser.parse_args()
    subjects = parsed.subjects.split(",")
    print("Generated data (syntetisk).")
    if {"changes", "bootstrap"} & set(subjects):
        answers = survey_answers(parsed.respondents, parsed.items, parsed.survey_municipalities)
        size = (
            f"{parsed.respondents:,} answers x {parsed.items} items x "
            f"{parsed.survey_municipalities} municipalities"
        )
    if "changes" in subjects:
        title = f"All item changes with 95 % intervals: {size}"
        print(table(title, change_ways(answers), parsed.rounds), flush=True)
    if "bootstrap" in subjects:
        title = f"{parsed.replicates:,} bootstrap replicates of all item changes: {size}"
        print(table(title, bootstrap_ways(answers, parsed.replicates), parsed.rounds), flush=True)
    if "comparisons" in subjects:
        title = (
            f"All comparisons (county, country, {parsed.peers} peers): {parsed.municipalities} "
            f"municipalities x {parsed.indicators} indicators x {parsed.years} years"
        )
        values = indicator_values(parsed.municipalities, parsed.indicators, parsed.years)
        print(table(title, comparison_ways(values, parsed.peers), parsed.rounds), flush=True)
    if "synthetic" in subjects:
        title = (
            f"Synthetic control with {parsed.donors} placebo runs, {YEARS_BEFORE} years before "
            f"and {YEARS_AFTER} after"
        )
        ways = synthetic_ways(parsed.donors, not parsed.no_predictors, not parsed.no_pysyncon)
        print(
            table(title, ways, min(parsed.rounds, 1 if not parsed.no_pysyncon else 3)), flush=True
        )


if __name__ == "__main__":
    main()
