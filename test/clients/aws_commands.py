#!/usr/bin/env python3
"""Runs command lines of the AWS CLI one after the other in one process: starting Python and reading
the models of all services takes longer than most commands. Each line of stdin is a JSON object of
"args" and "environment"; each is answered by one line of JSON: "code", "stdout", "stderr". Every
command has a driver, a session and settings of its own, as if it were a process.
"""
import io
import json
import os
import sys

import awscli
import awscli.clidriver


def run(args):
    """Exit code, and what was printed."""
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.TextIOWrapper(io.BytesIO(), "utf-8")
    own = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = out, err
    try:
        try:
            code = awscli.clidriver.create_clidriver().main(args)
        except SystemExit as end:
            code = end.code
    finally:
        sys.stdout, sys.stderr = own
    texts = []
    for stream in (out, err):
        stream.flush()
        texts.append(stream.buffer.getvalue().decode())
    return code or 0, texts


def answer(question):
    former = dict(os.environ)
    os.environ.update(question["environment"])
    # As the "aws" program sets it before anything is loaded.
    sys.argv = ["aws", *question["args"]]
    try:
        code, (out, err) = run(question["args"])
    finally:
        os.environ.clear()
        os.environ.update(former)
    return {"code": code, "stdout": out, "stderr": err}


print(json.dumps({"version": awscli.__version__}), flush=True)
for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))), flush=True)
