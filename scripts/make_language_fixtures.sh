#!/bin/bash
# Make tests/unit/supply_chain/inventory/made again with the real package managers, as far as this machine has them.
#
#     bash scripts/make_language_fixtures.sh
#
# Needs npm, python3, java and mvn, and Debian's ruby, bundler, php-cli and composer; a tool that is missing leaves its
# files as they are. Registries are those that the tools are set up for. dotnet/, conda/, poetry/ and
# python/requirements.txt are written by hand. Run the tests with LADING_WRITE_GOLDEN=1 afterwards and read what changed.
set -eu
made="$(cd "$(dirname "$0")/.." && pwd)/tests/unit/supply_chain/inventory/made"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"

has() {
    command -v "$1" > /dev/null || { echo "$1 is not installed: its files stay as they are" >&2; return 1; }
}

node_project() {
    mkdir -p "$1"
    cat > "$1/package.json" << 'END'
{"name": "made", "version": "1.0.0", "private": true,
 "dependencies": {"@types/ms": "0.7.34", "ms": "2.1.3", "semver-alias": "npm:left-pad@1.3.0", "debug": "4.3.4"},
 "devDependencies": {"isarray": "2.0.5"}}
END
}

if has npm; then
    for form in 1 2 3; do
        node_project "npm-$form"
        (cd "npm-$form" && npm install --package-lock-only --lockfile-version "$form" > /dev/null)
        cp "npm-$form/package-lock.json" "$made/npm-$form/"
    done
    mkdir tools
    (cd tools && npm install --no-save --prefix . yarn@1.22.22 @yarnpkg/cli-dist@4.5.0 \
        pnpm5@npm:pnpm@7.33.7 pnpm6@npm:pnpm@8.15.9 pnpm9@npm:pnpm@9.15.0 > /dev/null)
    node_project yarn-1
    (cd yarn-1 && node ../tools/node_modules/yarn/bin/yarn.js install --ignore-scripts > /dev/null)
    node_project yarn-4
    printf 'nodeLinker: node-modules\nenableTelemetry: false\n' > yarn-4/.yarnrc.yml
    touch yarn-4/yarn.lock
    (cd yarn-4 && YARN_NPM_REGISTRY_SERVER="$(npm config get registry)" \
        node ../tools/node_modules/@yarnpkg/cli-dist/bin/yarn.js install --mode=update-lockfile > /dev/null)
    cp yarn-1/yarn.lock "$made/yarn-1/" && cp yarn-4/yarn.lock "$made/yarn-4/"
    for form in 5 6 9; do
        node_project "pnpm-$form"
        (cd "pnpm-$form" && node "../tools/node_modules/pnpm$form/bin/pnpm.cjs" install --lockfile-only > /dev/null)
        cp "pnpm-$form/pnpm-lock.yaml" "$made/pnpm-$form/"
    done
fi

if has python3; then
    python3 -m venv venv
    venv/bin/pip install --quiet uv pipenv 'setuptools<70'
    mkdir uv pipenv egg egg/made
    cat > uv/pyproject.toml << 'END'
[project]
name = "made"
version = "1.0.0"
requires-python = ">=3.11"
dependencies = ["idna==3.7", "zipp==3.20.0"]
[dependency-groups]
dev = ["six==1.16.0"]
END
    (cd uv && ../venv/bin/uv lock --quiet)
    printf '[packages]\nidna = "==3.7"\n[dev-packages]\nsix = "==1.16.0"\n' > pipenv/Pipfile
    (cd pipenv && PIPENV_IGNORE_VIRTUALENVS=1 ../venv/bin/pipenv lock > /dev/null 2>&1)
    touch egg/made/__init__.py
    cat > egg/setup.py << 'END'
