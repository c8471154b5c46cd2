"""boto3 and boto 2 of one user, in the step STEP names: prints a line a check that held."""
import os
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

ENDPOINT = os.environ["ENDPOINT"]
BUCKET = os.environ["BUCKET"]
CONFIG = Config(s3={"addressing_style": "path"}, retries={"max_attempts": 5, "mode": "standard"})


def check(name, condition):
    if not condition:
        print(f"FAILED {name}")
        sys.exit(1)
    print(f"ok {name}")


def client():
    """By the arguments that the page of OSiRIS shows; by the credentials file where KEY is not set."""
    if "KEY" not in os.environ:
        return boto3.client("s3", endpoint_url=ENDPOINT, region_name="us-east-1", config=CONFIG)
    return boto3.client(
        "s3",
        aws_access_key_id=os.environ["KEY"],
        aws_secret_access_key=os.environ["SECRET"],
        endpoint_url=ENDPOINT,
        region_name="us-east-1",
        config=CONFIG,
    )


def refused(call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["ResponseMetadata"]["HTTPStatusCode"]
    return None


def boto2():
    from boto.s3.connection import OrdinaryCallingFormat, S3Connection

    host, port = ENDPOINT.removeprefix("http://").split(":")
    return S3Connection(
        os.environ["KEY"],
        os.environ["SECRET"],
        host=host,
        port=int(port),
        is_secure=False,
        calling_format=OrdinaryCallingFormat(),
    )


def make():
    s3 = client()
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key="letter.txt", Body=b"for you")
    s3.upload_fileobj(__import__("io").BytesIO(b"x" * 9_000_000), BUCKET, "large.bin")
    check("reads what it wrote", s3.get_object(Bucket=BUCKET, Key="letter.txt")["Body"].read() == b"for you")
    check("lists its bucket", [b["Name"] for b in s3.list_buckets()["Buckets"]] == [BUCKET])


def mine():
    s3 = client()
    check("is the owner", s3.list_buckets()["Owner"]["ID"] == os.environ["USER_ID"])
    check("sees its bucket", BUCKET in [b["Name"] for b in s3.list_buckets()["Buckets"]])
    head = s3.head_object(Bucket=BUCKET, Key="large.bin")
    check("sees its object", head["ContentLength"] == 9_000_000)


def shut():
    s3 = client()
    check("does not list the bucket", BUCKET not in [b["Name"] for b in s3.list_buckets()["Buckets"]])
    check("head of the bucket", refused(s3.head_bucket, Bucket=BUCKET) == 403)
    check("listing", refused(s3.list_objects_v2, Bucket=BUCKET) == 403)
    check("reading", refused(s3.get_object, Bucket=BUCKET, Key="letter.txt") == 403)
    check("no word of what is there", refused(s3.get_object, Bucket=BUCKET, Key="nothing") == 403)
    check("writing", refused(s3.put_object, Bucket=BUCKET, Key="mine", Body=b"1") == 403)
    check("taking the name", refused(s3.create_bucket, Bucket=BUCKET) == 409)


def shared():
    s3 = client()
    keys = [each["Key"] for each in s3.list_objects_v2(Bucket=BUCKET)["Contents"]]
    check("lists", keys == ["large.bin", "letter.txt"])
    check("reads", s3.get_object(Bucket=BUCKET, Key="letter.txt")["Body"].read() == b"for you")
    check("not what was not shared", refused(s3.get_object, Bucket=BUCKET, Key="large.bin") == 403)
    check("does not write", refused(s3.put_object, Bucket=BUCKET, Key="mine", Body=b"1") == 403)
    check("does not replace", refused(s3.put_object, Bucket=BUCKET, Key="letter.txt", Body=b"1") == 403)
    check("does not delete", refused(s3.delete_object, Bucket=BUCKET, Key="letter.txt") == 403)
    acl = {"GrantRead": "id=" + os.environ["USER_ID"]}
    check("does not share on", refused(s3.put_object_acl, Bucket=BUCKET, Key="letter.txt", **acl) == 403)


def grant_by_boto2():
    key = boto2().get_bucket(BUCKET, validate=False).get_key("large.bin")
    key.add_user_grant("READ", os.environ["GRANTEE"])
    granted = [grant.id for grant in key.get_acl().acl.grants if grant.permission == "READ"]
    check("the grant is there", os.environ["GRANTEE"] in granted)


def read_by_boto2():
    key = boto2().get_bucket(BUCKET, validate=False).get_key("large.bin")
    check("reads", len(key.get_contents_as_string()) == 9_000_000)


globals()[os.environ["STEP"]]()
print("ok all")
