// Prints every key of BUCKET, one a line as UTF-8, in the order that the AWS SDK for Java 1 gives:
// its ListObjects, followed to the end.
import com.amazonaws.auth.AWSStaticCredentialsProvider;
import com.amazonaws.auth.BasicAWSCredentials;
import com.amazonaws.client.builder.AwsClientBuilder.EndpointConfiguration;
import com.amazonaws.services.s3.AmazonS3;
import com.amazonaws.services.s3.AmazonS3ClientBuilder;
import com.amazonaws.services.s3.model.ObjectListing;
import com.amazonaws.services.s3.model.S3ObjectSummary;
import java.io.BufferedOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;

public class FirstSdkKeys {
    public static void main(String[] arguments) throws Exception {
        AmazonS3 s3 = AmazonS3ClientBuilder.standard()
            .withEndpointConfiguration(new EndpointConfiguration(
                System.getenv("ENDPOINT"), System.getenv("AWS_DEFAULT_REGION")))
            .withPathStyleAccessEnabled(true)
            .withCredentials(new AWSStaticCredentialsProvider(new BasicAWSCredentials(
                System.getenv("AWS_ACCESS_KEY_ID"), System.getenv("AWS_SECRET_ACCESS_KEY"))))
            .build();
        try (PrintStream out = new PrintStream(
                new BufferedOutputStream(System.out), false, StandardCharsets.UTF_8)) {
            ObjectListing page = s3.listObjects(System.getenv("BUCKET"));
            while (true) {
                for (S3ObjectSummary one : page.getObjectSummaries()) out.print(one.getKey() + "\n");
                if (!page.isTruncated()) break;
                page = s3.listNextBatchOfObjects(page);
            }
        }
        s3.shutdown();
    }
}
