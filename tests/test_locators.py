"""Pages that rows of the pilot name stand in the chapters that they name, as the report's contents list them."""

import csv
import re
from pathlib import Path

import pytest

PILOT = Path(__file__).parents[1] / "data" / "raw" / "pilot"
# First page of each section, from the contents of Nordlandsforskning's report 2/2024, s. 1-3.
FIRST_PAGES = {
    **{"1.1": 11, "1.2": 11, "1.3": 12, "1.4": 13, "1.5": 14, "1.6": 15, "1.7": 16, "1.8": 17},
    **{"2.1": 18, "2.2": 18, "2.3": 23, "3.1": 27, "3.2": 28, "3.3": 30, "4": 33},
    **{"5": 34, "5.1": 34, "5.2": 35, "5.3": 37},
    **{"6": 39, "6.1": 39, "6.2": 40, "6.3": 44, "6.4": 58, "6.5": 60},
    **{"7": 64, "7.1": 64, "7.2": 65, "7.3": 68, "7.4": 78},
    **{"8": 84, "8.1": 84, "8.2": 85, "8.3": 88, "8.4": 100, "9": 104},
    **{"10": 105, "10.1": 105, "10.2": 106, "10.3": 110, "10.4": 112},
    **{"11": 116, "11.1": 116, "11.2": 117, "11.3": 119, "11.4": 125},
    **{"12": 128, "12.1": 128, "12.2": 129, "12.3": 131, "12.4": 146},
    **{"13.1": 151, "13.2": 153, "13.3": 161, "13.4": 167, "13.5": 173, "13.6": 174},
    **{"13.7": 176, "13.8": 178, "14": 179},
}
SECTION_AND_PAGES = re.compile(r"kap\. (\d+(?:\.\d)?)(?: \([^)]*\))?, s\. (\d+)(?:[–-](\d+))?")


def pages_of(section):
    """First and last page of a section; of a chapter, those before its first section too."""
    later = [
        page
        for other, page in FIRST_PAGES.items()
        if numbers(other) > numbers(section)
        and not ("." not in section and other.startswith(section + "."))
    ]
    return FIRST_PAGES[section], min(later)


def numbers(section):
    return [int(part) for part in section.split(".")]


def misplaced(locator):
    """Sections of a locator whose page is not theirs."""
    found = []
    for section, first, last in SECTION_AND_PAGES.findall(locator):
        begins, ends = pages_of(section)
        if not begins <= int(first) <= int(last or first) <= ends:
            found.append(section)
    return found


@pytest.mark.parametrize("table", sorted(path.name for path in PILOT.glob("*.csv")))
def test_a_page_stands_in_the_section_that_its_row_names(table):
    with (PILOT / table).open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["source"] == "nf2024"]

    wrong = [row["locator"] for row in rows if misplaced(row["locator"])]

    assert wrong == []


def test_a_page_of_another_section_is_told():
    assert misplaced("kap. 1.3, s. 14") == ["1.3"]
    assert misplaced("kap. 1.4, s. 14") == []
