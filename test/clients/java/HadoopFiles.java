// Hadoop's S3A file system: folders, files written in parts, seeks, renames of folders, recursive
// lists and deletes, and a job's output committed by uploads that are completed last (magic
// committer). Prints a line a check that held.
import java.io.ByteArrayOutputStream;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.net.URI;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.*;
import org.apache.hadoop.fs.s3a.commit.magic.MagicS3GuardCommitter;
import org.apache.hadoop.io.IOUtils;
import org.apache.hadoop.mapreduce.JobContext;
import org.apache.hadoop.mapreduce.JobID;
import org.apache.hadoop.mapreduce.TaskAttemptContext;
import org.apache.hadoop.mapreduce.TaskAttemptID;
import org.apache.hadoop.mapreduce.TaskID;
import org.apache.hadoop.mapreduce.TaskType;
import org.apache.hadoop.mapreduce.lib.output.FileOutputFormat;
import org.apache.hadoop.mapreduce.task.JobContextImpl;
import org.apache.hadoop.mapreduce.task.TaskAttemptContextImpl;

public class HadoopFiles {
    static final int MIB = 1024 * 1024;

    static void check(String name, boolean held) {
        if (!held) {
            System.out.println("FAILED " + name);
            System.exit(1);
        }
        System.out.println("ok " + name);
    }

    static byte[] body(int seed, int length) {
        byte[] bytes = new byte[length];
        new Random(seed).nextBytes(bytes);
        return bytes;
    }

    static void write(FileSystem files, Path path, byte[] bytes) throws IOException {
        try (FSDataOutputStream out = files.create(path, true)) {
            out.write(bytes);
        }
    }

    static byte[] read(FileSystem files, Path path) throws IOException {
        try (FSDataInputStream in = files.open(path)) {
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            IOUtils.copyBytes(in, out, 64 * 1024, false);
            return out.toByteArray();
        }
    }

    static List<String> names(FileSystem files, Path folder) throws IOException {
        List<String> found = new ArrayList<>();
        RemoteIterator<LocatedFileStatus> all = files.listFiles(folder, true);
        while (all.hasNext()) found.add(files.makeQualified(folder).toUri()
            .relativize(all.next().getPath().toUri()).getPath());
        found.sort(null);
        return found;
    }

    static Configuration configuration() {
        Configuration settings = new Configuration();
        settings.set("fs.s3a.endpoint", System.getenv("ENDPOINT"));
        settings.set("fs.s3a.endpoint.region", System.getenv("AWS_DEFAULT_REGION"));
        settings.set("fs.s3a.access.key", System.getenv("AWS_ACCESS_KEY_ID"));
        settings.set("fs.s3a.secret.key", System.getenv("AWS_SECRET_ACCESS_KEY"));
        settings.set("fs.s3a.path.style.access", "true");
        settings.set("fs.s3a.connection.ssl.enabled", "false");
        settings.set("fs.s3a.multipart.size", "5M");
        settings.set("fs.s3a.multipart.threshold", "5M");
        settings.set("fs.s3a.fast.upload.buffer", "bytebuffer");
        settings.set("fs.s3a.committer.magic.enabled", "true");
        settings.set("hadoop.tmp.dir", System.getenv("FOLDER"));
        return settings;
    }

    static void folders(FileSystem files) throws IOException {
        Path folder = new Path("/warehouse/table=1");
        check("mkdirs", files.mkdirs(folder) && files.getFileStatus(folder).isDirectory());
        check("an empty folder", files.listStatus(folder).length == 0);
        write(files, new Path(folder, "a b/größe=1/x.txt"), body(1, 100));
        write(files, new Path(folder, "y+%.txt"), new byte[0]);
        check("no file", throwsNotFound(() -> files.open(new Path("/none")).close()));
        check("a parent that is a file", throwsIo(() ->
            files.mkdirs(new Path(folder, "y+%.txt/below"))));
        check("exclusive create", throwsIo(() -> files.create(new Path(folder, "y+%.txt"), false).close()));
        check("recursive list",
            names(files, folder).equals(List.of("a b/größe=1/x.txt", "y+%.txt")));
        Path renamed = new Path("/warehouse/table=2");
        check("rename of a folder", files.rename(folder, renamed) && !files.exists(folder));
        check("names after the rename",
            names(files, renamed).equals(List.of("a b/größe=1/x.txt", "y+%.txt")));
        check("body after the rename",
            Arrays.equals(read(files, new Path(renamed, "a b/größe=1/x.txt")), body(1, 100)));
    }

