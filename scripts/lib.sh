# Shared by the scripts beside it. Sourced, not run.

say()  { printf '\033[1m==>\033[0m %s\n' "$*" >&2; }
die()  { printf 'error: %s\n' "$1" >&2; [ $# -lt 2 ] || printf 'hint: %s\n' "$2" >&2; exit 1; }

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"
  elif command -v sudo >/dev/null; then sudo --preserve-env=DEBIAN_FRONTEND "$@"
  else die "root is needed for: $*" "run it as root, or install sudo"
  fi
}

# Runs a stage and prints how long it took.
stage() {
  local name=$1 began=$SECONDS; shift
  say "$name"
  "$@"
  printf '    %-40s %5d s\n' "$name" $((SECONDS - began)) >&2
}

# Makes a virtual environment once; a changed requirement makes it anew.
# usage: venv NAME REQUIREMENT...
venv() {
  local name=$1; shift
  local dir="${XDG_CACHE_HOME:-$HOME/.cache}/nullspace/venv/$name"
  local wanted; wanted=$(printf '%s\n' "$(python3 -V)" "$@")
  if [ "$(cat "$dir/.wanted" 2>/dev/null)" != "$wanted" ]; then
    rm -rf "$dir"
    python3 -m venv "$dir"
    "$dir/bin/pip" install --quiet --disable-pip-version-check "$@"
    printf '%s' "$wanted" > "$dir/.wanted"
  fi
  printf '%s' "$dir"
}

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
