#!/usr/bin/env bash
# Makes sure of promtool for the tests of the alert rules. Running it again is harmless. Debian's package is only
# unpacked: installed, it would start a Prometheus server.
set -euo pipefail

TARGET=/usr/local/bin/promtool

if command -v promtool > /dev/null; then
  echo "promtool: $(command -v promtool)"
  exit 0
fi
as_root() { if ((EUID == 0)); then "$@"; else sudo "$@"; fi; }
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
# Without a list of packages that is up to date the download may name a file that is gone.
apt-get download -qq prometheus 2> /dev/null || {
  as_root apt-get update -qq
  apt-get download -qq prometheus
}
dpkg-deb --extract prometheus_*.deb .
as_root install -m 0755 usr/bin/promtool "$TARGET"
echo "promtool: $TARGET"
