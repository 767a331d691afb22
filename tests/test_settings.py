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
        ("timeout_seconds = 0\n" + SETTINGS, "timeout_seconds is 0; expected seconds for each"),
        ("memory_mb = -1\n" + SETTINGS, "memory_mb is -1; expected megabytes for each notebook"),
        (SETTINGS.replace('"0301"', '"٠٣٠١"'), "municipality '٠٣٠١' in part 1; expected four"),
        ('status_date = "٢٠٢١-12-01"\n' + SETTINGS, "status_date is '٢٠٢١-12-01'; expected a day"),
        (SETTINGS.replace('["0301", "3801"]', "301"), "part 1 holds something else than title"),
    ],
)
def test_a_wrong_setting_says_what_was_expected(tmp_path, text, message):
    with pytest.raises(ConfigError, match=message):
        settings(tmp_path, text)


def test_settings_that_are_not_utf_8_say_where_and_what_to_do(tmp_path):
    (tmp_path / "study.toml").write_bytes("# første\ntitle = 'Bærum'".encode("latin-1"))

    with pytest.raises(
        ConfigError, match=r"study\.toml: line 1 holds a byte that is not UTF-8 \(0xf8\); save"
    ):
        read_settings(tmp_path)


def test_settings_with_the_mark_that_windows_editors_put_first_are_read(tmp_path):
    (tmp_path / "study.toml").write_text(SETTINGS, encoding="utf-8-sig")

    assert read_settings(tmp_path).period == (2019, 2023)


def test_settings_that_cannot_be_read_say_so(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    (tmp_path / "study.toml").write_text(SETTINGS, encoding="utf-8")
    monkeypatch.setattr("pathlib.Path.read_bytes", refuse)

    with pytest.raises(
        ConfigError, match=r"study\.toml cannot be read: Permission denied; see who"
    ):
        read_settings(tmp_path)


def test_the_limits_of_a_notebook_are_those_that_the_documentation_names(tmp_path, project_dir):
    from evalkit.runs import run

    read = settings(tmp_path, SETTINGS)
    text = (project_dir / "docs" / "scaling.md").read_text(encoding="utf-8")

    assert f"{read.timeout_seconds} seconds and {read.memory_mb} MB beyond" in text
    assert (read.timeout_seconds, read.memory_mb) == (run.TIMEOUT_SECONDS, run.MEMORY_MB)


def test_settings_with_characters_that_are_not_seen_are_refused(tmp_path):
    (tmp_path / "study.toml").write_text(f"# \u202e\n{SETTINGS}", encoding="utf-8")

    with pytest.raises(ConfigError, match=r"characters that are not seen \(U\+202E\)"):
        read_settings(tmp_path)
