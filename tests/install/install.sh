#!/usr/bin/env bash
# Installs Thoth in every way that needs no model hub, each into a folder of its own, and runs `thoth try` with it.
#
# In a fresh Debian, as root, with a clone of this repository in /thoth:
#
#   apt-get update && apt-get install -y python3-venv git
#   git config --global --add safe.directory /thoth/.git    # where it belongs to another user, as in a volume
#   bash /thoth/tests/install/install.sh
#
# A fresh Debian is a container, `docker run --rm -it -v "$PWD:/thoth:ro" debian:bookworm`, or a folder:
#
#   mmdebstrap --variant=minbase bookworm ROOT && git clone . ROOT/thoth
#   cp /etc/resolv.conf ROOT/etc && mount --bind /proc ROOT/proc && mount --rbind /dev ROOT/dev
#   chroot ROOT env -i PATH="$PATH" HOME=/root bash
#
# usage: install.sh [WAY ...]   wheel, sdist, tree, pipx, uv; all of them by default
# PYTHON: the interpreter [python3]; WORK: a folder for everything [a temporary one]; DIST: a built wheel and sdist
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
python=${PYTHON:-python3}
work=${WORK:-$(mktemp -d)}
work=$(mkdir -p "$work" && cd "$work" && pwd)
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_QUIET=1
ways=("$@")
[ ${#ways[@]} -gt 0 ] || ways=(wheel sdist tree pipx uv)

"$python" -m venv "$work/tools"
"$work/tools/bin/pip" install build pipx uv

dist=${DIST:-$work/dist}
if ! ls "$dist"/*.whl >/dev/null 2>&1; then
  # From a clone: what is not committed is no part of a release, and nothing is written into this tree.
  rm -rf "$work/source" && git clone --quiet --depth 1 "file://$root" "$work/source"
  "$work/tools/bin/python" -m build --outdir "$dist" "$work/source" >"$work/build.txt"
fi
wheel=$(ls "$dist"/*.whl) sdist=$(ls "$dist"/*.tar.gz)
version=$(sed -n 's/^__version__ = "\(.*\)"/\1/p' "$root/thoth/system/version.py")

# Installs in one way; prints the path of `thoth`.
install() {
  local folder=$work/$1
  case $1 in
    wheel) "$python" -m venv "$folder" && "$folder/bin/pip" install "$wheel" ;;
    sdist) "$python" -m venv "$folder" && "$folder/bin/pip" install "$sdist" ;;
    tree) "$python" -m venv "$folder" && "$folder/bin/pip" install "git+file://$root" ;;
    pipx) PIPX_HOME=$folder/home PIPX_BIN_DIR=$folder/bin "$work/tools/bin/pipx" install --quiet --python "$python" "$wheel" ;;
    uv) UV_TOOL_DIR=$folder/tools UV_TOOL_BIN_DIR=$folder/bin "$work/tools/bin/uv" tool install --quiet --python "$python" "$wheel" ;;
    *) echo "unknown way $1" >&2 && return 2 ;;
  esac >&2
  echo "$folder/bin/thoth"
}

# Everything runs in an empty folder, so that nothing comes from this tree.
mkdir -p "$work/empty" && cd "$work/empty"
unset PYTHONPATH
for way in "${ways[@]}"; do
  started=$SECONDS
  thoth=$(install "$way")
  seconds=$((SECONDS - started))
  export THOTH_HOME=$work/home-$way
  [ "$("$thoth" --version)" = "thoth $version" ]
  "$thoth" try >"$work/$way.txt"
  "$thoth" try --json >"$work/$way.json"
  "$python" - "$work/$way.json" <<'END'
import json, sys

shown = json.load(open(sys.argv[1]))
*known, unknown = shown["questions"]
assert shown["model"] == "nano", shown["model"]
assert [one["weights"] for one in known] == ["Osra Kelland", "kites", "silver spoon"], known
assert unknown["weights"] == "I don't know.", unknown
END
  [ "$("$thoth" ask "What is the Falwing made of?" 2>/dev/null)" = bamboo ]
  [ -x "$(dirname "$thoth")/convert-weights" ]
  echo "$way: installed in $seconds s, thoth $version, try and ask answer"
done
cat "$work/${ways[0]}.txt"
