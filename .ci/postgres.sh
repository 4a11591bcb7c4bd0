#!/usr/bin/env bash
# Makes sure of PostgreSQL's programs for the tests of the older database. Running it again is harmless. Debian's package would
# start a server of its own: the tests start theirs, each with a directory and a port of its own.
set -euo pipefail

say() { echo "postgres: $*"; }
as_root() { if ((EUID == 0)); then "$@"; else sudo "$@"; fi; }
installed() { compgen -G '/usr/lib/postgresql/*/bin/initdb' | sort -V | tail -n 1 || true; }

if [[ -z $(installed) ]] && ! command -v initdb > /dev/null; then
  command -v apt-get > /dev/null || { say "install PostgreSQL by hand: there is no apt-get here" >&2; exit 1; }
  as_root apt-get update -qq
  # Debian asks here whether to make a cluster when the package is installed.
  as_root mkdir -p /etc/postgresql-common
  [[ -e /etc/postgresql-common/createcluster.conf ]] ||
    echo 'create_main_cluster = false' | as_root tee /etc/postgresql-common/createcluster.conf > /dev/null
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql > /dev/null
fi
say "$(installed || command -v initdb)"
