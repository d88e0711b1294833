"""Runs command lines of an AWS CLI version 2, each in a fork of this process.

The program's own entry script is what runs; only its imports, which take most of its time, are made
once. Reads one JSON object a line, {"args", "env", "cwd"}, and answers with one, {"exitCode",
"stdout", "stderr"}. Usage: aws-cli-server.py PATH_OF_AWS
"""

import gc
import json
import os
import runpy
import sys
import tempfile
import traceback

import awscli.clidriver
import awscli.handlers  # The plugin that every command line loads.

program = sys.argv[1]
# The import says here where its data are.
data_path = os.environ["AWS_DATA_PATH"]


def run(line):
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        pid = os.fork()
        if pid == 0:
            become(line, stdout, stderr)
        _, status = os.waitpid(pid, 0)
        texts = {"stdout": read(stdout), "stderr": read(stderr)}
        return {"exitCode": os.waitstatus_to_exitcode(status), **texts}


def become(line, stdout, stderr):
    """Does in the fork what starting the program would do. Never returns."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(stdout.fileno(), 1)
    os.dup2(stderr.fileno(), 2)
    os.environ.clear()
    os.environ.update({**line["env"], "AWS_DATA_PATH": data_path})
    if line.get("cwd"):
        os.chdir(line["cwd"])
    sys.argv = [program, *line["args"]]
    os._exit(ended(lambda: runpy.run_path(program, run_name="__main__")))


def ended(start):
    """What the interpreter makes of how a program ends."""
    try:
        start()
        code = 0
    except SystemExit as end:
        code = end.code or 0
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return code


def read(file):
    file.seek(0)
    return file.read().decode()


# Forks share what the collector leaves alone.
gc.freeze()
for text in sys.stdin:
    print(json.dumps(run(json.loads(text))), flush=True)
