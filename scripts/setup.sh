# Sourced by ./run and ./test: a Python, the virtual environment, what drawing without a screen needs.
# Everything lands in .venv; a second call finds its stamp and takes well under a second.

say() { printf '%s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }

may_install() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; }

apt_get() { # packages…: installs them, or returns 1
    may_install || return 1
    say "set-up: installing $* with apt-get"
    if ! apt-get install -y -qq "$@" >/dev/null 2>&1; then
        { apt-get update -qq && apt-get install -y -qq "$@"; } >/dev/null 2>&1
    fi
}

find_python() { # prints a Python that the pins fit
    for candidate in "${HANDRAIL_PYTHON:-}" python3.12 python3.13 python3 python; do
        [ -n "$candidate" ] || continue
        if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(not (3, 12) <= sys.version_info < (3, 14))' 2>/dev/null; then
            printf '%s\n' "$candidate"
            return 0
        fi
    done
    if command -v uv >/dev/null 2>&1; then
        uv python find '>=3.12,<3.14' 2>/dev/null && return 0
        uv python install 3.12 >&2 && uv python find 3.12 && return 0
    fi
    return 1
}

# LeRobot's own programs find our policy type and our teleoperator through these.
plugins="plugins/lerobot_policy_pi05_rl plugins/lerobot_teleoperator_handrail_browser"

make_environment() { # requirement files…: .venv holds exactly these pins, and our plug-ins
    stamp=".venv/.pins"
    wanted="$(cat "$@" plugins/*/pyproject.toml | cksum)"
    if [ -x .venv/bin/python ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
        return 0
    fi
    if ! [ -x .venv/bin/python ]; then
        python="$(find_python)" || die "Handrail needs Python 3.12 or 3.13 with venv, and none was found.
  Debian, Ubuntu:  sudo apt-get install python3.12 python3.12-venv
  any system:      install uv (docs.astral.sh/uv) and start again; it brings its own Python
  elsewhere:       HANDRAIL_PYTHON=/path/to/python3.12 $0"
        say "set-up: making .venv with $("$python" --version)"
        "$python" -m venv .venv || die "could not make .venv with $python"
    fi
    say "set-up: installing the pinned packages (about 6 GB on disk the first time)"
    files=""
    for file in "$@"; do files="$files -r $file"; done
    editable=""
    for plugin in $plugins; do editable="$editable -e ./$plugin"; done
    # shellcheck disable=SC2086  # the files are ours and hold no spaces
    if .venv/bin/python -m pip install -q uv >/dev/null 2>&1; then
        .venv/bin/uv pip install -q --python .venv/bin/python --compile-bytecode $files &&
            .venv/bin/uv pip install -q --python .venv/bin/python --no-deps $editable
    else
        .venv/bin/python -m pip install -q $files &&
            .venv/bin/python -m pip install -q --no-deps $editable
    fi || die "installing the packages failed; the lines above say which. Mend it and start again: it goes on where it stopped"
    printf '%s\n' "$wanted" >"$stamp"
}

has_library() { .venv/bin/python -c 'import ctypes, sys; ctypes.CDLL(sys.argv[1])' "$1" 2>/dev/null; }

prepare_rendering() { # the simulator draws its cameras through EGL when there is no screen
    [ "$(uname -s)" = Linux ] || return 0
    export MUJOCO_GL="${MUJOCO_GL:-egl}"
    [ "$MUJOCO_GL" = egl ] || return 0
    has_library libEGL.so.1 && return 0
    apt_get libegl1 libgl1-mesa-dri && has_library libEGL.so.1 && return 0
    say "warning: the simulator's cameras need EGL, and libEGL.so.1 is not installed.
  Debian, Ubuntu:  sudo apt-get install libegl1 libgl1-mesa-dri
  with a screen:   MUJOCO_GL=glfw $0"
    return 1
}
