"""boto3, rows of the S3 surface: ENDPOINT, HOST_ENDPOINT and AWS_* from the environment; prints a line a check that held."""
import concurrent.futures
import hashlib
import os
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

MIB = 1024 * 1024
ENDPOINT = os.environ["ENDPOINT"]


def check(name, condition, *seen):
    if not condition:
        print(f"FAILED {name}", *seen)
        sys.exit(1)
    print(f"ok {name}")


def code_of(call, **kwargs):
    try:
        call(**kwargs)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return "no error"


def keys(answer):
    return [one["Key"] for one in answer.get("Contents", [])]


def prefixes(answer):
    return [one["Prefix"] for one in answer.get("CommonPrefixes", [])]


def sessions():
    """A15: keys given, and a profile of the configuration file."""
    given = boto3.Session(
        aws_access_key_id=os.environ["USER_KEY"],
        aws_secret_access_key=os.environ["USER_SECRET"],
        region_name=os.environ["USER_REGION"],
    ).client("s3", endpoint_url=ENDPOINT)
    given.create_bucket(Bucket="sessions")
    for name in ["default", "other"]:
        client = boto3.Session(profile_name=name).client("s3", endpoint_url=ENDPOINT)
        check(f"profile {name}", "sessions" in [b["Name"] for b in client.list_buckets()["Buckets"]])
    wrong = boto3.Session(profile_name="wrong").client("s3", endpoint_url=ENDPOINT)
    check("wrong profile", code_of(wrong.list_buckets) == "SignatureDoesNotMatch")


s3 = boto3.Session(profile_name="default").client("s3", endpoint_url=ENDPOINT)


def addressing():
    """C4, E3: both URL forms see one bucket."""
    virtual = boto3.Session(profile_name="default").client(
        "s3",
        endpoint_url=os.environ["HOST_ENDPOINT"],
        config=Config(
            s3={"addressing_style": "virtual"}, proxies={"http": ENDPOINT}
        ),
    )
    for signature in ["s3v4", "s3"]:
        name = f"virtual-{signature}"
        client = boto3.Session(profile_name="default").client(
            "s3",
            endpoint_url=os.environ["HOST_ENDPOINT"],
            config=Config(
                signature_version=signature,
                s3={"addressing_style": "virtual"},
                proxies={"http": ENDPOINT},
            ),
        )
        client.create_bucket(Bucket=name)
        client.put_object(Bucket=name, Key="a b/ü?", Body=b"one")
        got = s3.get_object(Bucket=name, Key="a b/ü?")["Body"].read()
        check(f"{signature} by host, read by path", got == b"one")
        check(f"{signature} list by host", keys(client.list_objects_v2(Bucket=name)) == ["a b/ü?"])
    path = boto3.Session(profile_name="default").client(
        "s3", endpoint_url=ENDPOINT, config=Config(s3={"addressing_style": "path"})
    )
    check("path style", keys(path.list_objects_v2(Bucket="virtual-s3")) == ["a b/ü?"])
    check("buckets by host", len(virtual.list_buckets()["Buckets"]) >= 2)


def odd_keys():
    """C3: keys of slashes round-trip exactly."""
    s3.create_bucket(Bucket="odd")
    names = ["/", "//", "a//b", "a/", "a", "a/../b", "./c", " ", "ü/é", "%2F", "a+b", "q?x=1", "#"]
    for name in names:
        s3.put_object(Bucket="odd", Key=name, Body=name.encode())
    check("odd keys list", keys(s3.list_objects_v2(Bucket="odd")) == sorted(names, key=str.encode))
    for name in names:
        got = s3.get_object(Bucket="odd", Key=name)
        check(f"odd key {name!r}", got["Body"].read() == name.encode())
    for name in names:
        s3.delete_object(Bucket="odd", Key=name)
    check("odd keys are gone", keys(s3.list_objects_v2(Bucket="odd")) == [])


