#!/bin/sh
# Installs the gateway of this checkout into a directory of its own: deploy/container/build.sh TARGET [MARCH].
# The Containerfile runs it; it needs python3 with venv, and gcc for a build of Argon2 that is 3 times faster.
set -eu
target=$1
march=${2-x86-64-v3}
here=$(cd "$(dirname "$0")/../.." && pwd)

python3 -m venv "$target"
# The versions that are locked, without what only development needs.
sed -n 's/^\([A-Za-z0-9._-]*==[^ ;]*\).*/\1/p' "$here/requirements.lock" > "$target/versions"
"$target/bin/pip" install --quiet --disable-pip-version-check --no-cache-dir \
    --constraint "$target/versions" "$here"
(cd "$here" && "$target/bin/python" -m native.build --march="$march" --if-possible)
"$target/bin/registration-gateway" --version
