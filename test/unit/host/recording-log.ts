// A log that keeps what was said, for tests that ask.
import type { Log } from "../../../services/lib/ports/log.ts";

export interface RecordingLog extends Log {
  readonly logged: { message: string; error: unknown }[];
}

export function createRecordingLog(): RecordingLog {
  const logged: { message: string; error: unknown }[] = [];
  const say = (message: string): void => {
    logged.push({ message, error: undefined });
  };
  const log: RecordingLog = {
    logged,
    debug: say,
    info: say,
    warn: say,
    error: (message, error) => {
      logged.push({ message, error });
    },
    child: () => log,
  };
  return log;
}
