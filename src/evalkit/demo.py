"""The study ``demo``: fictional municipalities, synthetic data, and the truth behind them.

Nothing here is measured. The municipalities do not exist, the answers were never given, and the
effects are those written below, so that a reader can hold every estimate against what is true.
The same seed gives the same study.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import norm

from evalkit.contracts import CONTRACTS, columns_of
from evalkit.errors import DataError
from evalkit.identifiers import slug
from evalkit.norwegian import rounded

__all__ = ["demo_truth", "generate_demo", "write_demo"]

SOURCE = "evalkit-demo"
STUDY_NAMES = ("Regnbuvik", "Månehaug", "Frostlunden", "Lyktestrand", "Gnistdal", "Vantenes")
STUDY_CODES = ("9901", "9902", "9903", "9904", "9905", "0991")
FIRST_PARTS = (
    *("Regnbue", "Måne", "Frost", "Lykte", "Gnist", "Vante", "Tåke", "Blåbær", "Kongle", "Trost"),
    *("Nøste", "Honning", "Pepper", "Drue", "Ugle", "Pinnsvin", "Fjær", "Tinte", "Kanel", "Knapp"),
    *("Trylle", "Eventyr", "Papir", "Glass"),
)
LAST_PARTS = (
    *("fjell", "mark", "bygd", "grend", "tun", "voll", "sund", "berg", "myr", "lund"),
    *("strand", "dal", "haug", "vang", "nes", "vik", "bekk", "åsen"),
)
SERVICES = {"Skole": 0.38, "Barnehage": 0.27, "Helsestasjon": 0.14, "Barnevern": 0.12, "NAV": 0.09}
SMALL_SERVICE = ("Ungdomsteam", 4)  # in the first municipality only
RESPONSE = {
    "Skole": 0.62,
    "Barnehage": 0.7,
    "Helsestasjon": 0.78,
    "Barnevern": 0.74,
    "NAV": 0.66,
    "Ungdomsteam": 1.0,
}
STAFF = (640, 520, 460, 400, 340, 210)
WAVES = {0: "2020-03", 1: "2022-03", 2: "2024-03"}
STAYED = 0.85  # of the staff, from one wave to the next
LINKABLE = 0.55  # of the answers in the last wave
LINKAGE = {1: "linked", 2: "partly_linked"}  # to the wave before
PERSON_SHARE = 0.5  # of the variance of an answer that follows the person
CUTS = (-1.35, -0.55, 0.2, 1.15)  # steps of the scale on the latent answer
AGREES_AT = CUTS[2]
WITHOUT_MEASURE = 54  # areas that the municipalities of the study are compared with
WHOLE_AREA = "Alle demokommunene"  # holds all municipalities
COUNTIES = {  # by the first two digits of their municipalities' codes; 09 has one alone
    **{"09": "Demofylket Skrubbhav", "91": "Demofylket Kråkeli", "92": "Demofylket Tyttemark"},
    **{"93": "Demofylket Silkebre", "94": "Demofylket Ispinne", "95": "Demofylket Hestehov"},
    **{"96": "Demofylket Sukkertopp", "97": "Demofylket Mosedott", "98": "Demofylket Brumlebo"},
    **{"99": "Demofylket Gnistmark"},
}
IN_A_COUNTY, IN_THE_FIRST = 15, 2  # of the other municipalities, where eight counties hold them
FIRST_YEAR, YEAR_COUNT, STARTED = 2010, 15, 2020
SHARED_SHOCK = (0.0, 0.9, 0.6, 0.3, 0.2)  # percentage points, everywhere, from the start year
WANDERING, ROUGHNESS = 0.6, 0.35  # yearly noise of an area: correlation, standard deviation


@dataclass(frozen=True)
class Question:
    """An item of the bank, and how far its latent answer has moved in each wave."""

    item: str
    topic: str
    text: str
    shifts: tuple[float, float, float]


STAFF_ITEMS = (
    Question(
        "samordning", "Samordning", "Tjenestene samordner hjelpen til barn og unge", (0, 0.45, 0.55)
    ),
    Question("ledelse", "Forankring", "Ledelsen følger opp samarbeidet", (0, 0.3, 0.35)),
    Question("ansvar", "Samordning", "Det er klart hvem som har ansvar for hva", (0, 0.12, 0.15)),
    Question("medvirkning", "Medvirkning", "Barn og unge får medvirke", (0, 0.25, 0.3)),
    Question("kompetanse", "Kompetanse", "Jeg har kompetansen jeg trenger", (0, 0.0, 0.0)),
    Question("tid", "Rammer", "Jeg har tid til samarbeid", (0, 0.0, 0.0)),
    Question("informasjon", "Samordning", "Jeg får informasjonen jeg trenger", (0, -0.2, -0.1)),
    Question("tilgang", "Tilgjengelighet", "Det er lett for familier å få hjelp", (0, 0.35, 0.4)),
)
USER_ITEMS = (
    Question("bruker-tilgang", "Tilgjengelighet", "Det var lett å få hjelp", (0, 0, 0.2)),
    Question("bruker-medvirkning", "Medvirkning", "Jeg ble hørt", (0, 0, 0.1)),
)
# Groups of pupils in all municipalities together, and the risk of high absence in each against all.
EDUCATION = {
    "Femdel 1: foreldre med kortest utdanning": 1.5,
    "Femdel 2": 1.2,
    "Femdel 3": 1.0,
    "Femdel 4": 0.75,
    "Femdel 5: foreldre med lengst utdanning": 0.55,
}
GRADES = {"Trinn 1–4": 0.6, "Trinn 5–7": 0.9, "Trinn 8–10": 1.6}
GRADE_SHARES = ((0.42, 0.30, 0.28), (0.37, 0.29, 0.34))  # of the pupils, first year and last
GROUPED = "fravaer"
# (municipality's place, wave, item): status, wording used, and how the wording moves the answer.
EXCEPTIONS: dict[tuple[int, int, str], tuple[str, str | None, float]] = {
    (1, 0, "medvirkning"): ("reworded", "Barn og unge blir spurt om hva de mener", -0.4),
    (2, 0, "ledelse"): ("other_scale", "fire svar, fra helt uenig til helt enig", 0.0),
    (3, 0, "tid"): ("not_asked", None, 0.0),
    (4, 1, "informasjon"): ("reworded", "Jeg får vite det jeg må vite", 0.2),
    (4, 2, "informasjon"): ("reworded", "Jeg får vite det jeg må vite", 0.2),
}
NOT_ASKED_LAST = "ansvar"  # nowhere asked in the last wave


@dataclass(frozen=True)
class Measured:
    """An indicator: its level and spread in the first year, drift per year and true effect."""

    indicator_id: str
    goal_id: str
    name: str
    level: float
    spread: float
    drift: float
    effect: float
    target: float
    base_share: float


INDICATORS = (
    Measured("fravaer", "naervaer", "Elever med høyt fravær", 9.5, 1.3, -0.05, -2.0, 6.0, 0.11),
    Measured(
        "utenfor",
        "deltakelse",
        "Unge utenfor arbeid og utdanning",
        8.0,
        1.2,
        -0.08,
        0.0,
        6.5,
        0.12,
    ),
)
GOALS = {
    "naervaer": "Færre elever har høyt fravær",
    "samarbeid": "Tjenestene samordner hjelpen bedre",
    "deltakelse": "Færre unge står utenfor arbeid og utdanning",
    "informasjon": "Ansatte får informasjonen de trenger",
}
# direction, smallest change that matters (percentage points), weakest evidence that is enough
RULES = {
    "naervaer": ("down", 1.0, "controlled"),
    "samarbeid": ("up", 5.0, "before_and_after"),
    "deltakelse": ("down", 1.0, "controlled"),
    "informasjon": ("up", 5.0, "before_and_after"),
}
TARGETS = {"samarbeid": 50, "informasjon": 50}  # per cent who agree, where a goal has a level
THEMES = {
    "samordning": (
        "Jeg slipper å fortelle alt på nytt",
        "De snakker sammen nå",
        "Ett møte i stedet for fire",
    ),
    "tilgang": (
        "Det tok lang tid før noen ringte",
        "Jeg visste hvor jeg skulle gå",
        "Åpent når jeg trengte det",
    ),
    "medvirkning": ("Jeg fikk bestemme hva vi skulle snakke om", "Ingen spurte meg", "De lyttet"),
    "informasjon": ("Jeg fikk aldri svar på brevet", "Alt sto på nettsiden", "God informasjon"),
    "tillit": ("Jeg stoler på henne", "Nye folk hver gang", "Samme person hele veien"),
}
CODERS = ("koder-a", "koder-b")
WROTE = 0.7  # of the users who answered, the most who wrote a comment
# By goal: what else could explain the change, how it stands, and what that rests on. Where two
# statuses are given, the municipality's own material decides.
RIVALS: dict[str, tuple[tuple[str, tuple[str, ...], str], ...]] = {
    "naervaer": (
        (
            "Fraværet endret seg likt i alle kommuner",
            ("ruled_out",),
            "kommuner uten tiltaket er trukket fra",
        ),
        (
            "Skolene begynte å føre fravær på en annen måte",
            ("ruled_out", "weakened"),
            "intervju med rektorer",
        ),
        (
            "Et annet skoletiltak begynte samme år",
            ("weakened", "open"),
            "kommunens egen oversikt over tiltak",
        ),
    ),
    "samarbeid": (
        (
            "De som ble i jobben, er mer fornøyde enn de som sluttet",
            ("ruled_out",),
            "bare svar fra de samme personene er brukt",
        ),
        (
            "En ny ledelse, uavhengig av tiltaket",
            ("weakened", "open"),
            "intervju med ansatte",
        ),
    ),
    "deltakelse": (
        (
            "Arbeidsmarkedet ble strammere",
            ("open", "supported"),
            "ledigheten i regionen",
        ),
    ),
}
# By goal: the claim, and how the mechanism shows in the material.
CONTRIBUTIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "naervaer": (
        "Ett fast møtepunkt gjorde at skolen fanget opp fravær tidligere",
        ("observed", "observed", "partly_observed"),
    ),
    "samarbeid": (
        "Felles rutiner gjorde det lettere å samordne hjelpen",
        ("observed", "partly_observed", "unknown"),
    ),
    "deltakelse": (
        "Tettere oppfølging holdt unge i arbeid og utdanning",
        ("not_observed", "unknown", "partly_observed"),
    ),
}


def generate_demo(
    seed: int = 2024, *, municipality_count: int = 6, area_count: int = 60
) -> dict[str, pd.DataFrame]:
    """The tables of the study, every cell text, as they are read from CSV.

    Parameters
    ----------
    seed
        The same seed gives the same tables.
    municipality_count
        Municipalities with the measure and with surveys.
    area_count
        Municipalities with indicators in the last year, those with the measure among them; never
        fewer than ``municipality_count``. Where there are four others or more, two of them are
        made of two each on the way, and two come from one that was split. Counties have values
        too: the sums of the municipalities that are in them today.

    Returns
    -------
    dict of DataFrame
        Tables by name, with the columns of their contracts.

    Raises
    ------
    DataError
        If there are more areas than there are names for, or no municipality.
    """
    design = _design(seed, municipality_count, area_count)
    surveys, by_service, answers, crosswalk = _survey_tables(design)
    tables = {
        "regions": [
            {
                "region_id": "demoregionen",
                "name": "Demoregionen",
                "county_governor": "Statsforvalteren i Demoregionen",
            }
        ],
        "municipalities": _municipality_rows(design),
        "goals": [
            {"goal_id": goal, "kind": "effect_goal", "position": place, "text": text}
            for place, (goal, text) in enumerate(GOALS.items(), start=1)
        ],
        "indicators": [
            {
                "indicator_id": one.indicator_id,
                "goal_ids": one.goal_id,
                "level": "outcome",
                "name": one.name,
                "unit": "percent",
                "direction": "down",
                "data_source": "syntetisk register",
            }
            for one in INDICATORS
        ],
        "targets": [
            {
                "target_id": f"mal-{one.indicator_id}",
                "indicator_id": one.indicator_id,
                "value": one.target,
                "unit": "percent",
                "direction": "at_most",
                "due": "2028",
            }
            for one in INDICATORS
        ],
        "observations": _observations(design),
        "municipality_changes": [
            {
                "change_id": f"endring-{old}-{new}",
                "old_code": old,
                "new_code": new,
                "year": year,
                "share": share,
                "share_basis": "innbyggere" if share != 1 else None,
            }
            for old, new, year, share in design.changes
        ],
        "areas": [
            {"area": WHOLE_AREA},
            *({"area": COUNTIES[code], "county_code": code} for code in _counties(design)),
        ],
        "items": [
            {
                "item": one.item,
                "position": place,
                "topic": one.topic,
                "text": one.text,
                "scale": "1 (helt uenig) til 5 (helt enig)",
            }
            for place, one in enumerate((*STAFF_ITEMS, *USER_ITEMS), start=1)
        ],
        "surveys": surveys,
        "survey_services": by_service,
        "crosswalk": crosswalk,
        "answers": answers,
        "codings": _codings(design),
        "events": _events(design),
        "rival_explanations": _rival_explanations(design),
        "contribution_claims": _contribution_claims(design),
        "facts": _facts(design),
    }
    return {name: _as_text(name, rows) for name, rows in tables.items()}


def demo_truth(
    seed: int = 2024, *, municipality_count: int = 6, area_count: int = 60
) -> dict[str, dict[str, float]]:
    """What is true in the study that ``generate_demo`` gives with the same arguments.

    Returns
    -------
    dict
        ``indicator_effect`` (percentage points) by indicator; ``item_change_wave_1`` and
        ``item_change_wave_2``: change since the baseline in the share who agree (-1 to 1), by
        ``<municipality_code>.<item>``, were the bank's wording used throughout;
        ``mean_item_change_wave_1``, their mean over the municipalities, by item; and
        ``relative_risk`` of high absence, by group of pupils.
    """
    design = _design(seed, municipality_count, area_count)
    truth: dict[str, dict[str, float]] = {
        "indicator_effect": {one.indicator_id: one.effect for one in INDICATORS}
    }
    for wave in (1, 2):
        truth[f"item_change_wave_{wave}"] = {
            f"{code}.{one.item}": float(
                norm.sf(AGREES_AT - offset - one.shifts[wave]) - norm.sf(AGREES_AT - offset)
            )
            for code, offset in zip(design.codes, design.offsets, strict=True)
            for one in STAFF_ITEMS
        }
    changes = truth["item_change_wave_1"]
    truth["mean_item_change_wave_1"] = {
        one.item: float(np.mean([changes[f"{code}.{one.item}"] for code in design.codes]))
        for one in STAFF_ITEMS
    }
    truth["relative_risk"] = EDUCATION | GRADES
    return truth


def write_demo(
    study_dir: str | Path,
    seed: int = 2024,
    *,
    municipality_count: int = 6,
    area_count: int | None = None,
) -> Path:
    """Write the study as files: ``study.toml``, ``sources.bib``, tables and ``truth.toml``.

    Parameters
    ----------
    study_dir
        Its folder, such as ``data/raw/demo``; made where it is not there. Files of the same
        names are replaced.
    seed, municipality_count, area_count
        As for ``generate_demo``; by default there are as many areas without the measure, however
        many have it.

    Returns
    -------
    Path
        The folder.
    """
    folder = Path(study_dir)
    folder.mkdir(parents=True, exist_ok=True)
    areas = municipality_count + WITHOUT_MEASURE if area_count is None else area_count
    size = {"municipality_count": municipality_count, "area_count": areas}
    tables = generate_demo(seed, **size)
    for name, table in tables.items():
        table.to_csv(
            folder / f"{name}.csv", index=False, quoting=csv.QUOTE_MINIMAL, lineterminator="\n"
        )
    in_report = tables["municipalities"]["municipality_code"].head(municipality_count)
    (folder / "study.toml").write_text(_settings_text(list(in_report)), encoding="utf-8")
    (folder / "sources.bib").write_text(BIBLIOGRAPHY, encoding="utf-8")
    truth = [f"# Syntetisk. The truth behind the study, made with seed {seed}."]
    for section, values in demo_truth(seed, **size).items():
        truth += ["", f"[{section}]", *(f'"{key}" = {value!r}' for key, value in values.items())]
    (folder / "truth.toml").write_text("\n".join(truth) + "\n", encoding="utf-8")
    return folder


NOTEBOOKS = (
    "10-survey",
    "11-comparability",
    "12-trends",
    "13-comparison",
    "14-pooling",
    "15-qualitative",
    "17-rules",
    "18-disclosure",
    "19-survey-methods",
    "26-groups",
)
BIBLIOGRAPHY = """@misc{evalkit-demo, langid={norsk}, author={{evalkit}},
  title={Syntetiske data til studien demo, laget av generatoren evalkit.demo}, year={2026}}
