import pytest
from studies import SETTINGS

from evalkit.errors import ConfigError
from evalkit.settings import read_settings


def settings(folder, text):
    (folder / "study.toml").write_text(text, encoding="utf-8")
    return read_settings(folder)


def test_settings_are_read_with_their_defaults(tmp_path):
    read = settings(tmp_path, SETTINGS)

    assert read.period == (2019, 2023)
    assert read.municipality_codes == ["0301", "3801"]
    assert read.smallest_count == 5
    assert read.language == "nb"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (SETTINGS + "colour = 1\n", None),
        (SETTINGS.replace("period", "periode"), "unknown setting 'periode'"),
        (SETTINGS.replace("[2019, 2023]", "[2023, 2019]"), "expected|period holds"),
        (SETTINGS.replace('"0301"', "0301"), "in quotes"),
        (SETTINGS.replace('"0301"', '"301"'), "municipality '301' in part 1; expected four digits"),
        ('smallest_count = "5"\n' + SETTINGS, "smallest_count is a str; expected a int"),
        ('report = "annual"\n' + SETTINGS, "report is 'annual'; expected plan"),
        ("smallest_count = 0\n" + SETTINGS, "smallest_count is below 1"),
    ],
)
def test_a_wrong_setting_says_what_was_expected(tmp_path, text, message):
    with pytest.raises(ConfigError, match=message):
        settings(tmp_path, text)
