"""Each module imports only from layers below its own."""

import ast

import pytest
from conftest import PROJECT

PACKAGE = PROJECT / "src" / "evalkit"

# From the top down; a module may import from lower rows and from its own row.
LAYERS = [
    ["cli"],
    ["municipality_reports", "study_prose"],
    ["studies"],
    ["processing"],
    ["runs", "book", "short_report", "new_study", "study_status"],
    ["tables", "figures"],
    ["display", "markdown", "references"],
    [
        "coded_exports",
        "demo",
        "feedback",
        "large_observations",
        "observation_store",
        "observation_writer",
        "readers",
        "qda_files",
        "qda_texts",
        "series",
        "store",
        "word_drafts",
        "word_parts",
    ],
    ["checks", "reference_circles"],
    [
        "attainment",
        "baseline",
        "bootstrap",
        "coding",
        "comparability",
        "conflict_weights",
        "controlled_change",
        "disclosure",
        "effect_limits",
        "effect_review",
        "facts",
        "free_text",
        "goals",
        "grants",
        "published_indicators",
        "indicators",
        "interruptions",
        "linkage",
        "logic_model",
        "municipalities",
        "municipality_changes",
        "originals",
        "plan_review",
        "person_counts",
        "pooling",
        "preparation",
        "protected_claims",
        "protected_surveys",
        "process",
        "prose_review",
        "publication",
        "readiness",
        "staggered_starts",
        "survey",
        "synthetic_controls",
    ],
    [
        "agreement",
        "autocorrelation",
        "detectable",
        "multiplicity",
        "prediction_limits",
        "rates",
        "reliability",
        "weighting",
    ],
    ["contracts", "settings", "uncertainty"],
    ["norwegian", "prose", "reasons", "small_counts"],
    ["accepted"],
    ["groups"],
    ["archives", "characters", "csv_files", "identifiers", "programs"],
    ["vocabulary", "errors", "files", "shared", "units"],
]
LEVEL = {module: -depth for depth, layer in enumerate(LAYERS) for module in layer}


def modules():
    """Every module below the package with the row it belongs to."""
    return [
        (path, path.relative_to(PACKAGE).parts[0].removesuffix(".py"))
        for path in sorted(PACKAGE.rglob("*.py"))
        if path != PACKAGE / "__init__.py"
    ]


def imported(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("evalkit"):
            parts = node.module.split(".")[1:]
            yield from [parts[0]] if parts else [alias.name for alias in node.names]
        elif isinstance(node, ast.Import):
            yield from (
                alias.name.split(".")[1]
                for alias in node.names
                if alias.name.startswith("evalkit.")
            )


@pytest.mark.parametrize(
    ("path", "module"), modules(), ids=lambda value: value if isinstance(value, str) else value.name
)
def test_a_module_imports_only_from_its_own_layer_or_below(path, module):
    assert module in LEVEL, f"{module} has no layer; give it one in ARCHITECTURE.md and here"

    above = {name for name in imported(path) if LEVEL[name] > LEVEL[module]}

    assert not above


def test_analysis_reads_no_file_and_no_clock():
    first = next(n for n, layer in enumerate(LAYERS) if "survey" in layer)
    pure = {module for layer in LAYERS[first : first + 2] for module in layer} - {"coding"}
    forbidden = {"pathlib", "os", "datetime", "time", "random", "open"}

    for path, module in modules():
        if module in pure:
            tree = ast.parse(path.read_text(encoding="utf-8"))
            used = {
                name.split(".")[0]
                for node in ast.walk(tree)
                if isinstance(node, ast.Import | ast.ImportFrom)
                for name in (
                    [node.module or ""]
                    if isinstance(node, ast.ImportFrom)
                    else [alias.name for alias in node.names]
                )
            }
            assert not used & forbidden, f"{module} uses {used & forbidden}"