"""


def _settings_text(codes: list[str]) -> str:
    quoted = ", ".join(f'"{code}"' for code in codes)
    notebooks = "\n".join(f'  "{name}",' for name in NOTEBOOKS)
    return f"""# Syntetisk: made by `evalkit demo`; the municipalities do not exist.
title = "Demo: syntetiske kommuner"
period = [{FIRST_YEAR}, {FIRST_YEAR + YEAR_COUNT - 1}]
evaluator = "evalkit"
clients = ["ingen (syntetisk)"]
language = "nb"
report = "effect"
smallest_count = 5
synthetic = true
notebooks = [
{notebooks}
]

[[parts]]
title = "Demokommunene"
municipalities = [{quoted}]
"""


@dataclass(frozen=True)
class _Design:
    """What all tables of a study share."""

    seed: int
    codes: tuple[str, ...]  # with the measure
    names: tuple[str, ...]
    staff: tuple[int, ...]
    offsets: tuple[float, ...]
    areas: pd.DataFrame  # every municipality that ever was: code, name, years, population, note
    changes: tuple[tuple[str, str, int, float], ...]  # old code, new code, year, share

    def random(self, part: int) -> np.random.Generator:
        """Random numbers of one part of the study, whatever the other parts draw."""
        return np.random.default_rng([self.seed, part])


def _design(seed: int, municipality_count: int, area_count: int) -> _Design:
    count = max(area_count, municipality_count)
    pairs = [first + last for last in LAST_PARTS for first in FIRST_PARTS]
    pairs = [name for name in pairs if name not in STUDY_NAMES]
    if municipality_count < 1 or count + 5 > len(pairs):
        raise DataError(
            f"{municipality_count} municipalities of {count}; "
            f"expected 1 or more, and at most {len(pairs) - 5} in all"
        )
    own = len(STUDY_CODES)
    codes = [*STUDY_CODES, *_other_codes(count + 5 - own)]
    names = [*STUDY_NAMES, *pairs]
    random = np.random.default_rng([seed, 0])
    population = np.exp(random.normal(9.1, 0.75, count + 5)).round() + 600
    population[:own] = [24000, 18500, 15200, 12600, 9800, 1100][: len(population[:own])]
    areas = pd.DataFrame(
        {
            "municipality_code": codes[: count + 5],
            "name": names[: count + 5],
            "population": population,
            "first_year": FIRST_YEAR,
            "last_year": FIRST_YEAR + YEAR_COUNT - 1,
            "note": None,
        }
    ).astype({"note": object})
    changes: tuple[tuple[str, str, int, float], ...] = ()
    if count - municipality_count >= 4:
        areas = _with_changes(areas, count)
        changes = _changes(areas, count)
    else:
        areas = areas.head(count)
    drawn = random.integers(120, 700, municipality_count)
    staff = [STAFF[n] if n < len(STAFF) else int(drawn[n]) for n in range(municipality_count)]
    offsets = random.normal(0.0, 0.2, municipality_count).round(3)
    return _Design(
        seed=seed,
        codes=tuple(areas["municipality_code"].head(municipality_count)),
        names=tuple(areas["name"].head(municipality_count)),
        staff=tuple(staff),
        offsets=tuple(float(offset) for offset in offsets),
        areas=areas.reset_index(drop=True),
        changes=changes,
    )


def _other_codes(count: int) -> list[str]:
    """Codes of the municipalities after the first six, county by county.

    The first county is small, so that what must be hidden for another's sake is hidden there. The
    last nine municipalities, which are those that were merged and split, are in one county.
    """
    size = max(IN_A_COUNTY, -(-count // 7))
    starts = [0, *range(IN_THE_FIRST, max(count - 8, 1), size)]
    ends = [*starts[1:], count]
    return [
        f"{county}{place + 1:02d}"
        for county, (start, end) in enumerate(zip(starts, ends, strict=True), start=91)
        for place in range(end - start)
    ]


def _counties(design: _Design) -> list[str]:
    return sorted(set(_county_today(design).to_numpy()))


def _county_today(design: _Design) -> pd.Series:
    """The county of every municipality that ever was; of one that was merged, that of the new."""
    merged = {old: new for old, new, _, share in design.changes if share == 1}
    codes = design.areas["municipality_code"]
    return codes.replace(merged).str[:2].set_axis(codes)


def _with_changes(areas: pd.DataFrame, count: int) -> pd.DataFrame:
    """Two mergers and a split: the last four of the areas are new, the five after them ended."""
    merged_1, merged_2, split_1, split_2 = range(count - 4, count)
    ended = list(range(count, count + 5))
    changed = areas.copy()
    names = areas["name"]
    for new, old, year in ((merged_1, ended[:2], 2017), (merged_2, ended[2:4], 2020)):
        changed.loc[new, "first_year"] = year
        changed.loc[old, "last_year"] = year - 1
        changed.loc[new, "note"] = f"Slått sammen av {names[old[0]]} og {names[old[1]]} i {year}"
        changed.loc[old, "note"] = f"Slått sammen til {names[new]} i {year}"
        changed.loc[new, "population"] = changed.loc[old, "population"].sum()
    changed.loc[[split_1, split_2], "first_year"] = 2020
    changed.loc[ended[4], "last_year"] = 2019
    changed.loc[ended[4], "note"] = f"Delt i {names[split_1]} og {names[split_2]} i 2020"
    changed.loc[[split_1, split_2], "note"] = f"Skilt ut av {names[ended[4]]} i 2020"
    changed.loc[ended[4], "population"] = changed.loc[[split_1, split_2], "population"].sum()
    return changed


def _changes(areas: pd.DataFrame, count: int) -> tuple[tuple[str, str, int, float], ...]:
    """Who became whom, when, and with what share of the old one's inhabitants."""
    code, population = areas["municipality_code"], areas["population"]
    share = round(population[count - 2] / population[count + 4], 4)
    moves = (
        (count, count - 4, 2017, 1.0),
        (count + 1, count - 4, 2017, 1.0),
        (count + 2, count - 3, 2020, 1.0),
        (count + 3, count - 3, 2020, 1.0),
        (count + 4, count - 2, 2020, share),
        (count + 4, count - 1, 2020, round(1 - share, 4)),
    )
    return tuple((code[old], code[new], year, part) for old, new, year, part in moves)


