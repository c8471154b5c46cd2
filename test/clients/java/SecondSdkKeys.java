// Prints every key of BUCKET, one a line as UTF-8, in the order that the AWS SDK for Java 2 gives:
// its paginator over ListObjectsV2.
import java.io.BufferedOutputStream;
import java.io.PrintStream;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.http.apache.ApacheHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.model.S3Object;

public class SecondSdkKeys {
    public static void main(String[] arguments) throws Exception {
        StaticCredentialsProvider credentials = StaticCredentialsProvider.create(AwsBasicCredentials.create(
            System.getenv("AWS_ACCESS_KEY_ID"), System.getenv("AWS_SECRET_ACCESS_KEY")));
        try (S3Client s3 = S3Client.builder()
                .endpointOverride(URI.create(System.getenv("ENDPOINT")))
                .region(Region.of(System.getenv("AWS_DEFAULT_REGION")))
                .forcePathStyle(true)
                .credentialsProvider(credentials)
                .httpClientBuilder(ApacheHttpClient.builder())
                .build();
            PrintStream out = new PrintStream(
                new BufferedOutputStream(System.out), false, StandardCharsets.UTF_8)) {
            String bucket = System.getenv("BUCKET");
            for (S3Object one : s3.listObjectsV2Paginator(request -> request.bucket(bucket)).contents()) {
                out.print(one.key() + "\n");
            }
        }
    }
}
