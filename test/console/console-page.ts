// A browser on the console of a real server: one server and one browser a file, a fresh context
// with its own cookies for each test. Watches what must never happen on any page: errors of
// scripts, broken rules of the content security policy, requests to other hosts.
import assert from "node:assert/strict";
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { after, before, type TestContext, test } from "node:test";
import { S3Client } from "@aws-sdk/client-s3";
import {
  type Browser,
  type BrowserContext,
  type Cookie,
  chromium,
  type Page,
} from "playwright-core";
import { buildConsole } from "../../services/console/build-console.ts";
import { eventually } from "../support/eventually.ts";
import { startServer, type TestServer } from "../support/test-server.ts";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const DIST = join(import.meta.dirname, "../../services/console/dist");
/** The machine may be slow; nothing here waits that long when all is well. */
export const WAIT_MS = 60_000;
const TEST_MS = process.env.DOLIUM_TEST_FULL === "1" ? 3_600_000 : 600_000;
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

function isRunnable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Path of a Chromium: DOLIUM_CHROMIUM, else the first of that name on the PATH. */
export function findChromium(): string | undefined {
  const named = process.env.DOLIUM_CHROMIUM;
  if (named !== undefined) return named;
  const folders = (process.env.PATH ?? "").split(delimiter);
  return folders.flatMap((folder) => NAMES.map((name) => join(folder, name))).find(isRunnable);
}

export interface Visit {
  readonly page: Page;
  readonly context: BrowserContext;
  readonly server: TestServer;
  /** Address of the console's page on the S3 port. */
  readonly url: string;
  /** As the root user, past the console. */
  readonly s3: S3Client;
  /** Goes to a place of the console: "b/photos". */
  readonly go: (place: string) => Promise<void>;
  readonly signIn: (accessKeyId?: string, secretAccessKey?: string) => Promise<void>;
  /** Waits until the expression is true in the page. */
  readonly until: (expression: string) => Promise<void>;
  /** No rule of WCAG A or AA, nor of good practice, is broken; takes a picture if they are kept. */
  readonly check: (name: string) => Promise<void>;
  /** Texts of what went wrong in the page that a test expects: those are no failure. */
  readonly expected: string[];
}

interface Rig {
  /** The root user's, once somebody has signed in by the form. */
  session: readonly Cookie[] | undefined;
  readonly server: TestServer;
  readonly browser: Browser;
  readonly pictures: string;
  readonly keeps: boolean;
}

let rig: Rig | undefined;
/** Of the files that run in this process: the first starts the rig, the last ends it. */
let users = 0;
let starting: Promise<Rig> | undefined;

