#!/usr/bin/env python3
"""Puts, gets and lists one object with boto3 as it comes, each request over a connection of its own,
and prints the host ids of the gateways that answered, one a line.

Arguments: endpoint, bucket, key, number of rounds.
"""
import os
import sys

import boto3

endpoint, bucket, key, rounds = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
gateways = set()
for number in range(rounds):
    body = os.urandom(70_000)
    name = "%s-%d" % (key, number)
    for step in ("put", "get", "list"):
        # A new client connects anew, and so asks for the name again.
        s3 = boto3.session.Session().client("s3", endpoint_url=endpoint, region_name="us-east-1")
        if step == "put":
            answer = s3.put_object(Bucket=bucket, Key=name, Body=body)
        elif step == "get":
            answer = s3.get_object(Bucket=bucket, Key=name)
            assert answer["Body"].read() == body, "other bytes came back"
        else:
            answer = s3.list_objects_v2(Bucket=bucket, Prefix=name)
            assert [entry["Key"] for entry in answer["Contents"]] == [name], answer
        gateways.add(answer["ResponseMetadata"]["HostId"])
for gateway in sorted(gateways):
    print(gateway)
