from pathlib import Path

import pytest

from lading import settings
from lading.kernel.errors import InvalidInput


def test_defaults_are_those_that_the_documents_name() -> None:
    loaded = settings.load(environ={"LADING_DATA": "/nowhere"})

    assert [str(loaded.push_addr), str(loaded.pull_addr), str(loaded.api_addr)] == [
        "127.0.0.1:5000",
        "127.0.0.1:5001",
        "127.0.0.1:8080",
    ]


def test_a_flag_wins_over_the_environment_and_the_environment_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "lading.toml").write_text(
        'push_addr = "127.0.0.1:1"\npull_addr = "127.0.0.1:1"\napi_addr = "127.0.0.1:1"\n'
    )
    environ = {"LADING_DATA": str(tmp_path), "LADING_PULL_ADDR": "127.0.0.1:2", "LADING_API_ADDR": "127.0.0.1:2"}

    loaded = settings.load({"api_addr": "127.0.0.1:3"}, environ)

    assert (loaded.push_addr.port, loaded.pull_addr.port, loaded.api_addr.port) == (1, 2, 3)


@pytest.mark.parametrize(
    ("name", "value"),
    [("PUSH_ADDR", "5000"), ("PUSH_ADDR", "h:99999"), ("POLL_SECONDS", "-1"), ("PRIVATE_ENGINE", "maybe"), ("TELEMETRY_DAYS", "x")],
)  # fmt: skip
def test_a_wrong_value_names_the_variable(name: str, value: str) -> None:
    with pytest.raises(InvalidInput, match=f"LADING_{name}"):
        settings.load(environ={"LADING_DATA": "/nowhere", f"LADING_{name}": value})


def test_an_unknown_key_of_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lading.toml").write_text("colour = 1\n")

    with pytest.raises(InvalidInput, match="'colour'"):
        settings.load(environ={"LADING_DATA": str(tmp_path)})


def test_every_setting_has_a_meaning() -> None:
    assert all(row.meaning.endswith(".") for row in settings.documented())


def test_the_tree_of_pulls_is_in_the_data_directory_elsewhere_or_nowhere() -> None:
    def directory(**said: str) -> Path | None:
        return settings.load(
            {"data": "/data"}, {f"LADING_{name}": value for name, value in said.items()}
        ).tree_directory

    assert directory() == Path("/data/tree")
    assert directory(TREE="/srv/tree") == Path("/srv/tree")
    assert directory(TREE="off") is None