    static void parts(FileSystem files) throws IOException {
        Path path = new Path("/parts/large");
        byte[] bytes = body(2, 12 * MIB + 17);
        write(files, path, bytes);
        FileStatus status = files.getFileStatus(path);
        check("written in parts", status.getLen() == bytes.length
            && ((EtagSource) status).getEtag().replace("\"", "").endsWith("-3"));
        try (FSDataInputStream in = files.open(path)) {
            byte[] piece = new byte[1000];
            for (int offset : new int[] {11 * MIB, 5 * MIB - 500, 0, bytes.length - 1000}) {
                in.seek(offset);
                in.readFully(piece);
                check("seek to " + offset,
                    Arrays.equals(piece, Arrays.copyOfRange(bytes, offset, offset + 1000)));
            }
            in.readFully(7 * MIB, piece);
            check("positioned read",
                Arrays.equals(piece, Arrays.copyOfRange(bytes, 7 * MIB, 7 * MIB + 1000)));
            check("end of file", in.read() == -1);
        }
        check("whole read", Arrays.equals(read(files, path), bytes));
        Path copy = new Path("/copies/large");
        check("copy", FileUtil.copy(files, path, files, copy, false, files.getConf())
            && Arrays.equals(read(files, copy), bytes));
        check("content summary", files.getContentSummary(new Path("/copies")).getLength() == bytes.length);
    }

    static void manyFiles(FileSystem files) throws IOException {
        for (int at = 0; at < 30; at += 1) {
            write(files, new Path("/many/" + at % 3 + "/" + at), new byte[] {(byte) at});
        }
        check("pages", names(files, new Path("/many")).size() == 30);
        check("glob", files.globStatus(new Path("/many/[01]/*")).length == 20);
        check("a folder that is not empty", throwsIo(() -> files.delete(new Path("/many"), false)));
        check("recursive delete", files.delete(new Path("/many"), true) && !files.exists(new Path("/many")));
    }

    /** What a task writes is not there before its job is committed; what a failed one wrote, never. */
    static void committer(FileSystem files) throws Exception {
        Path output = files.makeQualified(new Path("/job"));
        Configuration settings = new Configuration(files.getConf());
        settings.set(FileOutputFormat.OUTDIR, output.toString());
        settings.set("fs.s3a.committer.uuid", "0a1b2c");
        JobID id = new JobID("202601010000", 1);
        JobContext job = new JobContextImpl(settings, id);
        TaskAttemptContext task = attempt(settings, id, 0);
        MagicS3GuardCommitter committer = new MagicS3GuardCommitter(output, task);
        committer.setupJob(job);
        committer.setupTask(task);
        write(files, new Path(committer.getWorkPath(), "part-0"), body(3, 6 * MIB));
        check("nothing before the commit", !files.exists(new Path(output, "part-0")));
        check("needs a commit", committer.needsTaskCommit(task));
        committer.commitTask(task);
        TaskAttemptContext failed = attempt(settings, id, 1);
        MagicS3GuardCommitter other = new MagicS3GuardCommitter(output, failed);
        other.setupTask(failed);
        write(files, new Path(other.getWorkPath(), "part-1"), body(4, 100));
        other.abortTask(failed);
        check("nothing before the job's commit", !files.exists(new Path(output, "part-0")));
        committer.commitJob(job);
        check("committed", Arrays.equals(read(files, new Path(output, "part-0")), body(3, 6 * MIB)));
        check("the failed task left nothing",
            names(files, output).equals(List.of("_SUCCESS", "part-0")));
    }

    static TaskAttemptContext attempt(Configuration settings, JobID job, int task) {
        TaskAttemptID id = new TaskAttemptID(new TaskID(job, TaskType.MAP, task), 0);
        Configuration own = new Configuration(settings);
        own.set("mapreduce.task.attempt.id", id.toString());
        return new TaskAttemptContextImpl(own, id);
    }

    interface Call {
        void run() throws IOException;
    }

    static boolean throwsNotFound(Call call) throws IOException {
        try {
            call.run();
        } catch (FileNotFoundException error) {
            return true;
        }
        return false;
    }

    static boolean throwsIo(Call call) {
        try {
            call.run();
        } catch (IOException error) {
            return true;
        }
        return false;
    }

    public static void main(String[] arguments) throws Exception {
        String bucket = System.getenv("BUCKET");
        try (FileSystem files = FileSystem.newInstance(URI.create("s3a://" + bucket + "/"), configuration())) {
            folders(files);
            parts(files);
            manyFiles(files);
            committer(files);
            check("delete all", files.delete(new Path("/warehouse"), true));
        }
        System.out.println("ok all");
        System.exit(0);
    }
}
