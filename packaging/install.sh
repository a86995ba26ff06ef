#!/usr/bin/env bash
# Installs the binary and what comes with it, or removes what it has installed.
#
#   install.sh install BINARY
#   install.sh uninstall
#
# Environment: DESTDIR (empty) is put before every path; PREFIX (/usr/local); ZSH_COMPLETIONS, the folder below PREFIX;
# NAMES, links to make under which sv takes the place of other programs, such as "supervisord supervisorctl".
set -euo pipefail
cd "$(dirname "$0")/.."

prefix="${PREFIX:-/usr/local}"
root="${DESTDIR:-}$prefix"
zsh="${ZSH_COMPLETIONS:-share/zsh/site-functions}"

# Mode, file, and the path below the prefix.
files() {
    cat <<FILES
644 docs/man/sv.1 share/man/man1/sv.1
644 docs/man/supervisorctl.1 share/man/man1/supervisorctl.1
644 docs/man/sv.conf.5 share/man/man5/sv.conf.5
644 docs/man/supervisord.8 share/man/man8/supervisord.8
644 src/cli/completions/sv.bash share/bash-completion/completions/sv
644 src/cli/completions/sv.zsh $zsh/_sv
644 src/cli/completions/sv.fish share/fish/vendor_completions.d/sv.fish
644 README.md share/doc/sv/README.md
644 CHANGELOG.md share/doc/sv/CHANGELOG.md
644 LICENSE share/doc/sv/LICENSE
FILES
}

case "${1:-}" in
install)
    install -D -m 755 "$2" "$root/bin/sv"
    files | while read -r mode file path; do
        install -D -m "$mode" "$file" "$root/$path"
    done
    install -d "$root/lib/systemd/system"
    sed "s#@BINDIR@#${prefix%/}/bin#" packaging/sv.service >"$root/lib/systemd/system/sv.service"
    for name in ${NAMES:-}; do
        # What another package has installed under that name stays.
        if [ -e "$root/bin/$name" ] && [ ! "$root/bin/$name" -ef "$root/bin/sv" ]; then
            echo "'$root/bin/$name' exists and is another program: it is left alone" >&2
        else
            ln -sfn sv "$root/bin/$name"
        fi
    done
    ;;
uninstall)
    for link in "$root"/bin/*; do
        if [ -L "$link" ] && [ "$(readlink "$link")" = sv ]; then
            rm -f "$link"
        fi
    done
    rm -f "$root/bin/sv" "$root/lib/systemd/system/sv.service"
    files | while read -r _ _ path; do
        rm -f "$root/$path"
    done
    rmdir "$root/share/doc/sv" 2>/dev/null || true
    ;;
*)
    sed -n '2,9s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
