"""Drives the S3 endpoint with boto3 and the AWS CLI; any failed assertion fails the Rust test around it."""
import hashlib
import io
import os
import subprocess
import sys
import urllib.error
import urllib.request

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

endpoint, mode = sys.argv[1], sys.argv[2]
os.environ.update(
    AWS_ACCESS_KEY_ID="AKIATEST",
    AWS_SECRET_ACCESS_KEY="the secret",
    AWS_DEFAULT_REGION="us-east-1",
    AWS_ENDPOINT_URL=endpoint,
    AWS_EC2_METADATA_DISABLED="true",
)


def client(**more):
    settings = dict(retries={"max_attempts": 1})
    settings.update(more.pop("config", {}))
    return boto3.client("s3", config=Config(**settings), **more)


s3 = client()


def refused(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, (code, error)
        return error.response["Error"].get("Message")
    raise AssertionError(f"{code} expected from {call}")


def cli(*words):
    run = subprocess.run([sys.executable, "-m", "awscli", *words], capture_output=True, text=True)
    assert run.returncode == 0, (words, run.stderr)
    return run.stdout


def buckets():
    s3.create_bucket(Bucket="bkt")
    s3.head_bucket(Bucket="bkt")
    assert [b["Name"] for b in s3.list_buckets()["Buckets"]] == ["bkt"]
    assert s3.get_bucket_location(Bucket="bkt")["LocationConstraint"] is None
    s3.create_bucket(Bucket="west", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    assert s3.get_bucket_location(Bucket="west")["LocationConstraint"] == "eu-west-1"
    s3.delete_bucket(Bucket="west")
    assert "Status" not in s3.get_bucket_versioning(Bucket="bkt")
    assert refused("NoSuchBucket", s3.list_objects_v2, Bucket="none") == "The specified bucket does not exist"
    refused("404", s3.head_bucket, Bucket="none")
    s3.put_bucket_tagging(Bucket="bkt", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    assert s3.get_bucket_tagging(Bucket="bkt")["TagSet"] == [{"Key": "a", "Value": "b"}]
    s3.delete_bucket_tagging(Bucket="bkt")
    refused("NoSuchTagSet", s3.get_bucket_tagging, Bucket="bkt")


def objects():
    body = os.urandom(300_000)
    put = s3.put_object(Bucket="bkt", Key="k", Body=body, Metadata={"a": "1"}, ContentType="x/y", CacheControl="c")
    assert put["ETag"] == f'"{hashlib.md5(body).hexdigest()}"', put
    got = s3.get_object(Bucket="bkt", Key="k")
    assert got["Body"].read() == body
    assert got["Metadata"] == {"a": "1"} and got["ContentType"] == "x/y" and got["CacheControl"] == "c"
    assert s3.get_object(Bucket="bkt", Key="k", Range="bytes=10-19")["Body"].read() == body[10:20]
    assert s3.head_object(Bucket="bkt", Key="k")["ContentLength"] == len(body)
    assert refused("NoSuchKey", s3.get_object, Bucket="bkt", Key="none") == "The specified key does not exist."
    refused("404", s3.head_object, Bucket="bkt", Key="none")
    refused("304", s3.get_object, Bucket="bkt", Key="k", IfNoneMatch=put["ETag"])
    refused("PreconditionFailed", s3.put_object, Bucket="bkt", Key="k", Body=b"", IfNoneMatch="*")
    refused("InvalidRange", s3.get_object, Bucket="bkt", Key="k", Range="bytes=300000-")
    # A body that cannot be read twice is sent as aws-chunked with a checksum trailer.
    for algorithm in ["CRC32", "SHA256", "SHA1"]:
        answer = s3.put_object(Bucket="bkt", Key="sum", Body=io.BytesIO(b"hello"), ChecksumAlgorithm=algorithm)
        name = f"Checksum{algorithm}"
        head = s3.head_object(Bucket="bkt", Key="sum", ChecksumMode="ENABLED")
        assert head[name] == answer[name] and head["ChecksumType"] == "FULL_OBJECT", head
        assert s3.get_object(Bucket="bkt", Key="sum", ChecksumMode="ENABLED")["Body"].read() == b"hello"
    refused("BadDigest", s3.put_object, Bucket="bkt", Key="sum", Body=b"hello", ChecksumCRC32="AAAAAA==")
    attributes = s3.get_object_attributes(Bucket="bkt", Key="k", ObjectAttributes=["ETag", "ObjectSize", "Checksum"])
    assert attributes["ObjectSize"] == len(body), attributes
    s3.put_object(Bucket="bkt", Key="empty", Body=b"")
    assert s3.get_object(Bucket="bkt", Key="empty")["Body"].read() == b""
    s3.copy_object(Bucket="bkt", Key="k 2", CopySource={"Bucket": "bkt", "Key": "k"})
    assert s3.get_object(Bucket="bkt", Key="k 2")["Body"].read() == body
    s3.put_object_tagging(Bucket="bkt", Key="k", Tagging={"TagSet": [{"Key": "t", "Value": "1"}]})
    assert s3.get_object_tagging(Bucket="bkt", Key="k")["TagSet"] == [{"Key": "t", "Value": "1"}]
    s3.delete_object_tagging(Bucket="bkt", Key="k")
    assert s3.get_object_tagging(Bucket="bkt", Key="k")["TagSet"] == []
    s3.put_object(Bucket="bkt", Key="tagged", Body=b"x", Tagging="a=1&b=2")
    assert len(s3.get_object_tagging(Bucket="bkt", Key="tagged")["TagSet"]) == 2
    s3.delete_object(Bucket="bkt", Key="k")
    answer = s3.delete_objects(Bucket="bkt", Delete={"Objects": [{"Key": k} for k in ["k 2", "sum", "empty", "tagged"]]})
    assert len(answer["Deleted"]) == 4 and "Errors" not in answer, answer
    assert s3.list_objects_v2(Bucket="bkt")["KeyCount"] == 0


def keys():
    names = ["../esc", "k", "k/sub", "a b", "ü/é", "+plus", "per%25cent", "q?&=#", "a//b", "~t", "(p)", "'q'", "日本"]
    for name in names:
        s3.put_object(Bucket="bkt", Key=name, Body=name.encode())
    for name in names:
        assert s3.get_object(Bucket="bkt", Key=name)["Body"].read() == name.encode(), name
    listed = [o["Key"] for o in s3.list_objects_v2(Bucket="bkt")["Contents"]]
    assert listed == sorted(names, key=lambda n: n.encode()), listed
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket="bkt", PaginationConfig={"PageSize": 3})
    assert [o["Key"] for page in pages for o in page["Contents"]] == listed
    pages = s3.get_paginator("list_objects").paginate(Bucket="bkt", PaginationConfig={"PageSize": 3})
    assert [o["Key"] for page in pages for o in page["Contents"]] == listed
    pages = s3.get_paginator("list_objects").paginate(Bucket="bkt", Delimiter="/", PaginationConfig={"PageSize": 2})
    prefixes = [p["Prefix"] for page in pages for p in page.get("CommonPrefixes", [])]
    assert prefixes == ["../", "a/", "k/", "ü/"], prefixes
    rolled = s3.list_objects_v2(Bucket="bkt", Delimiter="/")
    assert [p["Prefix"] for p in rolled["CommonPrefixes"]] == prefixes
    after = s3.list_objects_v2(Bucket="bkt", StartAfter="k", Prefix="k")["Contents"]
    assert [o["Key"] for o in after] == ["k/sub"]
    s3.copy_object(Bucket="bkt", Key="copied", CopySource={"Bucket": "bkt", "Key": "ü/é"})
    assert s3.get_object(Bucket="bkt", Key="copied")["Body"].read() == "ü/é".encode()
    s3.delete_objects(Bucket="bkt", Delete={"Objects": [{"Key": k} for k in [*names, "copied"]], "Quiet": True})
    assert "Contents" not in s3.list_objects_v2(Bucket="bkt")


def multipart():
    body = os.urandom(20 * 1024 * 1024 + 17)
    settings = TransferConfig(multipart_threshold=6 * 1024 * 1024, multipart_chunksize=6 * 1024 * 1024)
    s3.upload_fileobj(io.BytesIO(body), "bkt", "big", Config=settings, ExtraArgs={"Metadata": {"m": "x"}})
    head = s3.head_object(Bucket="bkt", Key="big", ChecksumMode="ENABLED")
    assert head["ETag"].endswith('-4"') and head["Metadata"] == {"m": "x"}, head
    back = io.BytesIO()
    s3.download_fileobj("bkt", "big", back, Config=settings)
    assert back.getvalue() == body
    s3.copy({"Bucket": "bkt", "Key": "big"}, "bkt", "big2", Config=settings)
    assert s3.get_object(Bucket="bkt", Key="big2")["Body"].read() == body
    s3.copy_object(Bucket="bkt", Key="big3", CopySource="bkt/big")
    third = s3.get_object(Bucket="bkt", Key="big3")
    assert third["Body"].read() == body and third["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
    for algorithm, kind in [("CRC64NVME", "FULL_OBJECT"), ("CRC32", "FULL_OBJECT"), ("SHA256", "COMPOSITE")]:
        upload = s3.create_multipart_upload(Bucket="bkt", Key="m", ChecksumAlgorithm=algorithm, ChecksumType=kind)
        name, parts = f"Checksum{algorithm}", []
        if algorithm == "CRC64NVME":
            continue_with = {}  # boto3 computes it only with awscrt; the server does it anyway
        else:
            continue_with = {"ChecksumAlgorithm": algorithm}
        for number, piece in enumerate([body[: 6 << 20], body[6 << 20 : 7 << 20]], 1):
            part = s3.upload_part(
                Bucket="bkt", Key="m", UploadId=upload["UploadId"], PartNumber=number, Body=piece, **continue_with
            )
            named = {"PartNumber": number, "ETag": part["ETag"]}
            if name in part and continue_with:
                named[name] = part[name]
            parts.append(named)
        listed = s3.list_parts(Bucket="bkt", Key="m", UploadId=upload["UploadId"])["Parts"]
        assert [p["Size"] for p in listed] == [6 << 20, 1 << 20], listed
        done = s3.complete_multipart_upload(
            Bucket="bkt", Key="m", UploadId=upload["UploadId"], MultipartUpload={"Parts": parts}
        )
        if algorithm != "CRC64NVME":
            assert done["ChecksumType"] == kind and done[name].endswith("-2") == (kind == "COMPOSITE"), done
    upload = s3.create_multipart_upload(Bucket="bkt", Key="gone")["UploadId"]
    assert [u["Key"] for u in s3.list_multipart_uploads(Bucket="bkt")["Uploads"]] == ["gone"]
    s3.abort_multipart_upload(Bucket="bkt", Key="gone", UploadId=upload)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket="bkt")
    refused("NoSuchUpload", s3.list_parts, Bucket="bkt", Key="gone", UploadId=upload)
    for key in ["big", "big2", "big3", "m"]:
        s3.delete_object(Bucket="bkt", Key=key)


def presigned():
    for version in ["s3v4", "s3"]:
        signer = client(config={"signature_version": version})
        url = signer.generate_presigned_url("put_object", Params={"Bucket": "bkt", "Key": "pre signed"})
        request = urllib.request.Request(url, data=b"by url", method="PUT")
        if version == "s3":
            request.add_header("Content-Type", "")
        urllib.request.urlopen(request).read()
        url = signer.generate_presigned_url("get_object", Params={"Bucket": "bkt", "Key": "pre signed"})
        assert urllib.request.urlopen(url).read() == b"by url"
        try:
            urllib.request.urlopen(signer.generate_presigned_url("get_object", Params={"Bucket": "bkt", "Key": "none"}))
            raise AssertionError("404 expected")
        except urllib.error.HTTPError as error:
            assert error.code == 404
    late = (
        f"{endpoint}/bkt/pre%20signed?X-Amz-Algorithm=AWS4-HMAC-SHA256"
        "&X-Amz-Credential=AKIATEST/20200101/us-east-1/s3/aws4_request&X-Amz-Date=20200101T000000Z"
        f"&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature={'0' * 64}"
    )
    try:
        urllib.request.urlopen(late)
        raise AssertionError("403 expected")
    except urllib.error.HTTPError as error:
        text = error.read().decode()
        assert error.code == 403 and "<Message>Request has expired</Message>" in text, (error.code, text)
    s3.delete_object(Bucket="bkt", Key="pre signed")


def notifications():
    s3.put_bucket_notification_configuration(
        Bucket="bkt", NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    assert "EventBridgeConfiguration" in s3.get_bucket_notification_configuration(Bucket="bkt")
    queue = {"QueueArn": "arn:aws:sqs:us-east-1:0:q", "Events": ["s3:ObjectCreated:*"]}
    refused(
        "NotImplemented",
        s3.put_bucket_notification_configuration,
        Bucket="bkt",
        NotificationConfiguration={"QueueConfigurations": [queue]},
    )
    cli("s3api", "put-bucket-notification-configuration", "--bucket", "bkt",
        "--notification-configuration", '{"EventBridgeConfiguration": {}}')  # fmt: skip
    assert "EventBridgeConfiguration" in cli("s3api", "get-bucket-notification-configuration", "--bucket", "bkt")


def command_line():
    cli("s3", "mb", "s3://cli")
    os.makedirs("tree/sub", exist_ok=True)
    for path, size in [("tree/a.txt", 10), ("tree/sub/b c.txt", 9 * 1024 * 1024)]:
        with open(path, "wb") as file:
            file.write(os.urandom(size))
    cli("s3", "sync", "tree", "s3://cli/tree")
    assert "b c.txt" in cli("s3", "ls", "s3://cli", "--recursive")
    assert "PRE tree/" in cli("s3", "ls", "s3://cli")
    cli("s3", "cp", "s3://cli/tree", "back", "--recursive")
    for path in ["a.txt", "sub/b c.txt"]:
        with open(f"tree/{path}", "rb") as one, open(f"back/{path}", "rb") as two:
            assert one.read() == two.read(), path
    cli("s3", "mv", "s3://cli/tree/a.txt", "s3://cli/moved.txt")
    assert "moved.txt" in cli("s3api", "list-objects-v2", "--bucket", "cli", "--prefix", "moved")
    cli("s3", "rb", "s3://cli", "--force")


def signatures():
    stranger = client(aws_access_key_id="stranger", aws_secret_access_key="x")
    liar = client(aws_access_key_id="AKIATEST", aws_secret_access_key="not the secret")
    if mode == "verified":
        refused("InvalidAccessKeyId", stranger.list_buckets)
        text = refused("SignatureDoesNotMatch", liar.list_buckets)
        assert text.startswith("The request signature we calculated does not match"), text
    else:
        stranger.list_buckets()
        liar.put_object(Bucket="bkt", Key="liar", Body=b"x")
        s3.delete_object(Bucket="bkt", Key="liar")


for part in [buckets, objects, keys, multipart, presigned, notifications, command_line, signatures]:
    part()
    print("ok", part.__name__)
s3.delete_bucket(Bucket="bkt")
