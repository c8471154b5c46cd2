"""Apache libcloud against HOST and PORT from the environment: prints a line a check that held."""
import io
import os
import sys
import tempfile

from libcloud.storage.drivers.s3 import S3StorageDriver
from libcloud.storage.providers import get_driver
from libcloud.storage.types import ContainerDoesNotExistError, ObjectDoesNotExistError, Provider


def check(name, condition):
    if not condition:
        print(f"FAILED {name}")
        sys.exit(1)
    print(f"ok {name}")


def driver(name):
    return get_driver(name)(
        os.environ["AWS_ACCESS_KEY_ID"],
        os.environ["AWS_SECRET_ACCESS_KEY"],
        secure=False,
        host=os.environ["HOST"],
        port=int(os.environ["PORT"]),
    )


def refused(error, call, *args):
    try:
        call(*args)
    except error:
        return True
    return False


s3 = driver(Provider.S3)
check("driver", isinstance(s3, S3StorageDriver))
container = s3.create_container("libcloud")
check("list_containers", "libcloud" in [one.name for one in s3.list_containers()])
check("get_container", s3.get_container("libcloud").name == "libcloud")
check("no container", refused(ContainerDoesNotExistError, s3.get_container, "libcloud-none"))

with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "file")
    content = os.urandom(300_000)
    with open(path, "wb") as file:
        file.write(content)
    uploaded = s3.upload_object(path, container, "dir/file ü", extra={"meta_data": {"who": "me"}})
    check("upload", uploaded.size == len(content))
    found = s3.get_object("libcloud", "dir/file ü")
    check("head", found.size == len(content) and found.meta_data.get("who") == "me")
    check("download", found.download(os.path.join(folder, "copy")))
    with open(os.path.join(folder, "copy"), "rb") as file:
        check("body", file.read() == content)
    check("range", b"".join(s3.download_object_range_as_stream(found, 10, 20)) == content[10:20])

blocks = [os.urandom(3 * 1024 * 1024) for _ in range(4)]
s3.upload_object_via_stream(iter(blocks), container, "stream")
stream = s3.get_object("libcloud", "stream")
check("stream by multipart", stream.size == 12 * 1024 * 1024)
check("stream body", b"".join(stream.as_stream()) == b"".join(blocks))
s3.upload_object_via_stream(io.BytesIO(b""), container, "empty")
check("empty", s3.get_object("libcloud", "empty").size == 0)
names = [one.name for one in s3.list_container_objects(container)]
check("list", names == ["dir/file ü", "empty", "stream"])
check("list prefix", [one.name for one in container.list_objects(prefix="dir/")] == ["dir/file ü"])
check("no object", refused(ObjectDoesNotExistError, s3.get_object, "libcloud", "none"))
for one in container.list_objects():
    check(f"delete {one.name}", one.delete())
check("delete container", s3.delete_container(container))
print("ok all")
