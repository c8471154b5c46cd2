// A PostgreSQL server of a test: its own directory, its own user where the test runs as root, no
// network. Archives what a command is told, and starts from what a restore left.
import { chownSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runCommand } from "../support/run-command.ts";

const HOMES = "/usr/lib/postgresql";

/** The folder of initdb and pg_ctl, or undefined where there is none. */
export function postgresPrograms(): string | undefined {
  if (!existsSync(HOMES)) return undefined;
  const newest = readdirSync(HOMES).sort((one, other) => Number(other) - Number(one))[0];
  const path = join(HOMES, newest ?? "", "bin");
  return existsSync(join(path, "initdb")) ? path : undefined;
}

/** A command as the user that owns the database: Postgres refuses to run as root. */
export function asDatabaseUser(
  program: string,
  args: readonly string[],
): { readonly program: string; readonly args: readonly string[] } {
  if (process.getuid?.() !== 0) return { program, args };
  const user = ["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"];
  return { program: "setpriv", args: [...user, program, ...args] };
}

export interface PostgresOptions {
  readonly programs: string;
  /** The folder that everything of it lies in. */
  readonly folder: string;
  readonly environment: Readonly<Record<string, string>>;
}

export class Postgres {
  readonly data: string;
  readonly #options: PostgresOptions;

  private constructor(options: PostgresOptions) {
    this.#options = options;
    this.data = join(options.folder, "data");
  }

  static async create(options: PostgresOptions): Promise<Postgres> {
    const postgres = await Postgres.place(options);
    const flags = ["-D", postgres.data, "-A", "trust", "--no-sync"];
    await postgres.run(join(options.programs, "initdb"), flags);
    return postgres;
  }

  /** Without data: those come from elsewhere. */
  static async place(options: PostgresOptions): Promise<Postgres> {
    const postgres = new Postgres(options);
    await postgres.own(options.folder);
    return postgres;
  }

  /** Runs a program as the user of the database. */
  async run(program: string, args: readonly string[]): Promise<string> {
    const { environment, folder } = this.#options;
    const all = { environment: { ...environment, HOME: folder, PGHOST: folder }, cwd: folder };
    const command = asDatabaseUser(program, args);
    return runCommand(command.program, command.args, all);
  }

  async own(path: string): Promise<void> {
    if (process.getuid?.() !== 0) return;
    const ids = await runCommand("id", ["-u", "postgres"]);
    const group = await runCommand("id", ["-g", "postgres"]);
    chownSync(path, Number(ids), Number(group));
  }

  /** Lines of postgresql.auto.conf; the last of a name counts. */
  async configure(lines: readonly string[]): Promise<void> {
    const path = join(this.data, "postgresql.auto.conf");
    writeFileSync(path, `${lines.join("\n")}\n`, { flag: "a" });
  }

  async start(): Promise<void> {
    const { folder } = this.#options;
    const options = `-k ${folder} -c listen_addresses=`;
    const log = join(folder, "log");
    await this.#control("start", ["-w", "-t", "60", "-l", log, "-o", options]);
  }

  async stop(): Promise<void> {
    await this.#control("stop", ["-m", "fast", "-w"]);
  }

  /** The last of what the server wrote. */
  log(): string {
    return readFileSync(join(this.#options.folder, "log"), "utf8").slice(-4000);
  }

  async query(sql: string): Promise<string> {
    return (await this.run("psql", ["-d", "postgres", "-At", "-c", sql])).trim();
  }

  async #control(verb: string, args: readonly string[]): Promise<void> {
    await this.run(join(this.#options.programs, "pg_ctl"), [verb, "-D", this.data, ...args]);
  }
}
