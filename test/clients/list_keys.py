"""Prints every key of BUCKET, one a line as UTF-8, in the order that one client gives: `boto3`, `boto2` or `libcloud`."""
import os
import sys

HOST = os.environ["HOST"]
PORT = int(os.environ["PORT"])
BUCKET = os.environ["BUCKET"]
USER = os.environ["AWS_ACCESS_KEY_ID"]
SECRET = os.environ["AWS_SECRET_ACCESS_KEY"]


def boto3_keys():
    import boto3

    client = boto3.client("s3", endpoint_url=f"http://{HOST}:{PORT}", region_name=os.environ["AWS_DEFAULT_REGION"])
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
        for one in page.get("Contents", []):
            yield one["Key"]


def boto2_keys():
    from boto.s3.connection import OrdinaryCallingFormat, S3Connection

    options = {"host": HOST, "port": PORT, "is_secure": False, "calling_format": OrdinaryCallingFormat()}
    for one in S3Connection(USER, SECRET, **options).get_bucket(BUCKET).list():
        yield one.name


def libcloud_keys():
    from libcloud.storage.drivers.s3 import S3StorageDriver

    driver = S3StorageDriver(USER, SECRET, secure=False, host=HOST, port=PORT)
    for one in driver.iterate_container_objects(driver.get_container(BUCKET)):
        yield one.name


CLIENTS = {"boto3": boto3_keys, "boto2": boto2_keys, "libcloud": libcloud_keys}
for key in CLIENTS[sys.argv[1]]():
    sys.stdout.buffer.write(key.encode() + b"\n")
