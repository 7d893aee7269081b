#!/usr/bin/env bash
# Downloads the server's wheels for a GPU machine without a network; check.sh installs them there.
#
#   tests/gpu/carry.sh [PYTHON_VERSION]      3.12 unless told; the wheels go to dist/gpu-wheels/cp312, which git ignores
set -euo pipefail
cd "$(dirname "$0")/../.."

version=${1:-3.12}
folder=dist/gpu-wheels/cp${version/./}
limit_mib=64

rm -rf "$folder"
mkdir -p "$folder"
# pip takes each platform by its exact name: 2_28 does not stand for the older ones.
platforms=()
for name in manylinux_2_28 manylinux_2_17 manylinux2014 manylinux1; do
  platforms+=(--platform "${name}_x86_64")
done
"${PYTHON:-python3}" -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes \
  --only-binary :all: --implementation cp --python-version "$version" "${platforms[@]}" \
  --dest "$folder" --requirement runtime/requirements.lock

# What travels is the checkout and the wheels.
files_kib=$(git ls-files -z --cached --others --exclude-standard | xargs -0 du -ck --apparent-size | tail -n 1 | cut -f 1)
wheels_kib=$(du -ck --apparent-size "$folder"/*.whl | tail -n 1 | cut -f 1)
total_mib=$(((files_kib + wheels_kib + 1023) / 1024))
echo "$(ls "$folder" | wc -l) wheels in $folder: $((wheels_kib / 1024)) MiB; with the checkout $total_mib MiB of $limit_mib"
if ((total_mib >= limit_mib)); then
  echo "Too much to carry: the limit is $limit_mib MiB." >&2
  exit 1
fi
