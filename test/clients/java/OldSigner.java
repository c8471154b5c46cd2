// The AWS SDK for Java 1 with the signer of the old signature: prints a line a check that held, and
// presigned URLs. `version` alone prints the version of the SDK.
import com.amazonaws.ClientConfiguration;
import com.amazonaws.auth.AWSStaticCredentialsProvider;
import com.amazonaws.auth.BasicAWSCredentials;
import com.amazonaws.client.builder.AwsClientBuilder.EndpointConfiguration;
import com.amazonaws.services.s3.AmazonS3;
import com.amazonaws.services.s3.AmazonS3ClientBuilder;
import com.amazonaws.services.s3.model.*;
import com.amazonaws.util.IOUtils;
import com.amazonaws.util.VersionInfoUtils;
import java.io.ByteArrayInputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Date;
import java.util.List;
import java.util.Random;

public class OldSigner {
    static final int MIB = 1024 * 1024;

    static void check(String name, boolean held) {
        if (!held) {
            System.out.println("FAILED " + name);
            System.exit(1);
        }
        System.out.println("ok " + name);
    }

    static AmazonS3 client(String secret) {
        ClientConfiguration configuration = new ClientConfiguration();
        configuration.setSignerOverride("S3SignerType");
        String user = System.getenv("AWS_ACCESS_KEY_ID");
        return AmazonS3ClientBuilder.standard()
            .withClientConfiguration(configuration)
            .withEndpointConfiguration(new EndpointConfiguration(
                System.getenv("ENDPOINT"), System.getenv("AWS_DEFAULT_REGION")))
            .withPathStyleAccessEnabled(true)
            .withCredentials(new AWSStaticCredentialsProvider(new BasicAWSCredentials(user, secret)))
            .build();
    }

    static String codeOf(Runnable call) {
        try {
            call.run();
        } catch (AmazonS3Exception error) {
            return error.getErrorCode();
        }
        return "no error";
    }

    static byte[] body(int seed, int length) {
        byte[] bytes = new byte[length];
        new Random(seed).nextBytes(bytes);
        return bytes;
    }

    static void put(AmazonS3 s3, String bucket, String key, byte[] bytes) {
        ObjectMetadata metadata = new ObjectMetadata();
        metadata.setContentLength(bytes.length);
        metadata.addUserMetadata("who", "me");
        s3.putObject(bucket, key, new ByteArrayInputStream(bytes), metadata);
    }

    static void multipart(AmazonS3 s3, String bucket) throws Exception {
        String id = s3.initiateMultipartUpload(
            new InitiateMultipartUploadRequest(bucket, "parts")).getUploadId();
        List<PartETag> etags = new ArrayList<>();
        byte[][] parts = {body(1, 5 * MIB), body(2, 100)};
        for (int at = 0; at < parts.length; at += 1) {
            etags.add(s3.uploadPart(new UploadPartRequest().withBucketName(bucket).withKey("parts")
                .withUploadId(id).withPartNumber(at + 1).withPartSize(parts[at].length)
                .withInputStream(new ByteArrayInputStream(parts[at]))).getPartETag());
        }
        s3.completeMultipartUpload(new CompleteMultipartUploadRequest(bucket, "parts", id, etags));
        byte[] got = IOUtils.toByteArray(s3.getObject(bucket, "parts").getObjectContent());
        check("multipart", got.length == 5 * MIB + 100
            && Arrays.equals(Arrays.copyOf(got, 5 * MIB), parts[0]));
    }

    public static void main(String[] arguments) throws Exception {
        if (arguments.length > 0) {
            System.out.println(VersionInfoUtils.getVersion());
            return;
        }
        AmazonS3 s3 = client(System.getenv("AWS_SECRET_ACCESS_KEY"));
        String bucket = "java-old";
        s3.createBucket(bucket);
        check("exists", s3.doesBucketExistV2(bucket));
        byte[] bytes = body(7, MIB);
        put(s3, bucket, "a b/ü+é", bytes);
        S3Object got = s3.getObject(bucket, "a b/ü+é");
        check("metadata", "me".equals(got.getObjectMetadata().getUserMetaDataOf("who")));
        check("body", Arrays.equals(IOUtils.toByteArray(got.getObjectContent()), bytes));
        S3Object range = s3.getObject(new GetObjectRequest(bucket, "a b/ü+é").withRange(10, 19));
        check("range", IOUtils.toByteArray(range.getObjectContent()).length == 10);
        multipart(s3, bucket);
        s3.copyObject(bucket, "parts", bucket, "copy");
        check("list", s3.listObjectsV2(bucket).getKeyCount() == 3);
        check("old list", s3.listObjects(bucket, "c").getObjectSummaries().size() == 1);
        check("no key", codeOf(() -> s3.getObject(bucket, "none")).equals("NoSuchKey"));
        check("wrong secret",
            codeOf(() -> client("wrong").listBuckets()).equals("SignatureDoesNotMatch"));
        s3.deleteObjects(new DeleteObjectsRequest(bucket).withKeys("copy", "parts"));
        put(s3, bucket, "by url", "by url".getBytes());
        long now = System.currentTimeMillis();
        System.out.println("url " + s3.generatePresignedUrl(bucket, "by url", new Date(now + 60_000)));
        System.out.println("expired " + s3.generatePresignedUrl(bucket, "by url", new Date(now - 60_000)));
        System.out.println("ok all");
    }
}
