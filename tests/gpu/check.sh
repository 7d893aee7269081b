#!/usr/bin/env bash
# Tries the server on a machine with one NVIDIA GPU, PyTorch and no network, in less than 8 minutes.
#
#   tests/gpu/carry.sh          # before, where there is a network: the wheels, which travel with the checkout
#   tests/gpu/check.sh          # on the machine; report.md, report.json and logs.txt go to $OUT, else to dist/gpu
#   tests/gpu/check.sh --cpu    # the same code in short without a GPU, to try the check itself
#
# PYTHON names the interpreter that has PyTorch (python3). Exit status: 0 where all is as expected, 1 where
# something is not, 2 where the check could not be made.
set -euo pipefail
cd "$(dirname "$0")/../.."

python=${PYTHON:-python3}
limit_seconds=460
tag=$("$python" -c 'import sys; print("cp%d%d" % sys.version_info[:2])')
wheels=dist/gpu-wheels/$tag
if [[ ! -d $wheels ]]; then
  echo "There are no wheels in $wheels: run tests/gpu/carry.sh ${tag:2:1}.${tag:3} where there is a network." >&2
  exit 2
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# Without pip: a distribution may have left ensurepip out. The interpreter's own pip installs into it.
"$python" -m venv --system-site-packages --without-pip "$scratch/venv"
"$python" -m pip --python "$scratch/venv/bin/python" install --quiet --disable-pip-version-check \
  --root-user-action ignore --no-index --no-deps --require-hashes --ignore-installed --no-compile \
  --find-links "$wheels" --requirement runtime/requirements.lock
# Where the interpreter belongs to a venv itself, the new one is no child of that: it would not find PyTorch.
"$python" - > "$scratch/shared.pth" <<'PYTHON'
import os, sys, sysconfig
own = {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")}
own |= {os.path.join(path, "lib-dynload") for path in own}
for path in sys.path:
    if os.path.isdir(path) and path not in own:
        print(f"import site; site.addsitedir({path!r})")
PYTHON
mv "$scratch/shared.pth" "$("$scratch/venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"

# A package of its own, not tests.gpu: somebody's package may have installed a module `tests`.
status=0
PYTHONPATH=tests PYTHONUNBUFFERED=1 timeout --kill-after=15 $((limit_seconds - SECONDS)) \
  "$scratch/venv/bin/python" -m gpu --seconds $((limit_seconds - SECONDS - 20)) --work "$scratch" "$@" || status=$?
exit "$status"
