#!/usr/bin/env bash
# Make this machine ready to be a node: the pinned packages in ~/.speech-sweep/venv, the sources as they lie in
# ~/speech-sweep. `ray up` runs it on every node; packages are installed again only after pyproject.toml changed.
set -euo pipefail

sources=$HOME/speech-sweep
place=$HOME/.speech-sweep
wanted=$(sha256sum "$sources/pyproject.toml" | cut -d ' ' -f 1)

mkdir -p "$place"
if [ "$(cat "$place/installed" 2>/dev/null || true)" != "$wanted" ]; then
  export PATH="$place/bin:$PATH"
  if ! command -v uv >/dev/null; then
    curl -LsSf https://astral.sh/uv/install.sh | env UV_INSTALL_DIR="$place/bin" UV_NO_MODIFY_PATH=1 sh
  fi
  rm -rf "$place/venv"
  uv venv --quiet --python 3.11 "$place/venv"
  # Not the project itself: it is read where it lies, so that the next `ray up` brings changes without an install.
  uv pip install --quiet --python "$place/venv/bin/python" --requirements "$sources/pyproject.toml" --extra demo
  echo "$wanted" >"$place/installed"
fi

hook='. ~/speech-sweep/cluster/profile'
grep -qxF "$hook" ~/.bashrc 2>/dev/null || echo "$hook" >>~/.bashrc
