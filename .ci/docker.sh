#!/usr/bin/env bash
# Makes sure of a Docker daemon for the Docker tests: uses the one that answers, else installs Debian's and
# starts it. Running it again is harmless. Becomes root only to install or to start something.
set -euo pipefail

LOG=${DOCKERD_LOG:-/var/log/hivegate-dockerd.log}
WAIT_SECONDS=60
SOCKET=/var/run/docker.sock

say() { echo "docker: $*"; }
fail() {
  say "$*" >&2
  exit 1
}
as_root() { if ((EUID == 0)); then "$@"; else sudo "$@"; fi; }
answers() {
  if command -v docker > /dev/null; then
    docker info > /dev/null 2>&1
  else
    curl --silent --fail --max-time 5 --unix-socket "$SOCKET" http://docker/_ping > /dev/null 2>&1
  fi
}
# A process that has ended but is not yet reaped does not count.
alive() { ps -C "$1" -o stat= | grep -q '^[^Z]'; }
# busybox that is not static is of no use in a container without libraries.
static_busybox() { command -v busybox > /dev/null && ! ldd "$(command -v busybox)" > /dev/null 2>&1; }

missing=()
answers || command -v dockerd > /dev/null || missing+=(docker.io)
static_busybox || missing+=(busybox-static)
if ((${#missing[@]} > 0)); then
  command -v apt-get > /dev/null || fail "install ${missing[*]} by hand: there is no apt-get here"
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}" iptables > /dev/null
fi

if answers; then
  say "a daemon answers"
  exit 0
fi

# An installed package may have started one that is not up yet; a second daemon would refuse to run beside it.
# One that was killed leaves a file with its pid, which would keep the next from starting.
if ! alive dockerd; then
  as_root rm -f /var/run/docker.pid
  alive containerd || as_root rm -f /var/run/docker/containerd/containerd.pid
  as_root setsid sh -c 'exec dockerd > "$1" 2>&1 < /dev/null' sh "$LOG" &
fi
for ((second = 0; second < WAIT_SECONDS; second++)); do
  if answers; then
    say "the daemon answers now (log: $LOG)"
    exit 0
  fi
  sleep 1
done
tail -n 20 "$LOG" >&2 || true
fail "no daemon answers after $WAIT_SECONDS s"
