#!/usr/bin/env bash
# What the tests need beyond Python: a container engine, OCI clients, another registry, an identity provider, mmdebstrap,
# PostgreSQL, Chromium, restic, nginx. Installs what is missing from Debian packages (some with Go or npm below .tools);
# never starts a service, never touches an engine or database that is already there.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '\033[2m[set-up]\033[0m %s\n' "$*"; }
missing=()
need() { command -v "$1" >/dev/null || [ -x "$1" ] || missing+=("$2"); }

need dockerd docker.io
need mmdebstrap mmdebstrap
need chromium chromium
need ip iproute2
need iptables iptables
need openssl openssl
[ -x /bin/busybox ] && file -b /bin/busybox 2>/dev/null | grep -q 'statically' || dpkg -s busybox-static >/dev/null 2>&1 || missing+=(busybox-static)
need skopeo skopeo
need buildah buildah
need docker-registry docker-registry
need restic restic
need softhsm2-util softhsm2
command -v nginx >/dev/null || need /usr/sbin/nginx nginx-light
need rpmbuild rpm
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null || missing+=(postgresql)

# An S3-compatible server that is sturdier than the one among the Python packages, where Go is there to build it.
if ! command -v versitygw >/dev/null && command -v go >/dev/null && [ -w /usr/local/bin ]; then
  say "building versitygw, an S3-compatible server, with Go"
  GOBIN=/usr/local/bin GOFLAGS=-buildvcs=false go install github.com/versity/versitygw/cmd/versitygw@v1.8.0 >/dev/null 2>&1 \
    || say "versitygw could not be built; the tests use moto alone"
fi

# The public conformance suite of registries, in its two forms, and further OCI clients: versions and hashes are in the
# modules' go.sum.
oci_tools=$PWD/.tools/oci
suite=github.com/opencontainers/distribution-spec/conformance
build_oci_tools() {
  export GOBIN="$oci_tools" GOFLAGS="-buildvcs=false -mod=readonly"
  (cd tests/oci_programs && go install tool) && (cd tests/oci_programs/conformance_1_1 && go test -c -o "$oci_tools/conformance-1.1" $suite)
}
built=$(cat tests/oci_programs/go.sum tests/oci_programs/conformance_1_1/go.sum | sha256sum)
if command -v go >/dev/null && [ "$(cat "$oci_tools/built" 2>/dev/null)" != "$built" ]; then
  say "building the conformance suites, crane, oras and regctl with Go"
  if (build_oci_tools) >/tmp/lading-go.$$ 2>&1; then
    echo "$built" >"$oci_tools/built"
  else
    tail -n 5 /tmp/lading-go.$$ >&2
    say "they could not be built; the tests that need them say so and are skipped"
  fi
  rm -f /tmp/lading-go.$$
fi

# An OpenID Connect provider, with the npm that the development packages bring along.
provider=tests/oidc_provider
if ! cmp -s "$provider/package-lock.json" .tools/oidc_provider/package-lock.json; then
  say "installing an OpenID Connect provider with npm"
  mkdir -p .tools/oidc_provider && cp "$provider/package.json" .tools/oidc_provider/
  cp "$provider/package-lock.json" .tools/oidc_provider/
  (cd .tools/oidc_provider && PATH="$OLDPWD/.venv/bin:$PATH" npm ci --ignore-scripts --no-audit --no-fund --loglevel=error) \
    || { rm -f .tools/oidc_provider/package-lock.json; say "npm could not install it; the tests that need it say so"; }
fi

[ ${#missing[@]} -eq 0 ] && exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  echo "[set-up] The tests need: ${missing[*]}. Install them (on Debian: apt-get install ${missing[*]}) and run again." >&2
  exit 1
fi
say "installing ${missing[*]} from Debian packages"
guard=/usr/sbin/policy-rc.d
made_guard=no
if [ ! -e "$guard" ]; then  # so that no package starts a service of its own
  printf '#!/bin/sh\nexit 101\n' > "$guard" && chmod 755 "$guard" && made_guard=yes
fi
trap '[ "$made_guard" = yes ] && rm -f "$guard"' EXIT
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/tmp/lading-apt.$$ 2>&1 || {
  tail -n 20 /tmp/lading-apt.$$ >&2
  echo "[set-up] apt-get could not install ${missing[*]}; see above." >&2
  exit 1
}
rm -f /tmp/lading-apt.$$
