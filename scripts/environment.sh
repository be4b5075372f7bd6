# Sourced by the other scripts: the virtual environment in .venv, with one of the project's extras installed.
# A stamp beside the packages makes the second run a matter of milliseconds.

say() { printf '%s\n' "$*" >&2; }

find_python() {
  local candidate
  for candidate in "${PYTHON:-}" python3.13 python3.12 python3.11 python3 python3.14; do
    [ -n "$candidate" ] || continue
    if "$candidate" -c 'import sys; raise SystemExit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
      command -v "$candidate"
      return
    fi
  done
  say "fivehundred needs Python 3.11 or newer, and found none; install it, or name it: PYTHON=/path/to/python $0"
  exit 3
}

# install_packages NAME...: with the operating system's package manager, when this user may; 1 when it cannot
install_packages() {
  command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ] || return 1
  say "installing $* with apt-get ..."
  export DEBIAN_FRONTEND=noninteractive
  { apt-get install -y --no-install-recommends "$@" || { apt-get update && apt-get install -y --no-install-recommends "$@"; }; } >/dev/null 2>&1
}

# environment EXTRA: .venv exists and holds fivehundred[EXTRA], in the versions of lock/constraints.txt
environment() {
  local extra="$1" stamp wanted python
  stamp=".venv/.fivehundred-$extra"
  wanted="$(cat pyproject.toml lock/constraints.txt | cksum) $PWD"
  if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then
    return
  fi
  if [ ! -x .venv/bin/python ]; then
    python="$(find_python)"
    say "creating .venv with $python ..."
    if ! "$python" -m venv .venv >/dev/null 2>&1; then
      rm -rf .venv
      install_packages python3-venv || true
      "$python" -m venv .venv
    fi
  fi
  say "installing fivehundred[$extra] into .venv (once; about a minute) ..."
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --constraint lock/constraints.txt --editable ".[$extra]"
  printf '%s' "$wanted" > "$stamp"
}