from setuptools import setup
setup(name="made_egg", version="1.5.0", packages=["made"], license="MIT", zip_safe=True)
END
    (cd egg && ../venv/bin/python setup.py --quiet bdist_egg 2> /dev/null)
    cp uv/uv.lock "$made/uv/" && cp pipenv/Pipfile.lock "$made/pipenv/" && cp egg/dist/*.egg "$made/python/"
fi

gem_of() { # name version extra-lines
    mkdir -p "$1/lib" && echo 'module Made; end' > "$1/lib/made.rb"
    cat > "$1/$1.gemspec" << END
Gem::Specification.new do |s|
  s.name = "$1"; s.version = "$2"; s.summary = "Made for a test"; s.authors = ["Lading"]
  s.files = ["lib/made.rb"]; s.homepage = "https://example.org"
  $3
end
END
    (cd "$1" && gem build "$1.gemspec" > /dev/null 2>&1 && mv ./*.gem ../repository/gems/)
}

if has gem && has bundle; then
    mkdir -p ruby/repository/gems ruby/app && cd ruby
    gem_of made 1.3.0.pre1 's.licenses = ["MIT", "Ruby"]'
    gem_of made 1.2.0 's.licenses = ["MIT", "Ruby"]; s.add_dependency "other-made", "~> 2.0"'
    gem_of other-made 2.1.4 's.license = "Apache-2.0"; s.platform = Gem::Platform.new("x86_64-linux")'
    gem install --local --no-document --force --install-dir home repository/gems/*.gem > /dev/null
    (cd repository && gem generate_index . > /dev/null 2>&1)
    printf 'source "file://%s/repository"\ngem "made", "1.2.0"\n' "$PWD" > app/Gemfile
    (cd app && bundle lock > /dev/null)
    cp home/specifications/*.gemspec "$made/ruby/specifications/"
    sed "s#file://$PWD/repository/#file:///srv/gems/#" app/Gemfile.lock > "$made/ruby/app/Gemfile.lock"
    cd ..
fi

if has composer; then
    mkdir -p php/pkgs/one php/pkgs/two php/pkgs/dev && cd php
    echo '{"name":"made/one","version":"1.4.0","license":"MIT","type":"library","require":{"made/two":"^2.0"}}' > pkgs/one/composer.json
    echo '{"name":"made/two","version":"v2.0.1","license":["GPL-2.0-or-later","MIT"]}' > pkgs/two/composer.json
    echo '{"name":"made/dev","version":"0.1.0","license":"proprietary"}' > pkgs/dev/composer.json
    cat > composer.json << 'END'
{"name": "made/app", "require": {"made/one": "*"}, "require-dev": {"made/dev": "*"},
 "repositories": [{"packagist.org": false}, {"type": "path", "url": "pkgs/*", "options": {"symlink": false}}]}
END
    COMPOSER_ALLOW_SUPERUSER=1 composer install --quiet
    cp vendor/composer/installed.json "$made/php/vendor/composer/" && cp composer.lock "$made/php/"
    cd ..
fi

module() { # name extra-xml
    mkdir -p "$1/src/main/java/org/example/made/$1"
    echo "package org.example.made.$1; public class Thing { }" > "$1/src/main/java/org/example/made/$1/Thing.java"
    cat > "$1/pom.xml" << END
<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<parent><groupId>org.example.made</groupId><artifactId>parent</artifactId><version>1.2.0</version></parent>
<artifactId>$1</artifactId>$2</project>
END
}

needs() { # artifact version
    echo "<dependency><groupId>org.example.made</groupId><artifactId>$1</artifactId><version>$2</version></dependency>"
}

plugin() { # artifact version extra-xml
    echo "<build><plugins><plugin><groupId>org.apache.maven.plugins</groupId><artifactId>$1</artifactId>" \
        "<version>$2</version>$3</plugin></plugins></build>"
}

if has mvn; then
    mkdir java && cd java
    cat > pom.xml << 'END'
<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>org.example.made</groupId><artifactId>parent</artifactId><version>1.2.0</version><packaging>pom</packaging>
<properties><maven.compiler.source>17</maven.compiler.source><maven.compiler.target>17</maven.compiler.target></properties>
<modules><module>inner</module><module>other</module><module>shaded</module><module>web</module></modules></project>
END
    module inner ""
    module other ""
    module shaded "<version>2.0.0</version><licenses><license><name>MIT</name></license></licenses>
<dependencies>$(needs inner 1.2.0)$(needs other 1.2.0)</dependencies>
$(plugin maven-shade-plugin 3.5.1 '<executions><execution><phase>package</phase><goals><goal>shade</goal></goals></execution></executions>')"
    module web "<packaging>war</packaging><dependencies>$(needs inner 1.2.0)$(needs shaded 2.0.0)</dependencies>
$(plugin maven-war-plugin 3.4.0 '<configuration><failOnMissingWebXml>false</failOnMissingWebXml></configuration>')"
    mvn -q -B package
    cp web/target/web-1.2.0.war "$made/java/"
    cd ..
fi
