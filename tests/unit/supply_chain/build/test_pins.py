from pathlib import Path

import pytest

from lading.supply_chain.build.pins import raise_pins


@pytest.mark.parametrize(
    ("line", "after"),
    [
        ("gunicorn==21.2.0", "gunicorn==22.0.0"),
        ("Gunicorn == 21.2.0  # why", "Gunicorn == 22.0.0  # why"),
        ("gunicorn[gevent]==21.2.0 ; python_version > '3'", "gunicorn[gevent]==22.0.0 ; python_version > '3'"),
        ("gunicorn>=21", None),
        ("my-gunicorn==21.2.0", None),
        ("gunicorn==22.0.0", None),
        ("# gunicorn==21.2.0", None),
    ],
)
def test_only_an_exact_pin_of_the_package_is_raised(tmp_path: Path, line: str, after: str | None) -> None:
    file = tmp_path / "requirements.txt"
    file.write_text(f"flask==3.1.3\n{line}\n")

    changes = raise_pins(tmp_path, "PyPI", "gunicorn", "22.0.0")

    assert file.read_text() == f"flask==3.1.3\n{after or line}\n"
    assert [change.line for change in changes] == ([2] if after else [])


def test_names_are_compared_as_the_index_does(tmp_path: Path) -> None:
    (tmp_path / "requirements-prod.txt").write_text("Typing_Extensions==4.0\n")

    (change,) = raise_pins(tmp_path, "PyPI", "typing-extensions", "4.1")

    assert change.after == "Typing_Extensions==4.1"


def test_npm_dependencies_keep_their_range_mark(tmp_path: Path) -> None:
    (tmp_path / "package.json").write_text('{\n "dependencies": {\n  "lodash": "^4.17.20"\n }\n}\n')

    (change,) = raise_pins(tmp_path, "npm", "lodash", "4.17.21")

    assert change.after == '"lodash": "^4.17.21"'


def test_links_and_other_ecosystems_are_left_alone(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("gunicorn==21.2.0\n")
    inside = tmp_path / "source"
    inside.mkdir()
    (inside / "requirements.txt").symlink_to(outside)

    assert raise_pins(inside, "PyPI", "gunicorn", "22.0.0") == []
    assert raise_pins(inside, "Debian:12", "gunicorn", "22.0.0") == []
    assert outside.read_text() == "gunicorn==21.2.0\n"
