"""boto3 against the endpoint in AWS_ENDPOINT_URL: prints one line a check that held, exits 1 otherwise."""
import hashlib
import io
import sys

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

MIB = 1024 * 1024
s3 = boto3.client("s3")
bucket = "boto3-files"


def code_of(call, **kwargs):
    try:
        call(**kwargs)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return "no error"


def check(name, condition):
    if not condition:
        print(f"FAILED {name}")
        sys.exit(1)
    print(f"ok {name}")


def body(seed, length):
    return (hashlib.sha512(seed.encode()).digest() * (length // 64 + 1))[:length]


s3.create_bucket(Bucket=bucket)
check("bucket is listed", bucket in [b["Name"] for b in s3.list_buckets()["Buckets"]])

large = body("large", 40 * MIB + 17)
config = TransferConfig(multipart_threshold=8 * MIB, multipart_chunksize=8 * MIB, max_concurrency=4)
s3.upload_fileobj(io.BytesIO(large), bucket, "large", Config=config, ExtraArgs={"Metadata": {"who": "me"}})
out = io.BytesIO()
s3.download_fileobj(bucket, "large", out, Config=config)
check("multipart round trip", out.getvalue() == large)
head = s3.head_object(Bucket=bucket, Key="large")
check("metadata round trip", head["Metadata"] == {"who": "me"} and head["ContentLength"] == len(large))

for algorithm in ["CRC32", "CRC32C", "SHA1", "SHA256", "CRC64NVME"]:
    try:
        put = s3.put_object(Bucket=bucket, Key=algorithm, Body=b"checked", ChecksumAlgorithm=algorithm)
    except Exception as error:  # crc32c and crc64nvme need awscrt in the client
        if "crt" in str(error).lower():
            print(f"ok {algorithm} needs awscrt in this client")
            continue
        raise
    got = s3.get_object(Bucket=bucket, Key=algorithm, ChecksumMode="ENABLED")
    check(f"{algorithm} stored", got[f"Checksum{algorithm}"] == put[f"Checksum{algorithm}"])
    check(f"{algorithm} body", got["Body"].read() == b"checked")

s3.put_object(Bucket=bucket, Key="once", Body=b"1", IfNoneMatch="*")
check("conditional create", code_of(s3.put_object, Bucket=bucket, Key="once", Body=b"2", IfNoneMatch="*") == "PreconditionFailed")
etag = s3.head_object(Bucket=bucket, Key="once")["ETag"]
s3.put_object(Bucket=bucket, Key="once", Body=b"3", IfMatch=etag)
check("conditional replace", code_of(s3.put_object, Bucket=bucket, Key="once", Body=b"4", IfMatch=etag) == "PreconditionFailed")
check("range", s3.get_object(Bucket=bucket, Key="large", Range="bytes=10-19")["Body"].read() == large[10:20])
check("bad range", code_of(s3.get_object, Bucket=bucket, Key="once", Range="bytes=9-") == "InvalidRange")
s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "once"})
check("copy", s3.get_object(Bucket=bucket, Key="copy")["Body"].read() == b"3")
check("missing key", code_of(s3.get_object, Bucket=bucket, Key="nothing") == "NoSuchKey")
keys = [{"Key": o["Key"]} for o in s3.list_objects_v2(Bucket=bucket)["Contents"]]
check("delete all", "Errors" not in s3.delete_objects(Bucket=bucket, Delete={"Objects": keys}))
s3.delete_bucket(Bucket=bucket)
check("bucket is gone", code_of(s3.head_bucket, Bucket=bucket) == "404")
