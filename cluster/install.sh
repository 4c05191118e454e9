#!/usr/bin/env bash
# Prepare this machine as a node: the versions of constraints.txt in ~/.speech-sweep/venv; the sources stay in
# ~/speech-sweep. `ray up` runs it on every node; packages are reinstalled only when either file has changed.
set -euo pipefail

sources=$HOME/speech-sweep
place=$HOME/.speech-sweep
wanted=$(cat "$sources/pyproject.toml" "$sources/constraints.txt" | sha256sum | cut -d ' ' -f 1)

mkdir -p "$place"
if [ "$(cat "$place/installed" 2>/dev/null || true)" != "$wanted" ]; then
  export PATH="$place/bin:$PATH"
  if ! command -v uv >/dev/null; then
    curl -LsSf https://astral.sh/uv/install.sh | env UV_INSTALL_DIR="$place/bin" UV_NO_MODIFY_PATH=1 sh
  fi
  rm -rf "$place/venv"
  uv venv --quiet --python 3.11 "$place/venv"
  # Dependencies only: the project is imported from its sources, so `ray up` updates it without a reinstall.
  uv pip install --quiet --python "$place/venv/bin/python" --constraints "$sources/constraints.txt" \
    --requirements "$sources/pyproject.toml" --extra demo
  echo "$wanted" >"$place/installed"
fi

hook='. ~/speech-sweep/cluster/profile'
grep -qxF "$hook" ~/.bashrc 2>/dev/null || echo "$hook" >>~/.bashrc