def _municipality_rows(design: _Design) -> list[dict]:
    return [
        {
            "municipality_code": row.municipality_code,
            "slug": slug(row.name),
            "name": row.name,
            "region_id": "demoregionen",
            "evaluated_by": "municipality"
            if row.municipality_code in design.codes
            else "undecided",
            "note": row.note,
        }
        for row in design.areas.itertuples(index=False)
    ]


def _observations(design: _Design) -> pd.DataFrame:
    """Counts and shares of every indicator, area and year, and of counties and all together."""
    years = np.arange(FIRST_YEAR, FIRST_YEAR + YEAR_COUNT)
    treated = design.areas["municipality_code"].isin(design.codes).to_numpy()[:, None]
    after = (years >= STARTED)[None, :]
    shock = np.zeros(YEAR_COUNT)
    shock[years >= STARTED] = SHARED_SHOCK
    exists = (design.areas["first_year"].to_numpy()[:, None] <= years) & (
        years <= design.areas["last_year"].to_numpy()[:, None]
    )
    parts = []
    for place, one in enumerate(INDICATORS):
        random = design.random(10 + place)
        shape = (len(design.areas), YEAR_COUNT)
        level = random.normal(one.level, one.spread, (shape[0], 1))
        noise = np.zeros(shape)
        steps = random.normal(0, ROUGHNESS, shape)
        noise[:, 0] = steps[:, 0] / np.sqrt(1 - WANDERING**2)
        for year in range(1, YEAR_COUNT):
            noise[:, year] = WANDERING * noise[:, year - 1] + steps[:, year]
        percent = level + one.drift * (years - FIRST_YEAR) + shock + noise
        percent = np.clip(percent + one.effect * (treated & after), 0.5, 60)
        bases = np.round(design.areas["population"].to_numpy() * one.base_share)[:, None]
        bases = np.broadcast_to(bases, shape).astype(int)
        counts = random.binomial(bases, percent / 100)
        frame = pd.DataFrame(
            {
                "indicator_id": one.indicator_id,
                "municipality_code": np.repeat(design.areas["municipality_code"], YEAR_COUNT),
                "period": np.tile(years, shape[0]),
                "numerator": counts.ravel(),
                "denominator": bases.ravel(),
            }
        )[exists.ravel()]
        whole = frame.groupby(["indicator_id", "period"], as_index=False)[
            ["numerator", "denominator"]
        ].sum()
        parts += [frame, whole.assign(area=WHOLE_AREA)]
        if one.indicator_id == GROUPED:
            parts.append(_group_observations(design, whole))
    every = pd.concat(parts, ignore_index=True)
    of_municipalities = every.loc[every["municipality_code"].notna()]
    county = of_municipalities["municipality_code"].map(_county_today(design))
    counties = (
        of_municipalities.assign(county=county, area=county.map(COUNTIES))
        .groupby(["indicator_id", "county", "area", "period"], as_index=False)[
            ["numerator", "denominator"]
        ]
        .sum()
    )
    table = pd.concat(
        [every, counties.assign(group_id="fylke" + counties["county"])], ignore_index=True
    )
    where = table["municipality_code"].fillna(table["group_id"]).fillna("alle")
    return table.assign(
        observation_id=table["indicator_id"] + "-" + where + "-" + table["period"].astype(str),
        value=(100 * table["numerator"] / table["denominator"]).round(2),
    )


