"""Runs Supervisor's own end-to-end tests against other programs than Supervisor's.

    run.py TREE PROGRAMS FOLDER TEST...

TREE is Supervisor's source, as its source package unpacks it. PROGRAMS holds `supervisord`, `supervisorctl`,
`pidproxy` and `echo_supervisord_conf`. A copy of the tests is made in FOLDER, with all that they keep in /tmp
moved there. The tests start `sys.executable -m supervisor.supervisord` and the like: here that is a script that
starts our programs instead. Prints `ok NAME` or `not ok NAME` and why.
"""

import os
import pathlib
import shutil
import sys
import unittest

SHIM = """#!/bin/sh
case "$1 $2" in
"-m supervisor.supervisord") shift 2; exec {programs}/supervisord "$@" ;;
"-m supervisor.supervisorctl") shift 2; exec {programs}/supervisorctl "$@" ;;
"-m supervisor.pidproxy") shift 2; exec {programs}/pidproxy "$@" ;;
"-c from supervisor import confecho; confecho.main()") shift 2; exec {programs}/echo_supervisord_conf "$@" ;;
esac
exec {python} "$@"
"""

# What the fixture of one test runs, which the source package lacks.
HELLO = """for n in 1 2 3 4 5 6 7 8 9; do
    echo "The \u00d8resund bridge ends in Malm\u00f6 - $n"
    sleep 1
done
"""


def prepare(tree, programs, folder):
    package = folder / "tree" / "supervisor"
    shutil.copytree(tree / "supervisor", package)
    fixtures = package / "tests" / "fixtures"
    (fixtures / "hello.sh").write_text(HELLO, encoding="utf-8")
    for file in [*fixtures.glob("*.conf"), package / "tests" / "test_end_to_end.py"]:
        text = file.read_text(encoding="utf-8")
        file.write_text(text.replace("/tmp/", f"{folder}/"), encoding="utf-8")
    shim = folder / "python"
    shim.write_text(SHIM.format(programs=programs, python=sys.executable))
    shim.chmod(0o755)
    return shim


def main(tree, programs, folder, names):
    folder = pathlib.Path(folder).resolve()
    folder.mkdir()
    shim = prepare(pathlib.Path(tree).resolve(), pathlib.Path(programs).resolve(), folder)
    # Fixtures run `python`, which is the shim as well. AUTO logs go to the folder, where no other supervisor
    # takes them for its own of an earlier run.
    os.environ.update(END_TO_END="1", PATH=f"{folder}:{os.environ['PATH']}", TMPDIR=str(folder))
    sys.path.insert(0, str(folder / "tree"))
    sys.executable = str(shim)
    os.chdir(folder)
    from supervisor.tests.test_end_to_end import EndToEndTests

    for name in names:
        result = unittest.TestResult()
        EndToEndTests(name).run(result)
        problems = [trace for _, trace in result.failures + result.errors]
        print(f"not ok {name}\n{problems[0]}" if problems else f"ok {name}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:4], sys.argv[4:])
