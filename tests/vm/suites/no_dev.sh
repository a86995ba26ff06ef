# /dev has nothing but the console and the port for the results.

prepare() {
    mount_all
    umount /dev
    mknod /dev/ttyS1 c 4 65
    rm /dev/null
}

test_supervises_without_dev_null() {
    program web <<'EOF'
command=sleep 1000
EOF
    wait_state web RUNNING
    is "$(sv stop web)" "web: stopped"
}
