#!/usr/bin/env bash
# Makes sure of a Chromium for the page's tests. Running it again is harmless.
set -euo pipefail

for name in chromium chromium-browser google-chrome; do
  if command -v "$name" > /dev/null; then
    echo "chromium: $(command -v "$name")"
    exit 0
  fi
done
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium > /dev/null
echo "chromium: installed"