async function startRig(
  environment: Readonly<Record<string, string>>,
  directories: number | undefined,
): Promise<Rig> {
  const executablePath = findChromium() ?? "";
  if (!existsSync(join(DIST, "index.html"))) {
    await buildConsole(DIST);
  }
  const server = await startServer(environment, directories);
  const kept = process.env.DOLIUM_TEST_PICTURES;
  const pictures = kept ?? mkdtempSync(join(tmpdir(), "dolium-console-"));
  mkdirSync(pictures, { recursive: true });
  try {
    // As root, as in most containers, Chromium has no sandbox of its own.
    const args = ["--no-sandbox", "--disable-dev-shm-usage"];
    // Without a locale of UTF-8 Chromium gives downloads with other letters a name of its own.
    const env = { ...process.env, LC_ALL: "C.UTF-8" };
    const browser = await chromium.launch({ executablePath, args, env, timeout: WAIT_MS * 3 });
    return { server, browser, pictures, keeps: kept !== undefined, session: undefined };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/**
 * Starts what the tests of a file share, and ends it behind them. Files that change nothing of the
 * server and run in one process share one.
 */
export function useConsole(
  environment: Readonly<Record<string, string>> = {},
  directories?: number,
): void {
  if (findChromium() === undefined) return;
  before(
    async () => {
      users += 1;
      starting ??= startRig(environment, directories);
      rig = await starting;
    },
    { timeout: TEST_MS },
  );
  after(
    async () => {
      users -= 1;
      if (users > 0) return;
      await rig?.browser.close();
      await rig?.server.stop();
      if (rig?.keeps === false) rmSync(rig.pictures, { recursive: true, force: true });
    },
    { timeout: TEST_MS },
  );
}

function watch(page: Page, own: ReadonlySet<string>, expected: readonly string[]): string[] {
  const wrong: string[] = [];
  const note = (text: string): void => {
    if (!expected.some((part) => text.includes(part))) wrong.push(text);
  };
  page.on("pageerror", (error) => note(`script: ${error.message}`));
  page.on("console", (message) => {
    // That an answer was no 2xx is told by the pages themselves.
    const isAnswer = message.text().startsWith("Failed to load resource");
    if (message.type() === "error" && !isAnswer) note(`console: ${message.text()}`);
  });
  page.on("request", (request) => {
    const url = new URL(request.url());
    // The browser's own PDF viewer is made of pages of its own.
    const isOutside = ["http:", "https:", "ws:", "wss:"].includes(url.protocol);
    if (isOutside && !own.has(url.hostname)) note(`request to ${request.url()}`);
  });
  page.on("dialog", (dialog) => {
    if (dialog.type() !== "beforeunload") note(`dialog: ${dialog.message()}`);
    void dialog.accept();
  });
  return wrong;
}

interface Violation {
  readonly id: string;
  readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[];
}

async function violations(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  // What axe-core documents.
  const found = (await page.evaluate("axe.run().then((r) => r.violations)")) as Violation[];
  return found.map(({ id, nodes }) => {
    const [node] = nodes;
    return `${id}: ${node?.html.slice(0, 200)} (${node?.failureSummary?.slice(0, 300)})`;
  });
}

/** Goes on with the session of an earlier test; false where it has ended: the form is there. */
async function resumed(running: Rig, context: BrowserContext, page: Page): Promise<boolean> {
  if (running.session === undefined) return false;
  await context.addCookies([...running.session]);
  await page.goto(`${running.server.endpoint}/_console/`);
  const pages = page.getByRole("navigation", { name: "Pages" });
  await pages
    .or(page.getByLabel("Access key", { exact: true }))
    .first()
    .waitFor();
  return pages.isVisible();
}

function visitOf(running: Rig, context: BrowserContext, page: Page): Visit {
  const { server, pictures, keeps } = running;
  const url = `${server.endpoint}/_console/`;
  const { accessKeyId, secretAccessKey, region, endpoint } = server;
  const credentials = { accessKeyId, secretAccessKey };
  return {
    page,
    context,
    server,
    url,
    s3: new S3Client({ endpoint, region, credentials, forcePathStyle: true }),
    go: async (place) => {
      await page.goto(`${url}#/${place}`);
    },
    signIn: async (id = accessKeyId, secret = secretAccessKey) => {
      const isNew = !page.url().startsWith("http");
      const isRoot = id === accessKeyId && secret === secretAccessKey;
      if (isNew && isRoot && (await resumed(running, context, page))) return;
      if (isNew) await page.goto(url);
      await page.getByLabel("Access key", { exact: true }).fill(id);
      await page.getByLabel("Secret key").fill(secret);
      await page.getByRole("button", { name: "Sign in", exact: true }).click();
      await page.getByRole("navigation", { name: "Pages" }).waitFor();
      if (isRoot) running.session = await context.cookies();
    },
    until: async (expression) => {
      await eventually(expression, WAIT_MS, async () => {
        return (await page.evaluate(expression)) === true ? true : undefined;
      });
    },
    check: async (name) => {
      if (keeps) await page.screenshot({ path: join(pictures, `${name}.png`), fullPage: true });
      assert.deepEqual(await violations(page), [], name);
    },
    expected: [],
  };
}

/** A test with a page of its own; skipped where there is no Chromium. */
export function consoleTest(title: string, run: (visit: Visit) => Promise<void>): void {
  const skip = findChromium() === undefined ? "Chromium is not installed" : false;
  test(title, { skip, timeout: TEST_MS }, async (context: TestContext) => {
    assert.ok(rig !== undefined, "useConsole() was not called");
    const browsing = await rig.browser.newContext({
      viewport: { width: 1280, height: 850 },
      acceptDownloads: true,
    });
    browsing.setDefaultTimeout(WAIT_MS);
    const page = await browsing.newPage();
    const visit = visitOf(rig, browsing, page);
    const wrong = watch(page, new Set([new URL(visit.url).hostname]), visit.expected);
    try {
      await run(visit);
      assert.deepEqual(wrong, []);
    } catch (error) {
      const path = join(tmpdir(), `dolium-console-failed-${process.pid}.png`);
      if (rig.keeps) await page.screenshot({ path });
      context.diagnostic(`at ${page.url()}; ${wrong.join("; ")}`);
      context.diagnostic(((await page.locator("body").textContent()) ?? "").slice(0, 1500));
      throw error;
    } finally {
      visit.s3.destroy();
      await browsing.close();
    }
  });
}
