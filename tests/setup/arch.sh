#!/usr/bin/env bash
# Runs integration tests with the binary of another architecture, under qemu's user mode emulation, and the image of that
# architecture where Docker answers. Only `sv` is emulated: the tests and the supervised programs are those of this machine.
#
#   arch.sh ARCH    x86_64, aarch64, armv7 or riscv64, with the static binary
set -euo pipefail
cd "$(dirname "$0")/../.."

arch="${1:?ARCH is missing}"
qemu="qemu-${arch/armv7/arm}-static"
if ! command -v "$qemu" >/dev/null; then
    echo "skipped: $qemu is missing (make setup)" >&2
    [ -z "${CI:-}" ]
    exit
fi

targets=(supervision dependencies ending notify)
binary="$(tests/setup/static.sh "$arch")"

# Under the name of a link, as the name decides what the binary is.
wrapper="$(dirname "$binary")/sv-by-qemu"
printf '#!/bin/sh\nexec %s -0 "$0" %s "$@"\n' "$qemu" "$binary" >"$wrapper"
chmod 755 "$wrapper"
"$wrapper" --version

# qemu has threads, memory and handlers of its own, knows no subreaper (prctl(2)), and translates real-time signals.
beyond_qemu=(
    a_child_killed_by_a_real_time_signal_is_decoded
    a_full_process_table_is_waited_out
    a_main_process_outlives_its_starter_and_its_exit_is_that_of_the_program
    a_program_that_daemonizes_is_distinguished_from_one_that_fails
    a_slow_reader_of_our_output_delays_no_other
    children_get_their_environment_directory_umask_and_nothing_else
    nginx_in_the_background_gets_a_hint_how_to_stay
    orphans_are_adopted_and_reaped
    supervisord_becomes_a_daemon_by_default
)
status=0
SV_TEST_BIN="$wrapper" cargo test --locked --no-fail-fast "${targets[@]/#/--test=}" -- "${beyond_qemu[@]/#/--skip=}" || status=$?

# With CI set too: the job of the release workflow runs in a container, which has no Docker.
if docker info >/dev/null 2>&1; then
    SV_TEST_ARCH="$arch" SV_TEST_QEMU="$(command -v "$qemu")" cargo test --locked --test=recipes -- --ignored --exact \
        an_image_for_another_architecture_supervises || status=$?
else
    echo "skipped: docker does not answer, so no image for $arch is tried" >&2
fi
exit "$status"
