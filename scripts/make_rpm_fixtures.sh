#!/usr/bin/env bash
# Make the databases in tests/golden/packages with rpm and Berkeley DB themselves (Debian: rpm, db5.3-util, zstd).
#
# NDB is left out of Debian's rpm: give the path of a program that writes one (arguments: the database, then a file
# for each header) as NDB_WRITER; it takes some lines around rpmpkg.c of rpm's own source. Without it that file stays.
set -euo pipefail
cd "$(dirname "$0")/.."
out="$PWD/tests/golden/packages"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"

spec() { # name epoch version release module files
  cat > "$1.spec" <<SPEC
Name: $1
Epoch: $2
Version: $3
Release: $4
Summary: made for a test
License: MIT AND BSD-3-Clause
Vendor: Nobody in particular
${5:+ModularityLabel: $5}
%description
made for a test
%install
mkdir -p %{buildroot}/usr/lib/$1 %{buildroot}/usr/bin
echo 1 > %{buildroot}/usr/bin/$1
for n in \$(seq 1 $6); do echo \$n > %{buildroot}/usr/lib/$1/file-\$n; done
%files
/usr/bin/$1
/usr/lib/$1
SPEC
  rpmbuild -bb --quiet --target x86_64 --define "_topdir $work/top" --define "_buildhost nowhere.invalid" \
    --define "source_date_epoch_from_changelog 0" --define "_build_id_links none" "$1.spec"
}
spec anchor 0 1.4 3.el9 "" 3
spec buoy 2 2.36~rc1 9.el9_4.1 "" 400
spec compass 0 18.20.4 1.module_el9+1111+22 nodejs:18:9040020240807:rhel9 1
for n in $(seq 1 12); do spec "crate$n" 0 "1.$n" 1.el9 "" "$n"; done

rpm --dbpath "$work/db" --define "_db_backend sqlite" --initdb
rpm --dbpath "$work/db" --define "_db_backend sqlite" -i --nodeps --justdb --noscripts --force-debian --ignorearch \
  top/RPMS/x86_64/*.rpm
form='%{NAME} %|EPOCH?{%{EPOCH}:}:{}|%{VERSION}-%{RELEASE} %{ARCH} %{SOURCERPM} %{MODULARITYLABEL} [%{FILENAMES},]\n'
rpm --dbpath "$work/db" --define "_db_backend sqlite" -qa --qf "$form" | sort > "$out/rpm.txt"

python3 - "$work" <<'PYTHON'
import pathlib, sqlite3, sys

work = pathlib.Path(sys.argv[1])
rows = sqlite3.connect(work / "db/rpmdb.sqlite").execute("SELECT hnum, blob FROM Packages ORDER BY hnum").fetchall()
for number, blob in rows:
    (work / f"header-{number:03}").write_bytes(blob)
for name, order in (("little", 1234), ("big", 4321)):
    words = ["VERSION=3", "format=bytevalue", "type=hash", f"db_lorder={order}", "db_pagesize=4096", "HEADER=END"]
    byte_order = "little" if order == 1234 else "big"
    words += [" 00000000", " " + (len(rows) + 1).to_bytes(4, byte_order).hex()]
    for number, blob in rows:
        words += [" " + number.to_bytes(4, byte_order).hex(), " " + blob.hex()]
    (work / f"{name}.dump").write_text("\n".join([*words, "DATA=END", ""]))
PYTHON
db5.3_load -f little.dump Packages-little-endian
db5.3_load -f big.dump Packages-big-endian
# The order of bytes of the numbers in an NDB is always the same.
if [ -n "${NDB_WRITER:-}" ]; then "$NDB_WRITER" Packages.db header-*; fi
cp db/rpmdb.sqlite .
for name in rpmdb.sqlite Packages-little-endian Packages-big-endian Packages.db; do
  if [ -e "$name" ]; then zstd -q -19 -f "$name" -o "$out/$name.zst"; fi
done
