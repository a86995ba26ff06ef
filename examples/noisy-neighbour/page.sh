# Serves the page on this port, with the HTTP server that this machine has.
port=$1
cd "${0%/*}/www" || exit 1
if command -v python3 >/dev/null; then
    exec python3 -m http.server --bind 127.0.0.1 "$port"
fi
exec busybox httpd -f -p "127.0.0.1:$port" -h .
