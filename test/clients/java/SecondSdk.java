// The AWS SDK for Java 2 as it comes: default checksums, chunked signing over http, both styles of
// addresses, multipart uploads in parallel. Prints a line a check that held, and presigned URLs.
import java.io.ByteArrayInputStream;
import java.io.FileInputStream;
import java.io.InputStream;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.core.ResponseBytes;
import software.amazon.awssdk.core.interceptor.Context;
import software.amazon.awssdk.core.interceptor.ExecutionAttributes;
import software.amazon.awssdk.core.interceptor.ExecutionInterceptor;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.http.SdkHttpRequest;
import software.amazon.awssdk.http.apache.ApacheHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.s3.S3AsyncClient;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.S3Configuration;
import software.amazon.awssdk.services.s3.model.*;
import software.amazon.awssdk.services.s3.presigner.S3Presigner;
import software.amazon.awssdk.transfer.s3.S3TransferManager;

public class SecondSdk {
    static final int MIB = 1024 * 1024;
    static final String ODD_KEY = "a b/ü+é/日本/~'()*!;@&=$,?:#[]%20";
    static final Sent sent = new Sent();

    /** Keeps how the last request was signed and what trailer it announced. */
    static final class Sent implements ExecutionInterceptor {
        volatile String payload = "";
        volatile String trailer = "";
        volatile String host = "";

        @Override
        public void beforeTransmission(Context.BeforeTransmission context, ExecutionAttributes attributes) {
            SdkHttpRequest request = context.httpRequest();
            payload = request.firstMatchingHeader("x-amz-content-sha256").orElse("");
            trailer = request.firstMatchingHeader("x-amz-trailer").orElse("");
            host = request.host();
        }
    }

    static void check(String name, boolean held) {
        if (!held) {
            System.out.println("FAILED " + name + " (" + sent.payload + " " + sent.trailer + ")");
            System.exit(1);
        }
        System.out.println("ok " + name);
    }

    static StaticCredentialsProvider credentials(String secret) {
        return StaticCredentialsProvider.create(
            AwsBasicCredentials.create(System.getenv("AWS_ACCESS_KEY_ID"), secret));
    }

    static S3Client client(String endpoint, boolean pathStyle, String secret) throws Exception {
        return S3Client.builder()
            .endpointOverride(URI.create(endpoint))
            .region(Region.of(System.getenv("AWS_DEFAULT_REGION")))
            .forcePathStyle(pathStyle)
            .credentialsProvider(credentials(secret))
            .httpClientBuilder(ApacheHttpClient.builder()
                .tlsTrustManagersProvider(SecondSdk::trustManagers))
            .overrideConfiguration(settings -> settings.addExecutionInterceptor(sent))
            .build();
    }

    /** Trusts the certificate that the environment names. */
    static TrustManager[] trustManagers() {
        try (InputStream file = new FileInputStream(System.getenv("CERTIFICATE"))) {
            KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
            store.load(null, null);
            store.setCertificateEntry("server",
                CertificateFactory.getInstance("X.509").generateCertificate(file));
            TrustManagerFactory factory =
                TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
            factory.init(store);
            return factory.getTrustManagers();
        } catch (Exception error) {
            throw new IllegalStateException(error);
        }
    }

    static String codeOf(Runnable call) {
        try {
            call.run();
        } catch (S3Exception error) {
            return error.statusCode() + " " + error.awsErrorDetails().errorCode();
        }
        return "no error";
    }

    static byte[] body(int seed, int length) {
        byte[] bytes = new byte[length];
        new Random(seed).nextBytes(bytes);
        return bytes;
    }

    static byte[] read(S3Client s3, String bucket, String key) {
        return s3.getObjectAsBytes(request -> request.bucket(bucket).key(key)
            .checksumMode(ChecksumMode.ENABLED)).asByteArray();
    }

    static void buckets(S3Client s3, String bucket) {
        s3.createBucket(request -> request.bucket(bucket));
        check("head bucket", s3.headBucket(request -> request.bucket(bucket))
            .sdkHttpResponse().isSuccessful());
        check("list buckets", s3.listBuckets().buckets().stream()
            .anyMatch(one -> one.name().equals(bucket)));
        s3.waiter().waitUntilBucketExists(request -> request.bucket(bucket));
        check("own bucket again", codeOf(() -> s3.createBucket(request -> request.bucket(bucket)))
            .matches("no error|409 BucketAlreadyOwnedByYou"));
        check("no bucket", codeOf(() -> s3.listObjectsV2(request -> request.bucket("none-" + bucket)))
            .equals("404 NoSuchBucket"));
    }

