// Prints every file of BUCKET, one a line as UTF-8, in the order that S3A lists them: `listFiles`
// of the root with all that lies beneath it, which hands on one flat listing as it comes.
import java.io.BufferedOutputStream;
import java.io.PrintStream;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.LocatedFileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RemoteIterator;

public class HadoopKeys {
    public static void main(String[] arguments) throws Exception {
        Configuration settings = new Configuration();
        settings.set("fs.s3a.endpoint", System.getenv("ENDPOINT"));
        settings.set("fs.s3a.endpoint.region", System.getenv("AWS_DEFAULT_REGION"));
        settings.set("fs.s3a.access.key", System.getenv("AWS_ACCESS_KEY_ID"));
        settings.set("fs.s3a.secret.key", System.getenv("AWS_SECRET_ACCESS_KEY"));
        settings.set("fs.s3a.path.style.access", "true");
        settings.set("fs.s3a.connection.ssl.enabled", "false");
        settings.set("hadoop.tmp.dir", System.getenv("FOLDER"));
        URI bucket = URI.create("s3a://" + System.getenv("BUCKET") + "/");
        try (FileSystem files = FileSystem.newInstance(bucket, settings);
            PrintStream out = new PrintStream(
                new BufferedOutputStream(System.out), false, StandardCharsets.UTF_8)) {
            RemoteIterator<LocatedFileStatus> all = files.listFiles(new Path("/"), true);
            // Without the slash that every path starts with.
            while (all.hasNext()) out.print(all.next().getPath().toUri().getPath().substring(1) + "\n");
        }
        // Threads of the file system would keep the program.
        System.exit(0);
    }
}
