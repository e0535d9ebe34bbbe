"""What real package managers wrote (made/, see made/README.md), compared as text with tests/golden/inventories."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

import pytest

from lading.supply_chain.inventory.catalogers import cataloger_for
from lading.supply_chain.inventory.layers import read_layer
from lading.supply_chain.inventory.merge import merge
from lading.supply_chain.inventory.values import ImageInventory, Package, PackageDatabase
from tar_layers import OS_RELEASE, distribution, entry, node_module, status, symlink, tar

MADE = Path(__file__).with_name("made")
GOLDEN = Path(__file__).resolve().parents[3] / "golden" / "inventories"


def read(path: str, content: bytes) -> PackageDatabase:
    cataloger = cataloger_for(path)
    assert cataloger is not None
    return cataloger.read(path, content)


def told(package: Package) -> str:
    words = [package.name, package.version, package.purl, *package.licenses]
    words += ["declared"] if package.declared_only else []
    words += [f"doubt: {package.doubt}"] if package.doubt else []
    return "  ".join((package.ecosystem, package.path, *words))


def written(path: Path) -> str:
    database = read(str(path.relative_to(MADE)), path.read_bytes())
    lines = sorted(told(package) for package in database.packages)
    lines += [f"owns {owned}" for owned in database.owns] + [f"gap {gap}" for gap in database.gaps]
    return "\n".join((f"# {database.path} ({database.cataloger})", *lines, ""))


def test_what_package_managers_wrote_is_read_as_the_golden_file_says() -> None:
    files = sorted(path for path in MADE.rglob("*") if path.is_file() and path.name != "README.md")
    made = "\n".join(written(path) for path in files)
    golden = GOLDEN / "languages.txt"
    if os.environ.get("LADING_WRITE_GOLDEN"):
        golden.write_text(made)

    assert made == golden.read_text()


def image(*contents: bytes) -> ImageInventory:
    return merge("sha256:i", [read_layer(f"sha256:{n}", io.BytesIO(one)) for n, one in enumerate(contents)])


def packages(*members: object) -> list[str]:
    return [f"{one.purl}{' declared' if one.declared_only else ''}" for one in image(tar(*members)).packages]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("path", "cataloger"),
    [
        ("app/app.jar", "java"),
        ("opt/x.war", "java"),
        ("app/META-INF/maven/g/a/pom.properties", "java"),
        ("META-INF/maven/g/a/pom.properties", "java"),
        ("src/pom.properties", None),
        ("usr/lib/ruby/gems/3.1.0/specifications/rake-13.0.6.gemspec", "ruby"),
        ("usr/lib/ruby/gems/3.1.0/specifications/default/json-2.6.1.gemspec", "ruby"),
        ("app/my.gemspec", None),
        ("Gemfile.lock", "ruby"),
        ("usr/lib/ruby/gems/3.1.0/gems/x-1.0/Gemfile.lock", None),
        ("srv/gems/shop/Gemfile.lock", "ruby"),
        ("srv/myvendor/composer.lock", "php"),
        ("vendor/a/b/composer.lock", None),
        ("app/vendor/composer/installed.json", "php"),
        ("app/composer.lock", "php"),
        ("app/vendor/a/b/composer.lock", None),
        ("app/installed.json", None),
        ("app/app.deps.json", "dotnet"),
        ("packages.lock.json", "dotnet"),
        ("app/xpackages.lock.json", None),
        ("app/yarn.lock", "npm"),
        ("app/pnpm-lock.yaml", "npm"),
        ("npm-shrinkwrap.json", "npm"),
        ("app/node_modules/x/yarn.lock", None),
        ("opt/conda/conda-meta/python-3.11.json", "conda"),
        ("opt/conda/conda-meta/history", None),
        ("usr/lib/python3/dist-packages/x.egg-info", "python"),
        ("usr/lib/python3/dist-packages/x.egg-info/PKG-INFO", "python"),
        ("usr/lib/python3/dist-packages/x.egg-info/SOURCES.txt", None),
        ("usr/lib/python3/site-packages/x-1.0.egg/EGG-INFO/PKG-INFO", "python"),
        ("usr/lib/python3/site-packages/x-1.0.egg", "python-archive"),
        ("usr/lib/python3.11/ensurepip/_bundled/pip-23.whl", "python-archive"),
        ("opt/game/panda.egg", None),
        ("app/requirements.txt", "python-lock"),
        ("app/requirements-prod.txt", "python-lock"),
        ("app/notes.txt", None),
        ("app/poetry.lock", "python-lock"),
        ("usr/lib/python3/site-packages/x/requirements.txt", None),
    ],
)
def test_who_reads_which_file(path: str, cataloger: str | None) -> None:
    found = cataloger_for(path)

    assert (found.name if found else None) == cataloger


def test_a_lock_file_whose_packages_are_installed_is_silent() -> None:
    lock = ("app/requirements.txt", b"flask==1.0\nsix==1.0\n")

    assert packages(lock, distribution("flask", "1.0")) == ["pkg:pypi/flask@1.0"]
    assert packages(lock, distribution("flask", "2.0")) == [
        "pkg:pypi/flask@1.0 declared",
        "pkg:pypi/flask@2.0",
        "pkg:pypi/six@1.0 declared",
    ]


def test_lock_files_of_node_are_silent_where_something_is_installed_beside_them() -> None:
    lock = ("app/yarn.lock", (MADE / "yarn-1" / "yarn.lock").read_bytes())

    assert packages(lock, node_module("ms", "9.9.9")) == ["pkg:npm/ms@9.9.9"]
    assert "pkg:npm/left-pad@1.3.0 declared" in packages(lock, node_module("ms", "9.9.9", "elsewhere"))


def test_composer_lock_is_silent_where_composer_installed() -> None:
    lock = ("app/composer.lock", (MADE / "php" / "composer.lock").read_bytes())
    installed = ("app/vendor/composer/installed.json", b'{"packages": [{"name": "made/one", "version": "9.0"}]}')

    assert packages(lock, installed) == ["pkg:composer/made/one@9.0"]


def test_a_wheel_that_lies_about_is_declared_only_until_it_is_installed() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("made/__init__.py", "")
        archive.writestr("made-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: made\nVersion: 1.0\n\n")
    wheel = ("wheels/made-1.0-py3-none-any.whl", out.getvalue())

    assert packages(wheel) == ["pkg:pypi/made@1.0 declared"]
    assert packages(wheel, distribution("made", "1.0")) == ["pkg:pypi/made@1.0"]


def test_a_python_distribution_of_a_conda_package_says_so() -> None:
    meta = MADE / "conda" / "conda-meta" / "idna-3.7-pyhd8ed1ab_0.json"
    where = "opt/conda/lib/python3.11/site-packages"
    found = image(tar(("opt/conda/conda-meta/idna-3.7.json", meta.read_bytes()), distribution("idna", "3.7", where)))

    assert {one.ecosystem: (one.source, one.source_version) for one in found.packages} == {
        "Conda": ("", ""),
        "PyPI": ("conda:idna", "3.7"),
    }


def test_files_of_gems_composer_packages_and_conda_environments_are_owned() -> None:
    gem = MADE / "ruby" / "specifications" / "made-1.2.0.gemspec"
    installed = MADE / "php" / "vendor" / "composer" / "installed.json"
    meta = MADE / "conda" / "conda-meta" / "idna-3.7-pyhd8ed1ab_0.json"
    found = image(
        tar(
            ("gems/specifications/made-1.2.0.gemspec", gem.read_bytes()),
            ("gems/gems/made-1.2.0/lib/made.rb", b"1"),
            ("app/vendor/composer/installed.json", installed.read_bytes()),
            ("app/vendor/made/one/src/One.php", b"1"),
            ("opt/conda/conda-meta/idna-3.7.json", meta.read_bytes()),
            ("opt/conda/lib/python3.11/site-packages/idna/__init__.py", b"1"),
            ("app/index.php", b"1"),
        )
    )

    assert (found.files, found.unowned_files) == (7, 1)


def test_a_jar_of_a_deb_package_is_provided_by_it_with_all_that_lies_in_it() -> None:
    war = (MADE / "java" / "web-1.2.0.war").read_bytes()
    listed = b"/.\n/usr/share/java/web.war\n"
    found = image(
        tar(OS_RELEASE, status(("libweb-java", "1.2.0-1")), ("var/lib/dpkg/info/libweb-java.list", listed),
            ("usr/share/java/web.war", war), symlink("usr/share/java/web-latest.war", "web.war"))
    )  # fmt: skip

    java = [one for one in found.packages if one.ecosystem == "Maven"]
    assert len(java) == 6
    assert {one.provided_by for one in java} == {"libweb-java"}
    assert found.gaps == ()


def test_nested_jars_keep_their_place_when_a_lower_link_moves_the_archive() -> None:
    war = (MADE / "java" / "web-1.2.0.war").read_bytes()
    found = image(tar(entry("usr/lib/x", b""), symlink("lib", "usr/lib")), tar(("lib/web.war", war)))

    assert {one.path for one in found.packages} >= {"usr/lib/web.war", "usr/lib/web.war!/WEB-INF/lib/inner-1.2.0.jar"}