    static void objects(S3Client s3, String bucket) {
        byte[] bytes = body(7, MIB + 3);
        PutObjectResponse put = s3.putObject(request -> request.bucket(bucket).key(ODD_KEY)
            .contentType("text/plain; charset=utf-8")
            .metadata(Map.of("who", "me", "title", "=?UTF-8?B?U3RyYcOfZQ==?=")), RequestBody.fromBytes(bytes));
        check("signed chunks with a trailer over http",
            sent.payload.equals("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER")
                && sent.trailer.equals("x-amz-checksum-crc32") && put.checksumCRC32() != null);
        ResponseBytes<GetObjectResponse> got =
            s3.getObjectAsBytes(request -> request.bucket(bucket).key(ODD_KEY)
                .checksumMode(ChecksumMode.ENABLED));
        check("body", Arrays.equals(got.asByteArray(), bytes));
        check("checksum validated on read", got.response().checksumCRC32() != null);
        HeadObjectResponse head = s3.headObject(request -> request.bucket(bucket).key(ODD_KEY));
        check("head", head.contentLength() == bytes.length && head.eTag().equals(put.eTag())
            && head.contentType().equals("text/plain; charset=utf-8"));
        check("metadata", "me".equals(head.metadata().get("who"))
            && "=?UTF-8?B?U3RyYcOfZQ==?=".equals(head.metadata().get("title")));
        byte[] range = s3.getObjectAsBytes(request -> request.bucket(bucket).key(ODD_KEY)
            .range("bytes=-5")).asByteArray();
        check("range", Arrays.equals(range, Arrays.copyOfRange(bytes, bytes.length - 5, bytes.length)));
        check("range past the end", codeOf(() -> s3.getObjectAsBytes(request ->
            request.bucket(bucket).key(ODD_KEY).range("bytes=9999999-"))).equals("416 InvalidRange"));
        check("not modified", codeOf(() -> s3.getObjectAsBytes(request ->
            request.bucket(bucket).key(ODD_KEY).ifNoneMatch(put.eTag()))).startsWith("304"));
        check("no key", codeOf(() -> read(s3, bucket, "none")).equals("404 NoSuchKey"));
        check("only if absent", codeOf(() -> s3.putObject(request -> request.bucket(bucket)
            .key(ODD_KEY).ifNoneMatch("*"), RequestBody.fromString("x")))
            .equals("412 PreconditionFailed"));
        s3.putObject(request -> request.bucket(bucket).key("empty"), RequestBody.empty());
        check("empty", read(s3, bucket, "empty").length == 0);
        s3.putObject(request -> request.bucket(bucket).key("stream"), RequestBody.fromContentProvider(
            () -> new ByteArrayInputStream(bytes), bytes.length, "application/octet-stream"));
        check("stream", Arrays.equals(read(s3, bucket, "stream"), bytes));
    }

