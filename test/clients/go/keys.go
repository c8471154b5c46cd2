package main

import (
	"bufio"
	"context"
	"os"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/minio/minio-go/v7"
)

// Every key of BUCKET, one a line, in the order that the client gives.

func printAwsKeys() {
	out := bufio.NewWriter(os.Stdout)
	bucket := os.Getenv("BUCKET")
	client := awsClient(os.Getenv("AWS_SECRET_ACCESS_KEY"))
	pages := s3.NewListObjectsV2Paginator(client, &s3.ListObjectsV2Input{Bucket: &bucket})
	for pages.HasMorePages() {
		page, err := pages.NextPage(context.Background())
		must("page", err)
		for _, object := range page.Contents {
			printKey(out, *object.Key)
		}
	}
	must("print", out.Flush())
}

func printMinioKeys() {
	out := bufio.NewWriter(os.Stdout)
	client := minioClient(os.Getenv("AWS_SECRET_ACCESS_KEY"), false)
	all := client.ListObjects(context.Background(), os.Getenv("BUCKET"),
		minio.ListObjectsOptions{Recursive: true})
	for object := range all {
		must("list", object.Err)
		printKey(out, object.Key)
	}
	must("print", out.Flush())
}

func printKey(out *bufio.Writer, key string) {
	_, err := out.WriteString(key + "\n")
	must("print", err)
}