def _group_observations(design: _Design, whole: pd.DataFrame) -> pd.DataFrame:
    """The pupils of all municipalities by parents' education and by grade, as counts of the whole."""
    random = design.random(60_000)
    first, last = (np.array(shares) for shares in GRADE_SHARES)
    fifths = np.full(len(EDUCATION), 1 / len(EDUCATION))
    rows = []
    for place, row in enumerate(whole.itertuples(index=False)):
        grades = first + (last - first) * place / (YEAR_COUNT - 1)
        for kind, risks, shares in (("utd", EDUCATION, fifths), ("trinn", GRADES, grades)):
            bases = np.floor(shares * row.denominator).astype(int)
            bases[-1] = row.denominator - bases[:-1].sum()
            chance = bases * np.array(list(risks.values()))
            counts = random.multinomial(row.numerator, chance / chance.sum())
            rows += [
                {
                    "indicator_id": row.indicator_id,
                    "area": WHOLE_AREA,
                    "group": group,
                    "group_id": f"{kind}{number}",
                    "period": row.period,
                    "numerator": int(count),
                    "denominator": int(base),
                }
                for number, (group, count, base) in enumerate(
                    zip(risks, counts, bases, strict=True), start=1
                )
            ]
    return pd.DataFrame(rows)


def _survey_tables(
    design: _Design,
) -> tuple[list[dict], list[dict], pd.DataFrame, list[dict]]:
    surveys: list[dict] = []
    by_service: list[dict] = []
    crosswalk: list[dict] = []
    answers: list[pd.DataFrame] = []
    for place, (code, size) in enumerate(zip(design.codes, design.staff, strict=True)):
        random = design.random(1000 + place)
        services = np.array(
            [name for name, share in SERVICES.items() for _ in range(max(1, round(size * share)))]
        )
        if place == 0:
            services = np.append(services, [SMALL_SERVICE[0]] * SMALL_SERVICE[1])
        person = np.arange(len(services))
        mood = random.normal(size=(len(services), 1)) * np.sqrt(PERSON_SHARE)
        for wave, month in WAVES.items():
            if wave:
                left = random.random(len(services)) > STAYED
                person = np.where(left, person.max() + 1 + np.arange(len(services)), person)
                fresh = random.normal(size=mood.shape) * np.sqrt(PERSON_SHARE)
                mood = np.where(left[:, None], fresh, mood)
            here = random.random(len(services)) < np.array([RESPONSE[s] for s in services])
            survey_id = f"ansatte-{code}-{wave}"
            surveys.append(
                {
                    "survey_id": survey_id,
                    "municipality_code": code,
                    "kind": "staff_survey",
                    "wave": wave,
                    "title": f"Ansatte, målerunde {wave} (syntetisk)",
                    "mode": "digital",
                    "population": "alle ansatte i tjenestene",
                    "invited_count": len(services),
                    "answered_count": int(here.sum()),
                    "start": month,
                    "follows": f"ansatte-{code}-{wave - 1}" if wave else None,
                    "linkage": LINKAGE.get(wave),
                }
            )
            by_service += [
                {
                    "survey_id": survey_id,
                    "service": service,
                    "invited_count": int((services == service).sum()),
                    "answered_count": int(here[services == service].sum()),
                }
                for service in dict.fromkeys(services)
            ]
            ids = np.array([f"p{code}-{number}" for number in person])
            if wave == 2:
                linked = random.random(len(services)) < LINKABLE
                ids = np.where(linked, ids, [f"u{code}-{n}" for n in range(len(services))])
            statuses = [_status(place, wave, one.item) for one in STAFF_ITEMS]
            crosswalk += [
                {"survey_id": survey_id, "item": one.item, "status": status, "variant": variant}
                for one, (status, variant, _) in zip(STAFF_ITEMS, statuses, strict=True)
            ]
            moved = np.array(
                [one.shifts[wave] + s[2] for one, s in zip(STAFF_ITEMS, statuses, strict=True)]
            )
            answers.append(
                _answer_rows(
                    random,
                    [
                        (one.item, status)
                        for one, (status, _, _) in zip(STAFF_ITEMS, statuses, strict=True)
                    ],
                    design.offsets[place] + moved + mood[here],
                    {"survey_id": survey_id, "municipality_code": code},
                    ids[here],
                    services[here],
                )
            )
        users, replied = _users(size)
        survey_id = f"brukere-{code}"
        surveys.append(
            {
                "survey_id": survey_id,
                "municipality_code": code,
                "kind": "user_survey",
                "title": "Brukere (syntetisk)",
                "mode": "digital",
                "population": "foreldre og unge over 16 år",
                "invited_count": users,
                "answered_count": replied,
                "start": "2024-04",
            }
        )
        crosswalk += [
            {"survey_id": survey_id, "item": one.item, "status": "same"} for one in USER_ITEMS
        ]
        answers.append(
            _answer_rows(
                random,
                [(one.item, "same") for one in USER_ITEMS],
                design.offsets[place]
                + np.array([one.shifts[2] for one in USER_ITEMS])
                + random.normal(size=(replied, 1)) * np.sqrt(PERSON_SHARE),
                {"survey_id": survey_id, "municipality_code": code},
                np.array([f"b{code}-{number}" for number in range(replied)]),
                np.full(replied, None, dtype=object),
            )
        )
    return surveys, by_service, pd.concat(answers, ignore_index=True), crosswalk