    static void checksums(S3Client s3, String bucket) {
        byte[] bytes = body(8, 200_000);
        for (ChecksumAlgorithm algorithm : List.of(ChecksumAlgorithm.CRC32, ChecksumAlgorithm.CRC32_C,
            ChecksumAlgorithm.SHA1, ChecksumAlgorithm.SHA256)) {
            String key = "checksum-" + algorithm;
            s3.putObject(request -> request.bucket(bucket).key(key).checksumAlgorithm(algorithm),
                RequestBody.fromBytes(bytes));
            String header = "x-amz-checksum-" + algorithm.toString().toLowerCase().replace("_", "");
            check(key, sent.trailer.equals(header) && Arrays.equals(read(s3, bucket, key), bytes)
                && s3.getObjectAttributes(request -> request.bucket(bucket).key(key)
                    .objectAttributes(ObjectAttributes.CHECKSUM)).checksum().toString().contains("="));
        }
        // The check value of the algorithm; the SDK itself computes it with a native library only.
        PutObjectResponse put = s3.putObject(request -> request.bucket(bucket).key("crc64")
            .checksumCRC64NVME("rosUhgp5mIg="), RequestBody.fromString("123456789"));
        check("checksum-CRC64NVME", "rosUhgp5mIg=".equals(put.checksumCRC64NVME()));
        check("wrong checksum", codeOf(() -> s3.putObject(request -> request.bucket(bucket).key("bad")
            .checksumSHA256("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
            RequestBody.fromString("x"))).equals("400 BadDigest"));
        check("nothing was stored", codeOf(() -> read(s3, bucket, "bad")).equals("404 NoSuchKey"));
    }

    static void multipart(S3Client s3, String bucket) {
        String id = s3.createMultipartUpload(request -> request.bucket(bucket).key("parts")
            .checksumAlgorithm(ChecksumAlgorithm.CRC32_C)).uploadId();
        byte[][] parts = {body(1, 5 * MIB), body(2, 100)};
        List<CompletedPart> done = new ArrayList<>();
        for (int at = 0; at < parts.length; at += 1) {
            int number = at + 1;
            UploadPartResponse part = s3.uploadPart(request -> request.bucket(bucket).key("parts")
                .uploadId(id).partNumber(number).checksumAlgorithm(ChecksumAlgorithm.CRC32_C),
                RequestBody.fromBytes(parts[at]));
            done.add(CompletedPart.builder().partNumber(number).eTag(part.eTag())
                .checksumCRC32C(part.checksumCRC32C()).build());
        }
        check("list parts", s3.listPartsPaginator(request -> request.bucket(bucket).key("parts")
            .uploadId(id).maxParts(1)).parts().stream().count() == 2);
        check("list uploads", s3.listMultipartUploads(request -> request.bucket(bucket)).uploads().size() == 1);
        CompleteMultipartUploadResponse completed = s3.completeMultipartUpload(request -> request
            .bucket(bucket).key("parts").uploadId(id).multipartUpload(upload -> upload.parts(done)));
        check("complete", completed.eTag().endsWith("-2\"") && completed.checksumCRC32C().endsWith("-2"));
        byte[] second = s3.getObjectAsBytes(request -> request.bucket(bucket).key("parts").partNumber(2))
            .asByteArray();
        check("part read alone", Arrays.equals(second, parts[1]));
        String copied = s3.createMultipartUpload(request -> request.bucket(bucket).key("copied")).uploadId();
        CopyPartResult part = s3.uploadPartCopy(request -> request.sourceBucket(bucket).sourceKey("parts")
            .copySourceRange("bytes=10-109").destinationBucket(bucket).destinationKey("copied")
            .uploadId(copied).partNumber(1)).copyPartResult();
        s3.completeMultipartUpload(request -> request.bucket(bucket).key("copied").uploadId(copied)
            .multipartUpload(upload -> upload.parts(
                CompletedPart.builder().partNumber(1).eTag(part.eTag()).build())));
        check("part copied", Arrays.equals(read(s3, bucket, "copied"), Arrays.copyOfRange(parts[0], 10, 110)));
        String left = s3.createMultipartUpload(request -> request.bucket(bucket).key("left")).uploadId();
        s3.abortMultipartUpload(request -> request.bucket(bucket).key("left").uploadId(left));
        check("abort", codeOf(() -> s3.listParts(request -> request.bucket(bucket).key("left").uploadId(left)))
            .equals("404 NoSuchUpload"));
    }

    static void listsAndTags(S3Client s3, String bucket) {
        for (int at = 0; at < 7; at += 1) {
            String key = "list/" + (at % 2) + "/" + at;
            s3.putObject(request -> request.bucket(bucket).key(key), RequestBody.fromString(key));
        }
        check("pages", s3.listObjectsV2Paginator(request -> request.bucket(bucket).prefix("list/")
            .maxKeys(2)).contents().stream().count() == 7);
        check("prefixes", s3.listObjectsV2(request -> request.bucket(bucket).prefix("list/")
            .delimiter("/")).commonPrefixes().size() == 2);
        check("old list", s3.listObjects(request -> request.bucket(bucket).prefix("list/0/"))
            .contents().size() == 4);
        check("odd key listed", s3.listObjectsV2(request -> request.bucket(bucket).prefix("a b/ü+é/"))
            .contents().get(0).key().equals(ODD_KEY));
        Tag tag = Tag.builder().key("größe +").value("50 = halb @ x").build();
        s3.copyObject(request -> request.sourceBucket(bucket).sourceKey(ODD_KEY).destinationBucket(bucket)
            .destinationKey("copy ü").taggingDirective(TaggingDirective.REPLACE)
            .tagging(Tagging.builder().tagSet(tag).build())
            .metadataDirective(MetadataDirective.REPLACE).metadata(Map.of("new", "one")));
        check("copy", s3.headObject(request -> request.bucket(bucket).key("copy ü")).metadata()
            .equals(Map.of("new", "one")));
        check("tags", s3.getObjectTagging(request -> request.bucket(bucket).key("copy ü")).tagSet()
            .equals(List.of(tag)));
        s3.putBucketTagging(request -> request.bucket(bucket).tagging(tags -> tags.tagSet(tag)));
        check("bucket tags", s3.getBucketTagging(request -> request.bucket(bucket)).tagSet()
            .equals(List.of(tag)));
        List<ObjectIdentifier> keys = s3.listObjectsV2(request -> request.bucket(bucket).prefix("list/"))
            .contents().stream().map(one -> ObjectIdentifier.builder().key(one.key()).build()).toList();
        DeleteObjectsResponse deleted = s3.deleteObjects(request -> request.bucket(bucket)
            .delete(all -> all.objects(keys)));
        check("delete many", deleted.deleted().size() == 7 && deleted.errors().isEmpty());
        s3.deleteObject(request -> request.bucket(bucket).key("copy ü"));
        check("deleted", codeOf(() -> s3.headObject(request -> request.bucket(bucket).key("copy ü")))
            .startsWith("404"));
        s3.putBucketVersioning(request -> request.bucket(bucket)
            .versioningConfiguration(versioning -> versioning.status(BucketVersioningStatus.ENABLED)));
        s3.putObject(request -> request.bucket(bucket).key("empty"), RequestBody.fromString("new"));
        s3.deleteObject(request -> request.bucket(bucket).key("empty"));
        ListObjectVersionsResponse versions =
            s3.listObjectVersions(request -> request.bucket(bucket).prefix("empty"));
        check("versions", versions.versions().size() == 2 && versions.deleteMarkers().size() == 1);
    }

    /** Uploads and downloads in parts, in parallel, without native code. */
    static void transfers(String endpoint, String bucket, String secret) throws Exception {
        Path folder = Files.createTempDirectory("dolium-java");
        Path from = folder.resolve("from");
        Path to = folder.resolve("to");
        Files.write(from, body(9, 11 * MIB));
        try (S3AsyncClient s3 = S3AsyncClient.builder().endpointOverride(URI.create(endpoint))
                .region(Region.of(System.getenv("AWS_DEFAULT_REGION"))).forcePathStyle(true)
                .credentialsProvider(credentials(secret)).multipartEnabled(true)
                .multipartConfiguration(settings -> settings.minimumPartSizeInBytes(5L * MIB)
                    .thresholdInBytes(5L * MIB)).build();
            S3TransferManager transfers = S3TransferManager.builder().s3Client(s3).build()) {
            String tag = transfers.uploadFile(request -> request.source(from)
                .putObjectRequest(put -> put.bucket(bucket).key("transfer"))).completionFuture().join()
                .response().eTag();
            check("transfer in parts", tag.endsWith("-3\""));
            transfers.downloadFile(request -> request.destination(to)
                .getObjectRequest(get -> get.bucket(bucket).key("transfer"))).completionFuture().join();
            check("transfer back", Files.mismatch(from, to) == -1);
        } finally {
            for (Path path : List.of(from, to, folder)) Files.deleteIfExists(path);
        }
    }

    static void styles(String bucket, String secret) throws Exception {
        try (S3Client named = client(System.getenv("NAMED_ENDPOINT"), false, secret)) {
            check("virtual host", Arrays.equals(read(named, bucket, "stream"), body(7, MIB + 3))
                && sent.host.startsWith(bucket + "."));
            named.putObject(request -> request.bucket(bucket).key(ODD_KEY + "2"),
                RequestBody.fromString("by name"));
            check("virtual host, odd key",
                new String(read(named, bucket, ODD_KEY + "2")).equals("by name"));
        }
        try (S3Client secure = client(System.getenv("SECURE_ENDPOINT"), true, secret)) {
            secure.putObject(request -> request.bucket(bucket).key("secure"),
                RequestBody.fromString("over TLS"));
            check("unsigned chunks with a trailer over TLS",
                sent.payload.equals("STREAMING-UNSIGNED-PAYLOAD-TRAILER"));
            check("over TLS", new String(read(secure, bucket, "secure")).equals("over TLS"));
        }
    }

    static void presigned(String bucket, String secret) {
        try (S3Presigner presigner = S3Presigner.builder()
                .endpointOverride(URI.create(System.getenv("ENDPOINT")))
                .region(Region.of(System.getenv("AWS_DEFAULT_REGION"))).credentialsProvider(credentials(secret))
                .serviceConfiguration(S3Configuration.builder().pathStyleAccessEnabled(true).build()).build()) {
            System.out.println("put " + presigner.presignPutObject(request -> request
                .signatureDuration(Duration.ofMinutes(10))
                .putObjectRequest(put -> put.bucket(bucket).key("by url ü"))).url());
            System.out.println("get " + presigner.presignGetObject(request -> request
                .signatureDuration(Duration.ofMinutes(10))
                .getObjectRequest(get -> get.bucket(bucket).key("by url ü")
                    .responseContentType("text/x-mine"))).url());
        }
    }

    public static void main(String[] arguments) throws Exception {
        String endpoint = System.getenv("ENDPOINT");
        String secret = System.getenv("AWS_SECRET_ACCESS_KEY");
        String bucket = "java-new";
        try (S3Client s3 = client(endpoint, true, secret)) {
            buckets(s3, bucket);
            objects(s3, bucket);
            checksums(s3, bucket);
            multipart(s3, bucket);
            styles(bucket, secret);
            transfers(endpoint, bucket, secret);
            listsAndTags(s3, bucket);
        }
        try (S3Client wrong = client(endpoint, true, "wrong")) {
            check("wrong secret", codeOf(wrong::listBuckets).equals("403 SignatureDoesNotMatch"));
        }
        presigned(bucket, secret);
        System.out.println("ok all");
        System.exit(0);
    }
}
