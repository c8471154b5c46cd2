"""boto 2 against HOST, PORT, SECURE, BASE_PATH from the environment: prints a line a check that held."""
import hashlib
import io
import os
import sys

from boto.exception import S3ResponseError
from boto.s3.connection import OrdinaryCallingFormat, S3Connection

MIB = 1024 * 1024
USER = os.environ["AWS_ACCESS_KEY_ID"]
SECRET = os.environ["AWS_SECRET_ACCESS_KEY"]
NAME = os.environ["BUCKET"]


def check(name, condition):
    if not condition:
        print(f"FAILED {name}")
        sys.exit(1)
    print(f"ok {name}")


def connect(secret=SECRET):
    return S3Connection(
        USER,
        secret,
        host=os.environ["HOST"],
        port=int(os.environ["PORT"]),
        is_secure=os.environ.get("SECURE") == "1",
        path=os.environ.get("BASE_PATH", "/"),
        calling_format=OrdinaryCallingFormat(),
        suppress_consec_slashes=False,
    )


def status_of(call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except S3ResponseError as error:
        return (error.status, error.error_code)
    return "no error"


def body(seed, length):
    return (hashlib.sha512(seed.encode()).digest() * (length // 64 + 1))[:length]


connection = connect()
check("no such bucket", status_of(connection.get_bucket, NAME) == (404, "NoSuchBucket"))
bucket = connection.create_bucket(NAME)
check("bucket is listed", NAME in [found.name for found in connection.get_all_buckets()])
check("get_bucket", connection.get_bucket(NAME).name == NAME)
check("location", bucket.get_location() is not None)

key = bucket.new_key("folder/small ü.txt")
key.set_metadata("who", "me")
key.set_contents_from_string("small", headers={"Content-Type": "text/plain"})
check("etag is md5", key.etag.strip('"') == hashlib.md5(b"small").hexdigest())
found = bucket.get_key("folder/small ü.txt")
check("metadata", found.get_metadata("who") == "me" and found.content_type == "text/plain")
check("small body", found.get_contents_as_string() == b"small")
check("missing key", bucket.get_key("nothing") is None)

large = body("large", 8 * MIB)
bucket.new_key("large").set_contents_from_file(io.BytesIO(large))
check("8 MB body", bucket.get_key("large").get_contents_as_string() == large)
part = bucket.get_key("large").get_contents_as_string(headers={"Range": "bytes=1000-1999"})
check("range", part == large[1000:2000])

for name in ["a/1", "a/2", "b/1", "/", "a//b", "end/"]:
    bucket.new_key(name).set_contents_from_string(name)
names = [found.name for found in bucket.list(prefix="a/")]
check("prefix", names == ["a/1", "a/2", "a//b"] or names == sorted(["a/1", "a/2", "a//b"]))
folders = [found.name for found in bucket.list(delimiter="/")]
check("delimiter", sorted(folders) == ["/", "a/", "b/", "end/", "folder/", "large"])
for name in ["/", "a//b", "end/"]:
    check(f"key {name!r}", bucket.get_key(name).get_contents_as_string() == name.encode())

copied = bucket.copy_key("copy", NAME, "large")
check("copy", copied.etag.strip('"') == hashlib.md5(large).hexdigest())

upload = bucket.initiate_multipart_upload("parts", metadata={"kind": "parts"})
parts = [body("one", 5 * MIB), body("two", 5 * MIB), body("three", 1000)]
for number, content in enumerate(parts, 1):
    upload.upload_part_from_file(io.BytesIO(content), number)
check("parts are listed", [one.part_number for one in upload.get_all_parts()] == [1, 2, 3])
check("upload is listed", [one.id for one in bucket.list_multipart_uploads()] == [upload.id])
check("parts are not keys", "parts" not in [one.name for one in bucket.list()])
done = upload.complete_upload()
check("multipart etag", done.etag.strip('"').endswith("-3"))
check("multipart body", bucket.get_key("parts").get_contents_as_string() == b"".join(parts))
gone = bucket.initiate_multipart_upload("gone")
gone.upload_part_from_file(io.BytesIO(b"part"), 1)
gone.cancel_upload()
check("aborted", [one.id for one in bucket.list_multipart_uploads()] == [])
check("aborted leaves no key", bucket.get_key("gone") is None)

url = bucket.get_key("large").generate_url(60)
check("presigned is version 2", "Signature=" in url and "Expires=" in url)
print(f"url {url}")
check("wrong secret", status_of(connect("wrong").get_all_buckets) == (403, "SignatureDoesNotMatch"))
check("bucket is not empty", status_of(connection.delete_bucket, NAME) == (409, "BucketNotEmpty"))
if os.environ.get("KEEP") != "1":
    bucket.delete_keys([one.name for one in bucket.list()])
    check("all keys are gone", list(bucket.list()) == [])
    connection.delete_bucket(NAME)
    check("bucket is gone", connection.lookup(NAME) is None)
print("ok all")
