#!/usr/bin/env bash
# Accept the GPU probe on a machine with an NVIDIA GPU: run gpu_info and gpu_driver_check there and
# compare what they read with nvidia-smi, field by field.
#
#   tests/gpu/accept.sh --prepare DIR [PYTHON_VERSION...]   on a machine with a package index: put
#       the wheels of ansible-core for these Python versions (default: 3.10 3.11 3.12 3.13) into DIR
#   tests/gpu/accept.sh DIR OUT                             on the GPU machine: needs no network, no
#       SSH, no pip and no venv; writes tables, results and a fixture folder to OUT
#
# Exits 0 when every field is equal, 1 when one differs, 2 when it could not run. Needs Python 3.10 or
# newer; PYTHON=/path/to/python3 chooses another one.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)

stop() { echo "accept: $*" >&2; exit 2; }

prepare() {
  local folder=$1 version core
  shift
  [ $# -gt 0 ] || set -- 3.10 3.11 3.12 3.13
  for version in "$@"; do
    # The release that the project is pinned to needs Python 3.11.
    case $version in 3.10) core='ansible-core~=2.17.0' ;; *) core='ansible-core~=2.19.0' ;; esac
    "$python" -m pip download --quiet --only-binary=:all: --python-version "$version" \
      --implementation cp --platform "manylinux2014_$(uname -m)" \
      --platform "manylinux_2_28_$(uname -m)" --dest "$folder/$version" "$core" pip
  done
  echo "accept: wheels for Python $* are in $folder; carry it and this checkout to the GPU machine"
}

# Install the wheels with the pip among them, so that the machine needs neither pip nor venv.
install_ansible() {
  local wheels=$1 pip
  pip=$(find "$wheels" -name 'pip-*.whl' 2>/dev/null | head -n 1) || true
  [ -n "$pip" ] || stop "no wheels in $wheels; run tests/gpu/accept.sh --prepare on a machine with a package index"
  PYTHONPATH=$pip "$python" -m pip install --quiet --no-index --no-compile --find-links "$wheels" \
    --target "$work/site" ansible-core
}

smi() { nvidia-smi -q -x >"$1" 2>&1 || echo "accept: nvidia-smi exited $?" >&2; }

accept() {
  local wheels=$1 out=$2 version
  command -v nvidia-smi >/dev/null || stop "nvidia-smi is not there: this machine shows no NVIDIA driver"
  version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  mkdir -p "$out" "$work/collections/ansible_collections/rackforge"
  out=$(cd "$out" && pwd)
  ln -s "$root" "$work/collections/ansible_collections/rackforge/gpu_cluster"
  install_ansible "$wheels/$version"
  export PYTHONPATH=$work/site:$work/collections
  export ANSIBLE_COLLECTIONS_PATH=$work/collections ANSIBLE_LOCALHOST_WARNING=false ANSIBLE_HOME=$work/home
  export ANSIBLE_LOCAL_TEMP=$work/tmp ANSIBLE_REMOTE_TEMP=$work/tmp LC_ALL=C.UTF-8
  nvidia-smi --version >"$out/nvidia-smi-version.txt" 2>&1 || true
  smi "$out/nvidia-smi.txt"
  "$python" "$root/tests/gpu/read_views.py" >"$out/views.json"
  # From another folder: the checkout's ansible.cfg is not part of what is accepted.
  (cd "$work" && "$python" "$work/site/bin/ansible-playbook" -i localhost, -c local \
    -e "ansible_python_interpreter=$("$python" -c 'import sys; print(sys.executable)')" \
    -e "accept_out=$out" "$root/tests/gpu/accept.yml")
  smi "$out/nvidia-smi-after.txt"
  status=0
  "$python" "$root/tests/gpu/compare.py" "$out" | tee "$out/table.txt" || status=$?
  "$python" "$root/tests/gpu/record.py" "$out"
  return "$status"
}

python=$(command -v "${PYTHON:-python3}") || stop "${PYTHON:-python3} was not found; set PYTHON"
case ${1:-} in
  --prepare) [ $# -ge 2 ] || stop "usage: accept.sh --prepare DIR [PYTHON_VERSION...]"; shift; prepare "$@" ;;
  '' | -*) stop "usage: accept.sh --prepare DIR [PYTHON_VERSION...] | accept.sh DIR OUT" ;;
  *) [ $# -eq 2 ] || stop "usage: accept.sh DIR OUT"; accept "$@" ;;
esac
