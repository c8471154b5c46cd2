package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
)

func awsClient(secret string) *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: aws.String(os.Getenv("ENDPOINT")),
		Region:       os.Getenv("AWS_DEFAULT_REGION"),
		UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(
			os.Getenv("AWS_ACCESS_KEY_ID"), secret, ""),
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenSupported,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenSupported,
	})
}

func codeOf(err error) string {
	var failure smithy.APIError
	if errors.As(err, &failure) {
		return failure.ErrorCode()
	}
	return fmt.Sprint(err)
}

func awsRead(client *s3.Client, bucket, key string) []byte {
	got, err := client.GetObject(context.Background(), &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	must("get "+key, err)
	defer got.Body.Close()
	all, err := io.ReadAll(got.Body)
	must("read "+key, err)
	return all
}

func awsObjects(client *s3.Client, bucket string) {
	ctx := context.Background()
	data := body(1, mib+3)
	// Over http the SDK signs the hash of the body, which it can read twice.
	_, err := client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &bucket, Key: aws.String(oddKey), Body: bytes.NewReader(data),
		Metadata: map[string]string{"who": "me"}, ContentType: aws.String("text/x-mine"),
	})
	must("put", err)
	check("body", same(awsRead(client, bucket, oddKey), data))
	head, err := client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &bucket, Key: aws.String(oddKey)})
	must("head", err)
	check("head", *head.ContentLength == int64(len(data)) && head.Metadata["who"] == "me" &&
		*head.ContentType == "text/x-mine")
	part, err := client.GetObject(ctx, &s3.GetObjectInput{
		Bucket: &bucket, Key: aws.String(oddKey), Range: aws.String("bytes=10-19")})
	must("range", err)
	piece, err := io.ReadAll(part.Body)
	must("range body", err)
	check("range", same(piece, data[10:20]))
	for _, algorithm := range []types.ChecksumAlgorithm{
		types.ChecksumAlgorithmCrc32, types.ChecksumAlgorithmCrc32c, types.ChecksumAlgorithmCrc64nvme,
		types.ChecksumAlgorithmSha1, types.ChecksumAlgorithmSha256,
	} {
		key := "checksum-" + string(algorithm)
		_, err := client.PutObject(ctx, &s3.PutObjectInput{
			Bucket: &bucket, Key: &key, Body: bytes.NewReader(data), ChecksumAlgorithm: algorithm})
		must(key, err)
		check(key, same(awsRead(client, bucket, key), data))
	}
	_, err = client.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: aws.String("none")})
	check("no key", codeOf(err) == "NoSuchKey")
	_, err = client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &bucket, Key: aws.String(oddKey), IfNoneMatch: aws.String("*"), Body: strings.NewReader("x")})
	check("only if absent", codeOf(err) == "PreconditionFailed")
}

func awsParts(client *s3.Client, bucket string) {
	ctx := context.Background()
	key := aws.String("parts")
	upload, err := client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
		Bucket: &bucket, Key: key, ChecksumAlgorithm: types.ChecksumAlgorithmCrc64nvme})
	must("create upload", err)
	pieces := [][]byte{body(2, 5*mib), body(3, 100)}
	var done []types.CompletedPart
	for at, piece := range pieces {
		number := aws.Int32(int32(at + 1))
		part, err := client.UploadPart(ctx, &s3.UploadPartInput{
			Bucket: &bucket, Key: key, UploadId: upload.UploadId, PartNumber: number,
			ChecksumAlgorithm: types.ChecksumAlgorithmCrc64nvme, Body: bytes.NewReader(piece)})
		must("part", err)
		done = append(done, types.CompletedPart{
			PartNumber: number, ETag: part.ETag, ChecksumCRC64NVME: part.ChecksumCRC64NVME})
	}
	completed, err := client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: &bucket, Key: key, UploadId: upload.UploadId,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: done}})
	must("complete", err)
	check("checksum of the whole", completed.ChecksumType == types.ChecksumTypeFullObject)
	check("parts", same(awsRead(client, bucket, "parts"), append(pieces[0], pieces[1]...)))
	_, err = client.CopyObject(ctx, &s3.CopyObjectInput{
		Bucket: &bucket, Key: aws.String("copy"), CopySource: aws.String(bucket + "/parts")})
	must("copy", err)
	check("copy", len(awsRead(client, bucket, "copy")) == 5*mib+100)
}

func awsLists(client *s3.Client, bucket string) {
	ctx := context.Background()
	var keys []types.ObjectIdentifier
	pages := s3.NewListObjectsV2Paginator(client, &s3.ListObjectsV2Input{
		Bucket: &bucket, MaxKeys: aws.Int32(3)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		must("page", err)
		for _, object := range page.Contents {
			keys = append(keys, types.ObjectIdentifier{Key: object.Key})
		}
	}
	check("pages", len(keys) == 8 && *keys[0].Key == oddKey)
	url, err := s3.NewPresignClient(client).PresignGetObject(ctx, &s3.GetObjectInput{
		Bucket: &bucket, Key: aws.String(oddKey)}, s3.WithPresignExpires(10*time.Minute))
	must("presign", err)
	fmt.Println("get " + url.URL)
	_, err = client.DeleteObjects(ctx, &s3.DeleteObjectsInput{
		Bucket: &bucket, Delete: &types.Delete{Objects: keys[1:]}})
	must("delete many", err)
	left, err := client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &bucket})
	must("list", err)
	check("deleted", *left.KeyCount == 1)
}

func checkAws() {
	ctx := context.Background()
	client := awsClient(os.Getenv("AWS_SECRET_ACCESS_KEY"))
	bucket := "go-aws"
	_, err := client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &bucket})
	must("create bucket", err)
	awsObjects(client, bucket)
	awsParts(client, bucket)
	awsLists(client, bucket)
	_, err = awsClient("wrong").ListBuckets(ctx, &s3.ListBucketsInput{})
	check("wrong secret", codeOf(err) == "SignatureDoesNotMatch")
}