def _users(staff: int) -> tuple[int, int]:
    """How many users a municipality with so many staff asked, and how many of them answered."""
    asked = int(staff * 0.4)
    return asked, int(asked * 0.45)


def _status(place: int, wave: int, item: str) -> tuple[str, str | None, float]:
    if wave == 2 and item == NOT_ASKED_LAST:
        return "not_asked", None, 0.0
    return EXCEPTIONS.get((place, wave, item), ("same", None, 0.0))


def _answer_rows(
    random: np.random.Generator,
    items: list[tuple[str, str]],
    centres: np.ndarray,
    keys: Mapping[str, str],
    respondents: np.ndarray,
    services: np.ndarray,
) -> pd.DataFrame:
    """One row per respondent and item asked; two in a hundred left blank."""
    latent = centres + random.normal(size=centres.shape) * np.sqrt(1 - PERSON_SHARE)
    scores = 1.0 + np.searchsorted(CUTS, latent)
    blank = random.random(scores.shape) < 0.02
    parts = []
    for column, (item, status) in enumerate(items):
        if status == "not_asked":
            continue
        given = np.minimum(scores[:, column], 4) if status == "other_scale" else scores[:, column]
        parts.append(
            pd.DataFrame(
                {
                    **keys,
                    "respondent_id": respondents,
                    "service": services,
                    "item": item,
                    "score": np.where(blank[:, column], np.nan, given),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def _codings(design: _Design) -> list[dict]:
    """Comments of the user surveys, coded by two persons who mostly agree."""
    rows = []
    themes = list(THEMES)
    for place, code in enumerate(design.codes):
        random = design.random(5000 + place)
        weights = random.dirichlet(np.full(len(themes), 4.0))
        written = 45 + int(random.integers(0, 30))
        most = int(WROTE * _users(design.staff[place])[1])
        for number in range(min(written, most)):
            document = f"kommentar-{code}-{number + 1:02d}"
            for part in range(int(random.integers(1, 4))):
                theme = str(random.choice(themes, p=weights))
                excerpt = str(random.choice(THEMES[theme]))
                anonymity = "cleared" if random.random() < 0.7 else "not_checked"
                for coder in CODERS:
                    seen = theme if random.random() < 0.9 else str(random.choice(themes))
                    rows.append(
                        {
                            "document": document,
                            "unit": f"{document}-{part + 1}",
                            "municipality_code": code,
                            "code_id": seen,
                            "coder": coder,
                            "excerpt": excerpt,
                            "anonymity": anonymity,
                        }
                    )
    return rows


def _rival_explanations(design: _Design) -> list[dict]:
    rows = []
    for place, code in enumerate(design.codes):
        random = design.random(20_000 + place)
        for goal, rivals in RIVALS.items():
            for number, (rival, statuses, grounds) in enumerate(rivals, start=1):
                rows.append(
                    {
                        "rival_id": f"forklaring-{goal}-{code}-{number}",
                        "municipality_code": code,
                        "goal_id": goal,
                        "rival": rival,
                        "status": str(random.choice(statuses)),
                        "grounds": grounds,
                    }
                )
    return rows


def _contribution_claims(design: _Design) -> list[dict]:
    rows = []
    for place, code in enumerate(design.codes):
        random = design.random(30_000 + place)
        for goal, (claim, statuses) in CONTRIBUTIONS.items():
            rows.append(
                {
                    "claim_id": f"bidrag-{goal}-{code}",
                    "municipality_code": code,
                    "goal_id": goal,
                    "claim": claim,
                    "mechanism_status": str(random.choice(statuses)),
                }
            )
    return rows


def _events(design: _Design) -> list[dict]:
    """What happened in each municipality: a decision, workshops, surveys, a last report."""
    rows = []
    for place, code in enumerate(design.codes):
        random = design.random(40_000 + place)
        days = [
            *[("decision", None, "2020-01"), ("training", None, "2020-05")],
            *[("survey", wave, month) for wave, month in WAVES.items()],
            *[("learning_workshop", n, f"{2020 + n}-") for n in (1, 2, 3)],
            *[("milestone", None, "2022-12"), ("report", None, "2024-11")],
        ]
        for number, (kind, wave, month) in enumerate(days):
            month = month if len(month) > 5 else f"{month}{random.integers(2, 12):02d}"
            rows.append(
                {
                    "event_id": f"hendelse-{code}-{number}",
                    "municipality_code": code,
                    "kind": kind,
                    "number": wave,
                    "start": month if kind == "survey" else f"{month}-{random.integers(1, 29):02d}",
                }
            )
    return rows


def _facts(design: _Design) -> list[dict]:
    """What the report's prose may name, the rules of the goals, and the truth."""

    def claim(subject, quantity, label, value, unit, locator="innstillinger"):
        return {
            "subject": subject,
            "quantity": quantity,
            "label": label,
            "value": value,
            "unit": unit,
            "locator": locator,
        }

    last = int((design.areas["last_year"] == FIRST_YEAR + YEAR_COUNT - 1).sum())
    truth = demo_truth(design.seed, municipality_count=len(design.codes), area_count=last)
    notes = design.areas["note"].dropna()
    merged = notes[notes.str.startswith("Slått sammen av")]
    split = notes[notes.str.startswith("Delt i")]
    rows = [
        claim("demo", "seed", "Frøet til de tilfeldige tallene", design.seed, "text"),
        claim("demo", "municipalities", "Kommuner med tiltaket", len(design.codes), "count"),
        claim("demo", "areas", "Kommuner med indikatorer", last, "count"),
        claim("demo", "mergers", "Kommuner slått sammen i perioden", len(merged), "count"),
        claim("demo", "splits", "Kommuner delt i perioden", len(split), "count"),
        claim("demo", "years", "År med indikatorer", YEAR_COUNT, "count"),
        claim("demo", "waves", "Målerunder blant ansatte", len(WAVES), "count"),
        claim("demo", "started", "Året tiltaket begynte", STARTED, "year"),
        claim("demo", "threshold", "Minste antall som vises", 5, "persons"),
        claim(
            "demo", "linkable", "Svar som kan kobles", int(rounded(100 * LINKABLE, 0)), "percent"
        ),
        claim("demo", "interval", "Nivået til intervallene", 95, "percent"),
    ]
    for goal, (direction, smallest, evidence) in RULES.items():
        rows += [
            claim(f"regel-{goal}", "direction", "Ønsket retning", direction, "text", "regler"),
            claim(
                f"regel-{goal}",
                "smallest_change",
                "Minste endring som betyr noe",
                smallest,
                "percentage_points",
                "regler",
            ),
            claim(
                f"regel-{goal}", "minimum_evidence", "Svakeste grunnlag", evidence, "text", "regler"
            ),
        ]
    rows += [
        claim(f"regel-{goal}", "target_value", "Målverdi", level, "percent", "regler")
        for goal, level in TARGETS.items()
    ]
    for one in INDICATORS:
        rows.append(
            claim(
                f"sannhet-{one.indicator_id}",
                "effect",
                f"Sann effekt: {one.name}",
                one.effect,
                "percentage_points",
                "truth.toml",
            )
        )
    for item, change in truth["mean_item_change_wave_1"].items():
        rows.append(
            claim(
                f"sannhet-{item}",
                "change",
                f"Sann endring i andel enige: {item}",
                float(rounded(100 * change, 1)),
                "percentage_points",
                "truth.toml",
            )
        )
    return rows


def _as_text(name: str, rows: list[dict] | pd.DataFrame) -> pd.DataFrame:
    """Rows with the columns of their contract, every cell text or missing."""
    table = pd.DataFrame(rows)
    defaults = {"source": SOURCE, "locator": "generatoren"}
    columns = list(columns_of(CONTRACTS[name]))
    shaped = table.reindex(columns=columns)
    for column, value in defaults.items():
        shaped[column] = shaped[column].astype(object).fillna(value)
    return pd.DataFrame({column: _text(shaped[column]) for column in columns})


def _text(values: pd.Series) -> pd.Series:
    """Numbers in their shortest form; texts as they are."""
    if not pd.api.types.is_numeric_dtype(values):
        return values.map(_cell_text, na_action="ignore").astype("str")
    distinct = values.drop_duplicates().dropna()
    return values.map({value: _cell_text(value) for value in distinct}).astype("str")


def _cell_text(value: object) -> str:
    return np.format_float_positional(value, trim="-") if isinstance(value, float) else str(value)