def concurrent_puts():
    """C5: one writer wins whole."""
    s3.create_bucket(Bucket="race")
    bodies = [bytes([at]) * (MIB + at) for at in range(8)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        puts = [pool.submit(s3.put_object, Bucket="race", Key="one", Body=body) for body in bodies]
        etags = [put.result()["ETag"].strip('"') for put in puts]
    check("each writer got its own ETag", etags == [hashlib.md5(b).hexdigest() for b in bodies])
    got = s3.get_object(Bucket="race", Key="one")
    body = got["Body"].read()
    check("one body, whole", body in bodies and got["ETag"].strip('"') == hashlib.md5(body).hexdigest())


def markers():
    """C6: a marker is an entry; nothing else makes folders."""
    s3.create_bucket(Bucket="markers")
    s3.put_object(Bucket="markers", Key="dir/", Body=b"")
    s3.put_object(Bucket="markers", Key="deep/er/file", Body=b"x")
    flat = s3.list_objects_v2(Bucket="markers")
    check("marker is an entry", keys(flat) == ["deep/er/file", "dir/"], flat)
    check("of no bytes", [one["Size"] for one in flat["Contents"]] == [1, 0])
    top = s3.list_objects_v2(Bucket="markers", Delimiter="/")
    check("folders", keys(top) == [] and prefixes(top) == ["deep/", "dir/"], top)
    inside = s3.list_objects_v2(Bucket="markers", Delimiter="/", Prefix="dir/")
    check("marker inside its folder", keys(inside) == ["dir/"], inside)
    check("no phantom", code_of(s3.head_object, Bucket="markers", Key="deep/") == "404")


def metadata_limit():
    """C8: 2 KB of user metadata."""
    s3.create_bucket(Bucket="meta")
    fits = {"k": "v" * 2047}
    s3.put_object(Bucket="meta", Key="fits", Body=b"", Metadata=fits)
    check("2 KB", s3.head_object(Bucket="meta", Key="fits")["Metadata"] == fits)
    over = {"k": "v" * 2048}
    code = code_of(s3.put_object, Bucket="meta", Key="over", Body=b"", Metadata=over)
    check("over 2 KB", code == "MetadataTooLarge", code)


def list_parameters():
    """C14: every parameter of both listings."""
    s3.create_bucket(Bucket="listing")
    names = [f"{a}/{b:02}" for a in "abc" for b in range(5)] + ["top", "ü&<"]
    for name in names:
        s3.put_object(Bucket="listing", Key=name, Body=b"")
    names.sort(key=str.encode)
    paged, more = [], {}
    while True:
        page = s3.list_objects_v2(Bucket="listing", MaxKeys=4, **more)
        check("page holds what it says", page["KeyCount"] == len(page["Contents"]) <= 4)
        paged += keys(page)
        if not page["IsTruncated"]:
            break
        more = {"ContinuationToken": page["NextContinuationToken"]}
    check("continuation tokens", paged == names, paged)
    after = s3.list_objects_v2(Bucket="listing", StartAfter="b/03")
    check("start-after", keys(after) == [name for name in names if name > "b/03"])
    rolled = s3.list_objects_v2(Bucket="listing", Delimiter="/", MaxKeys=3)
    check("a page of prefixes", prefixes(rolled) == ["a/", "b/", "c/"] and rolled["IsTruncated"])
    old = s3.list_objects(Bucket="listing", Delimiter="/", MaxKeys=2)
    check("next marker", old["NextMarker"] == "b/" and prefixes(old) == ["a/", "b/"], old)
    rest = s3.list_objects(Bucket="listing", Delimiter="/", Marker=old["NextMarker"])
    check("marker", prefixes(rest) == ["c/"] and keys(rest) == ["top", "ü&<"], rest)
    check("prefix", keys(s3.list_objects(Bucket="listing", Prefix="b/")) == [f"b/{n:02}" for n in range(5)])
    encoded = s3.list_objects_v2(Bucket="listing", Prefix="ü", EncodingType="url")
    check("encoding-type", keys(encoded) == ["%C3%BC%26%3C"], encoded)
    none = s3.list_objects_v2(Bucket="listing", MaxKeys=0)
    check("max-keys 0", none["KeyCount"] == 0 and not none["IsTruncated"])
    bad = code_of(s3.list_objects_v2, Bucket="listing", ContinuationToken="nonsense")
    check("bad token", bad == "InvalidArgument", bad)


def complete_without_etag():
    """C15: strict as AWS is."""
    s3.create_bucket(Bucket="strict")
    upload = s3.create_multipart_upload(Bucket="strict", Key="k")["UploadId"]
    s3.upload_part(Bucket="strict", Key="k", UploadId=upload, PartNumber=1, Body=b"x")
    parts = {"Parts": [{"PartNumber": 1, "ETag": '"00000000000000000000000000000000"'}]}
    wrong = code_of(
        s3.complete_multipart_upload, Bucket="strict", Key="k", UploadId=upload, MultipartUpload=parts
    )
    check("a wrong ETag", wrong == "InvalidPart", wrong)
    bare = {"Parts": [{"PartNumber": 1}]}
    code = code_of(
        s3.complete_multipart_upload, Bucket="strict", Key="k", UploadId=upload, MultipartUpload=bare
    )
    check("no ETag, strict", code in ["InvalidPart", "MalformedXML"], code)
    s3.abort_multipart_upload(Bucket="strict", Key="k", UploadId=upload)


PARTS = {
    "A15": [sessions],
    "C4": [addressing],
    "C3": [odd_keys],
    "C5": [concurrent_puts],
    "C6": [markers],
    "C8": [metadata_limit],
    "C14": [list_parameters],
    "C15": [complete_without_etag],
}
for part in PARTS[os.environ["ROW"]]:
    part()
print("ok all")
