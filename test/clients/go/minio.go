package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/tags"
)

// minioClient signs chunks, and trailers with a checksum; by the old signature where told.
func minioClient(secret string, isOld bool) *minio.Client {
	endpoint, err := url.Parse(os.Getenv("ENDPOINT"))
	must("endpoint", err)
	id := os.Getenv("AWS_ACCESS_KEY_ID")
	proof := credentials.NewStaticV4(id, secret, "")
	if isOld {
		proof = credentials.NewStaticV2(id, secret, "")
	}
	client, err := minio.New(endpoint.Host, &minio.Options{
		Creds: proof, Region: os.Getenv("AWS_DEFAULT_REGION"), TrailingHeaders: !isOld,
		BucketLookup: minio.BucketLookupPath,
	})
	must("client", err)
	return client
}

func minioRead(client *minio.Client, bucket, key string) []byte {
	object, err := client.GetObject(context.Background(), bucket, key, minio.GetObjectOptions{})
	must("get "+key, err)
	defer object.Close()
	all, err := io.ReadAll(object)
	must("read "+key, err)
	return all
}

func minioObjects(client *minio.Client, bucket string) {
	ctx := context.Background()
	data := body(4, mib+3)
	_, err := client.PutObject(ctx, bucket, oddKey, bytes.NewReader(data), int64(len(data)),
		minio.PutObjectOptions{UserMetadata: map[string]string{"who": "me"}, ContentType: "text/x-mine"})
	must("put", err)
	check("body", same(minioRead(client, bucket, oddKey), data))
	stat, err := client.StatObject(ctx, bucket, oddKey, minio.StatObjectOptions{})
	must("stat", err)
	check("stat", stat.Size == int64(len(data)) && stat.ContentType == "text/x-mine" &&
		stat.UserMetadata["Who"] == "me")
	object, err := client.GetObject(ctx, bucket, oddKey, minio.GetObjectOptions{})
	must("open", err)
	piece := make([]byte, 100)
	_, err = object.ReadAt(piece, mib-200)
	must("read at", err)
	check("read at", same(piece, data[mib-200:mib-100]))
	must("close", object.Close())
	_, err = client.StatObject(ctx, bucket, "none", minio.StatObjectOptions{})
	check("no key", minio.ToErrorResponse(err).Code == "NoSuchKey")
	// A stream of unknown length is sent in parts.
	large := body(5, 11*mib)
	_, err = client.PutObject(ctx, bucket, "stream", io.MultiReader(bytes.NewReader(large)), -1,
		minio.PutObjectOptions{PartSize: 5 * mib})
	must("stream", err)
	check("stream", same(minioRead(client, bucket, "stream"), large))
	_, err = client.ComposeObject(ctx, minio.CopyDestOptions{Bucket: bucket, Object: "composed"},
		minio.CopySrcOptions{Bucket: bucket, Object: "stream"},
		minio.CopySrcOptions{Bucket: bucket, Object: oddKey})
	must("compose", err)
	check("compose", same(minioRead(client, bucket, "composed"), append(large, data...)))
}

func minioChecksums(client *minio.Client, bucket string) {
	ctx := context.Background()
	data := body(6, 6*mib)
	for _, checksum := range []minio.ChecksumType{minio.ChecksumCRC32, minio.ChecksumCRC32C,
		minio.ChecksumCRC64NVME, minio.ChecksumSHA1, minio.ChecksumSHA256} {
		key := "checksum-" + checksum.String()
		info, err := client.PutObject(ctx, bucket, key, bytes.NewReader(data[:mib]), mib,
			minio.PutObjectOptions{Checksum: checksum})
		must(key, err)
		given := info.ChecksumCRC32 + info.ChecksumCRC32C + info.ChecksumCRC64NVME +
			info.ChecksumSHA1 + info.ChecksumSHA256
		check(key, given != "" && same(minioRead(client, bucket, key), data[:mib]))
	}
	_, err := client.PutObject(ctx, bucket, "checked-parts", bytes.NewReader(data), int64(len(data)),
		minio.PutObjectOptions{PartSize: 5 * mib, Checksum: minio.ChecksumFullObjectCRC32C})
	must("parts with a checksum of the whole", err)
	check("parts with a checksum", same(minioRead(client, bucket, "checked-parts"), data))
}

func minioLists(client *minio.Client, bucket string) {
	ctx := context.Background()
	count := 0
	objects := make(chan minio.ObjectInfo, 100)
	for object := range client.ListObjects(ctx, bucket, minio.ListObjectsOptions{Recursive: true, MaxKeys: 3}) {
		must("list", object.Err)
		count += 1
		if object.Key != oddKey {
			objects <- object
		}
	}
	check("list", count == 9)
	label, err := tags.NewTags(map[string]string{"size +": "50 = halb"}, true)
	must("tags", err)
	must("put tags", client.PutObjectTagging(ctx, bucket, oddKey, label, minio.PutObjectTaggingOptions{}))
	got, err := client.GetObjectTagging(ctx, bucket, oddKey, minio.GetObjectTaggingOptions{})
	must("get tags", err)
	check("tags", got.ToMap()["size +"] == "50 = halb")
	link, err := client.PresignedGetObject(ctx, bucket, oddKey, 10*time.Minute, nil)
	must("presign", err)
	fmt.Println("get " + link.String())
	close(objects)
	for failure := range client.RemoveObjects(ctx, bucket, objects, minio.RemoveObjectsOptions{}) {
		must("delete "+failure.ObjectName, failure.Err)
	}
	count = 0
	for range client.ListObjects(ctx, bucket, minio.ListObjectsOptions{Recursive: true}) {
		count += 1
	}
	check("deleted", count == 1)
}

func checkMinio() {
	ctx := context.Background()
	secret := os.Getenv("AWS_SECRET_ACCESS_KEY")
	client := minioClient(secret, false)
	bucket := "go-minio"
	must("make bucket", client.MakeBucket(ctx, bucket, minio.MakeBucketOptions{}))
	found, err := client.BucketExists(ctx, bucket)
	must("bucket exists", err)
	check("bucket exists", found)
	minioObjects(client, bucket)
	minioChecksums(client, bucket)
	minioLists(client, bucket)
	old := minioClient(secret, true)
	data := body(7, 6*mib)
	_, err = old.PutObject(ctx, bucket, "old signature", bytes.NewReader(data), int64(len(data)),
		minio.PutObjectOptions{PartSize: 5 * mib})
	must("old signature", err)
	check("old signature", same(minioRead(old, bucket, "old signature"), data))
	_, err = minioClient("wrong", false).ListBuckets(ctx)
	check("wrong secret", minio.ToErrorResponse(err).Code == "SignatureDoesNotMatch")
}
