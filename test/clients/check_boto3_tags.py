"""boto3 on tags, ACLs and lenient settings: PART and AWS_* from the environment; prints a line a check that held."""
import os
import sys

import boto3
from botocore.exceptions import ClientError

s3 = boto3.client("s3")
PART = os.environ["PART"]
BUCKET = "tags-" + PART.replace("_", "-")
s3.create_bucket(Bucket=BUCKET)
s3.put_object(Bucket=BUCKET, Key="one", Body=b"one")


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


def tags(count, key="k", value="v"):
    return {"TagSet": [{"Key": f"{key}{at}", "Value": value} for at in range(count)]}


def on_object(tagging):
    return code_of(s3.put_object_tagging, Bucket=BUCKET, Key="one", Tagging=tagging)


def on_bucket(tagging):
    return code_of(s3.put_bucket_tagging, Bucket=BUCKET, Tagging=tagging)


def limits():
    check("10 of an object", on_object(tags(10)) == "no error")
    check("all come back", len(s3.get_object_tagging(Bucket=BUCKET, Key="one")["TagSet"]) == 10)
    check("11 of an object", on_object(tags(11)) == "BadRequest", on_object(tags(11)))
    check("50 of a bucket", on_bucket(tags(50)) == "no error", on_bucket(tags(50)))
    check("51 of a bucket", on_bucket(tags(51)) != "no error")
    check("key of 128", on_object(tags(1, "k" * 127)) == "no error")
    check("key of 129", on_object(tags(1, "k" * 128)) == "InvalidTag")
    check("value of 256", on_object(tags(1, value="v" * 256)) == "no error")
    check("value of 257", on_object(tags(1, value="v" * 257)) == "InvalidTag")
    check("characters", on_object(tags(1, "k<>")) == "InvalidTag", on_object(tags(1, "k<>")))
    twice = {"TagSet": [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]}
    check("a key twice", on_object(twice) == "InvalidTag")
    s3.put_object(Bucket=BUCKET, Key="two", Body=b"", Tagging="a=1&b=2")
    check("count on GET", s3.get_object(Bucket=BUCKET, Key="two")["TagCount"] == 2)
    s3.delete_object_tagging(Bucket=BUCKET, Key="two")
    check("deleted", s3.get_object_tagging(Bucket=BUCKET, Key="two")["TagSet"] == [])


def tags_of(key):
    got = s3.get_object_tagging(Bucket=BUCKET, Key=key)["TagSet"]
    return {tag["Key"]: tag["Value"] for tag in got}


def copies():
    s3.put_object(Bucket=BUCKET, Key="from", Body=b"x", Tagging="a=1")
    source = {"Bucket": BUCKET, "Key": "from"}
    s3.copy_object(Bucket=BUCKET, Key="copy", CopySource=source)
    check("copied tags", tags_of("copy") == {"a": "1"}, tags_of("copy"))
    s3.copy_object(
        Bucket=BUCKET, Key="replaced", CopySource=source, TaggingDirective="REPLACE", Tagging="b=2"
    )
    check("replaced tags", tags_of("replaced") == {"b": "2"}, tags_of("replaced"))


def empty_aws():
    check("bucket", code_of(s3.get_bucket_tagging, Bucket=BUCKET) == "NoSuchTagSet")
    check("object", s3.get_object_tagging(Bucket=BUCKET, Key="one")["TagSet"] == [])


def empty_alluxio():
    check("bucket", s3.get_bucket_tagging(Bucket=BUCKET)["TagSet"] == [])


def lifted():
    check("11 of an object", on_object(tags(11)) == "no error", on_object(tags(11)))
    check("key of 200", on_object(tags(1, "k" * 200)) == "no error")


def bare_complete():
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key="parts")["UploadId"]
    at = {"Bucket": BUCKET, "Key": "parts", "UploadId": upload}
    s3.upload_part(**at, PartNumber=1, Body=b"part")
    s3.complete_multipart_upload(**at, MultipartUpload={"Parts": [{"PartNumber": 1}]})
    check("body", s3.get_object(Bucket=BUCKET, Key="parts")["Body"].read() == b"part")


def metadata():
    large = {"k": "v" * 3000}
    s3.put_object(Bucket=BUCKET, Key="meta", Body=b"", Metadata=large)
    check("3 KB", s3.head_object(Bucket=BUCKET, Key="meta")["Metadata"] == large)


def acls():
    own = s3.get_bucket_acl(Bucket=BUCKET)
    check("owner has all", [g["Permission"] for g in own["Grants"]] == ["FULL_CONTROL"], own)
    s3.create_bucket(Bucket="acl-bucket", ObjectOwnership="ObjectWriter")
    blocked = code_of(s3.put_object, Bucket="acl-bucket", Key="open", Body=b"", ACL="public-read")
    check("public lists are blocked", blocked == "AccessDenied", blocked)
    s3.delete_public_access_block(Bucket="acl-bucket")
    s3.put_object(Bucket="acl-bucket", Key="open", Body=b"open", ACL="public-read")
    grants = s3.get_object_acl(Bucket="acl-bucket", Key="open")["Grants"]
    everyone = [g["Permission"] for g in grants if "AllUsers" in g["Grantee"].get("URI", "")]
    check("public-read", everyone == ["READ"], grants)
    s3.put_object_acl(Bucket="acl-bucket", Key="open", ACL="private")
    check("private", len(s3.get_object_acl(Bucket="acl-bucket", Key="open")["Grants"]) == 1)


globals()[PART]()
print("ok all")
