// Random commands against the model: after every run the state shows the same versions, uploads and
// counters, its digest is that of what is stored, and every shard ever committed is accounted for.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Versioning } from "../../../services/lib/gen/dolium/record/v1/cluster_pb.ts";
import { Outcome, type Reply } from "../../../services/lib/gen/dolium/record/v1/command_pb.ts";
import type { Manifest } from "../../../services/lib/gen/dolium/record/v1/object_pb.ts";
import { TABLE } from "../../../services/metadata/state/keys.ts";
import { type CommandKind, idOf, key, Machine, manifestId, manifestOf } from "./harness.ts";
import { Model, type ModelVersion, placesOf } from "./model.ts";
import { compareRecount, compareUsage } from "./usage-checks.ts";

const KEYS = ["a", "a\0", "a\0b", "b"];
const STATES = [Versioning.OFF, Versioning.ENABLED, Versioning.SUSPENDED];

interface Pending {
  readonly kind: CommandKind;
  readonly check: (reply: Reply) => void;
}

type Dice = readonly [number, number, number, number];

class Run {
  readonly machine: Machine;
  readonly model = new Model();
  #pending: Pending[] = [];
  #numbers = 0;
  #revision = 0n;
  #versioning: Versioning = Versioning.OFF;
  #bucketId: number;

  constructor(machine: Machine, bucketId: number) {
    this.machine = machine;
    this.#bucketId = bucketId;
  }

  get #place() {
    return { bucketId: this.#bucketId };
  }

  async step([what, a, b, c]: Dice): Promise<void> {
    const name = KEYS[a % KEYS.length] ?? "a";
    switch (what % 17) {
      case 0:
      case 1:
        return this.#put(name, c);
      case 2:
        return this.#delete(name);
      case 3:
        return this.#deleteVersion(name, c);
      case 4:
        return this.#begin(name, b);
      case 5:
        return this.#part(b, c);
      case 6:
        return c % 4 === 0 ? this.#abort(b) : this.#complete(b, c);
      case 7:
        return this.#relocate(a, b, c);
      case 8:
        return this.#finish(c);
      case 9:
      case 10:
        return this.#hold(name, b, c);
      case 11:
        return this.#rename(name, KEYS[b % KEYS.length] ?? "b");
      case 12:
      case 13:
        return this.#append(name, c);
      default:
        return this.#configure(b);
    }
  }

  async flush(): Promise<void> {
    const pending = this.#pending;
    this.#pending = [];
    if (pending.length === 0) return;
    const replies = await this.machine.applyData(
      pending.map(({ kind }) => this.machine.entry(kind)),
    );
    for (const [at, { check }] of pending.entries()) check(replies[at] ?? assert.fail());
  }

  async #expect(kind: CommandKind, outcome: Outcome, then?: (reply: Reply) => void): Promise<void> {
    this.machine.nowMs += 1;
    const check = (reply: Reply): void => {
      assert.equal(reply.outcome, outcome, `${kind.case}: ${reply.message}`);
      if (outcome === Outcome.OK) then?.(reply);
    };
    this.#pending.push({ kind, check });
    if (this.#pending.length >= 1 + (this.#numbers % 6)) await this.flush();
  }

  #manifest(name: string, dice: number): Manifest {
    this.#numbers += 1;
    const id = manifestId(this.machine.nowMs, this.#numbers + this.#bucketId * 1000);
    const owed = dice % 5 === 0 ? 0 : 3;
    return manifestOf({ key: key(name), id, places: [[1, 2, owed]], relaxed: dice % 7 === 0 });
  }

  #configure(dice: number): Promise<void> {
    this.#revision += 1n;
    const versioning = STATES[dice % STATES.length] ?? Versioning.OFF;
    this.#versioning = versioning;
    const state = { revision: this.#revision, versioning, objectLock: true };
    return this.#expect({ case: "configureBucket", value: { ...this.#place, state } }, Outcome.OK);
  }

  #put(name: string, dice: number): Promise<void> {
    const manifest = this.#manifest(name, dice);
    const isInline = dice % 3 === 0;
    const etag = `e${dice % 4}`;
    const version: ModelVersion = {
      id: "",
      isNull: this.#versioning !== Versioning.ENABLED,
      isMarker: false,
      etag,
      size: isInline ? 4 : 1000,
      manifests: isInline ? [] : [manifest],
      isHeld: false,
    };
    const condition = dice % 6 === 1 ? { ifAbsent: true } : dice % 6 === 2 ? { ifMatch: "e1" } : {};
    const outcome = this.model.put(name, version, condition);
    const body = isInline
      ? { case: "inline" as const, value: key("body") }
      : { case: "manifestId" as const, value: manifest.manifestId };
    const { ifMatch, ...rest } = { ifMatch: undefined, ...condition };
    const value = {
      ...this.#place,
      key: key(name),
      version: { size: BigInt(version.size), etag, body },
      ...(isInline ? {} : { manifest: structuredClone(manifest) }),
      condition: { ...rest, ifMatch: ifMatch === undefined ? [] : [ifMatch] },
    };
    return this.#expect({ case: "putObject", value }, outcome, ({ kind }) => {
      assert.ok(kind.case === "putObject");
      version.id = Buffer.from(kind.value.versionId).toString("hex");
    });
  }

  #delete(name: string): Promise<void> {
    const marker = this.model.delete(name, this.#versioning);
    const value = { ...this.#place, targets: [{ key: key(name) }] };
    return this.#expect({ case: "deleteObjects", value }, Outcome.OK, ({ kind }) => {
      assert.ok(kind.case === "deleteObjects");
      const [result] = kind.value.results;
      assert.equal(result?.outcome, marker === "locked" ? Outcome.LOCKED : Outcome.OK);
      if (marker === "locked") return;
      assert.equal(result?.deleteMarker, marker !== undefined);
      if (marker !== undefined) marker.id = Buffer.from(result?.versionId ?? "").toString("hex");
    });
  }

  async #deleteVersion(name: string, dice: number): Promise<void> {
    await this.flush();
    const versions = this.model.versions(name);
    const version = versions[dice % (versions.length + 1)];
    const isByNull = version?.isNull === true;
    const id = isByNull ? key("null") : Buffer.from(version?.id ?? "00".repeat(16), "hex");
    const isGone = version === undefined || this.model.deleteVersion(name, version);
    const targets = [{ key: key(name), versionId: id }];
    const value = { ...this.#place, targets };
    await this.#expect({ case: "deleteObjects", value }, Outcome.OK, ({ kind }) => {
      assert.ok(kind.case === "deleteObjects");
      const [result] = kind.value.results;
      assert.equal(result?.existed, version !== undefined);
      assert.equal(result?.outcome, isGone ? Outcome.OK : Outcome.LOCKED);
    });
  }

  async #hold(name: string, which: number, dice: number): Promise<void> {
    await this.flush();
    const versions = this.model.versions(name);
    const version = versions[which % Math.max(1, versions.length)];
    if (version === undefined) return;
    const versionId = version.isNull ? key("null") : Buffer.from(version.id, "hex");
    const on = dice % 3 !== 0;
    const change = { case: "legalHold" as const, value: { on } };
    const value = { ...this.#place, key: key(name), versionId, change };
    const outcome = this.#revision === 0n ? Outcome.CONFLICT : Outcome.OK;
    if (version.isMarker && outcome === Outcome.OK) {
      return this.#expect({ case: "changeVersion", value }, Outcome.DELETE_MARKER);
    }
    if (outcome === Outcome.OK) version.isHeld = on;
    await this.#expect({ case: "changeVersion", value }, outcome);
  }

  /** True where neither renames nor appends are let in. */
  #isVersioned(...names: readonly string[]): boolean {
    if (this.#versioning !== Versioning.OFF) return true;
    return names.some((name) => {
      const [head, ...others] = this.model.versions(name);
      return head?.isNull === false || others.length > 0;
    });
  }

  #rename(from: string, to: string): Promise<void> {
    if (from === to) return Promise.resolve();
    const value = { ...this.#place, sourceKey: key(from), targetKey: key(to) };
    const command = { case: "renameObject" as const, value };
    if (this.#isVersioned(from, to)) return this.#expect(command, Outcome.CONFLICT);
    const heads = [from, to].map((name) => this.model.versions(name)[0]);
    const isHeld = heads.some((head) => head?.isHeld === true);
    if (isHeld && this.model.current(from) !== undefined) {
      return this.#expect(command, Outcome.LOCKED);
    }
    return this.#expect(command, this.model.rename(from, to));
  }

  /** Adds a body of the kind that is there, so that it fits; or to nothing. */
  #append(name: string, dice: number): Promise<void> {
    const current = this.model.current(name);
    const isInline = current === undefined ? dice % 2 === 0 : current.manifests.length === 0;
    const manifest = this.#manifest(name, dice);
    const size = isInline ? 4 : 1000;
    const body = isInline
      ? { case: "inline" as const, value: key("body") }
      : { case: "manifestId" as const, value: manifest.manifestId };
    const value = {
      ...this.#place,
      key: key(name),
      offset: BigInt(current?.size ?? 0),
      version: { size: BigInt(size), etag: "new", body },
      md5: idOf(dice),
      ...(isInline ? {} : { manifest: structuredClone(manifest) }),
    };
    const command = { case: "appendObject" as const, value };
    if (this.#isVersioned(name)) return this.#expect(command, Outcome.CONFLICT);
    if (this.model.isNullHeld(name)) return this.#expect(command, Outcome.LOCKED);
    const added = isInline ? [] : [manifest];
    if (current === undefined) return this.#begins(name, { size, added }, command);
    current.size += size;
    current.manifests.push(...added);
    // No condition asks for this tag before the reply tells the right one.
    current.etag = "grown";
    return this.#expect(command, Outcome.OK, ({ kind }) => {
      assert.ok(kind.case === "appendObject");
      current.etag = kind.value.etag;
    });
  }

  #begins(
    name: string,
    { size, added }: { readonly size: number; readonly added: Manifest[] },
    command: CommandKind,
  ): Promise<void> {
    const manifests = [...added];
    const fresh = { id: "", isNull: true, isMarker: false, etag: "new", size, manifests };
    const version: ModelVersion = { ...fresh, isHeld: false };
    this.model.push(name, version);
    return this.#expect(command, Outcome.OK);
  }

  #uploadId(dice: number): Uint8Array {
    return idOf(dice % 5, 40 + this.#bucketId);
  }

  #begin(name: string, dice: number): Promise<void> {
    const uploadId = this.#uploadId(dice);
    const id = Buffer.from(uploadId).toString("hex");
    const isUsed = this.model.uploads.has(id) || this.model.completed.has(id);
    if (!isUsed) this.model.uploads.set(id, { key: name, parts: new Map() });
    const upload = { ...this.#place, key: key(name), uploadId };
    const outcome = isUsed ? Outcome.EXISTS : Outcome.OK;
    // The same id under another key is another upload: the model has one key an id.
    const known = this.model.uploads.get(id);
    if (isUsed && (known === undefined || known.key !== name)) return Promise.resolve();
    return this.#expect({ case: "createUpload", value: { upload } }, outcome);
  }

  #part(dice: number, more: number): Promise<void> {
    const uploadId = this.#uploadId(dice);
    const upload = this.model.uploads.get(Buffer.from(uploadId).toString("hex"));
    const name = upload?.key ?? "b";
    const manifest = this.#manifest(name, more);
    const partNumber = 1 + (more % 3);
    const part = { partNumber, size: manifest.size, manifestId: manifest.manifestId };
    const value = {
      ...this.#place,
      key: key(name),
      uploadId,
      part,
      manifest: structuredClone(manifest),
    };
    if (upload === undefined) {
      return this.#expect({ case: "putPart", value }, Outcome.NO_SUCH_UPLOAD);
    }
    const former = upload.parts.get(partNumber);
    if (former !== undefined) this.model.free([former]);
    upload.parts.set(partNumber, manifest);
    return this.#expect({ case: "putPart", value }, Outcome.OK);
  }

  #complete(dice: number, more: number): Promise<void> {
    const uploadId = this.#uploadId(dice);
    const id = Buffer.from(uploadId).toString("hex");
    const upload = this.model.uploads.get(id);
    if (upload === undefined || upload.parts.size === 0) return Promise.resolve();
    const isLocked = this.#versioning !== Versioning.ENABLED && this.model.isNullHeld(upload.key);
    if (isLocked) return Promise.resolve();
    const all = [...upload.parts].sort(([one], [two]) => one - two);
    const named = all.filter((_, at) => at === 0 || more % 2 === 0);
    const manifests = named.map(([, manifest]) => manifest);
    this.model.free(all.map(([, one]) => one).filter((one) => !manifests.includes(one)));
    this.model.uploads.delete(id);
    this.model.completed.set(id, upload.key);
    const size = manifests.length * 1000;
    const version: ModelVersion = {
      id: "",
      isNull: this.#versioning !== Versioning.ENABLED,
      isMarker: false,
      etag: "multi",
      size,
      manifests,
      isHeld: false,
    };
    this.model.push(upload.key, version);
    const value = {
      ...this.#place,
      key: key(upload.key),
      uploadId,
      parts: named.map(([partNumber, { manifestId: part }]) => ({
        partNumber,
        size: 1000n,
        manifestId: part,
      })),
      version: { size: BigInt(size), etag: "multi" },
    };
    return this.#expect({ case: "completeUpload", value }, Outcome.OK, ({ kind }) => {
      assert.ok(kind.case === "completeUpload");
      version.id = Buffer.from(kind.value.versionId).toString("hex");
    });
  }

  #abort(dice: number): Promise<void> {
    const uploadId = this.#uploadId(dice);
    const id = Buffer.from(uploadId).toString("hex");
    const upload = this.model.uploads.get(id);
    this.model.free([...(upload?.parts.values() ?? [])]);
    this.model.uploads.delete(id);
    const value = { ...this.#place, key: key(upload?.key ?? "b"), uploadId };
    const outcome = upload === undefined ? Outcome.NO_SUCH_UPLOAD : Outcome.OK;
    return this.#expect({ case: "abortUpload", value }, outcome);
  }

  async #relocate(a: number, b: number, c: number): Promise<void> {
    const all = this.model.referenced();
    const manifest = all[a % Math.max(1, all.length)];
    const chunk = manifest?.chunks[0];
    if (manifest === undefined || chunk === undefined) return;
    const shardIndex = b % 3;
    const toDiskId = 1 + (c % 5);
    const fromDiskId = chunk.diskIds[shardIndex] ?? 0;
    this.machine.nowMs += 2;
    const value = {
      ...this.#place,
      key: manifest.key,
      manifestId: manifest.manifestId,
      chunkId: chunk.chunkId,
      changes: [{ shardIndex, fromDiskId, toDiskId }],
      begunMs: BigInt(this.machine.nowMs),
    };
    this.model.relocate(manifest, shardIndex, toDiskId);
    await this.#expect({ case: "relocateShards", value }, Outcome.OK);
  }

  async #finish(dice: number): Promise<void> {
    await this.flush();
    const entries = await this.#garbage();
    const entry = entries[dice % Math.max(1, entries.length)];
    if (entry === undefined) return;
    const done = [{ sequence: entry.sequence, remainingDiskIds: [2] }];
    for (const { chunkId, shardIndex, diskId } of entry.shards) {
      if (diskId === 2) continue;
      const name = `${Buffer.from(chunkId).toString("hex")}/${shardIndex}@${diskId}`;
      this.model.garbage.splice(this.model.garbage.indexOf(name), 1);
    }
    await this.#expect({ case: "finishGarbage", value: { done } }, Outcome.OK);
  }

  async #garbage() {
    const value = { freedBeforeMs: BigInt(this.machine.nowMs + 1000), limit: 10_000 };
    return (await this.machine.query({ case: "listGarbage", value })).entries;
  }

  async compare(): Promise<void> {
    await this.flush();
    await compareUsage(this.machine, this.model, this.#bucketId);
    await this.#compareVersions();
    await this.#compareShards();
    const stats = await this.machine.query({ case: "groupStats", value: {} });
    const versions = [...this.model.keys.values()].flat();
    assert.equal(stats.versions, BigInt(versions.length));
    assert.equal(stats.bytes, BigInt(versions.reduce((sum, { size }) => sum + size, 0)));
    assert.equal(stats.uploads, BigInt(this.model.uploads.size));
    const chunks = this.model.referenced().flatMap((manifest) => manifest.chunks);
    const owed = chunks.flatMap(({ diskIds }) => diskIds.filter((diskId) => diskId === 0));
    assert.equal(stats.shardsOwed, BigInt(owed.length));
    const inline = versions.filter(({ size, manifests }) => size > 0 && manifests.length === 0);
    assert.equal(await this.machine.recordsOf(TABLE.body), inline.length);
    await this.machine.audit();
  }

  async #compareVersions(): Promise<void> {
    for (const [name, versions] of this.model.keys) {
      const ask = async (versionId: Uint8Array) => {
        const value = { ...this.#place, key: key(name), versionId, withBody: true };
        return this.machine.query({ case: "getObject", value });
      };
      const current = (await ask(new Uint8Array(0))).version;
      assert.equal(current?.etag, versions[0]?.etag);
      assert.equal(current?.deleteMarker, versions[0]?.isMarker);
      for (const version of versions) {
        const id = version.isNull ? key("null") : Buffer.from(version.id, "hex");
        const answer = await ask(id);
        assert.equal(answer.version?.etag, version.etag);
        assert.equal(answer.version?.deleteMarker, version.isMarker);
        assert.equal(answer.manifests.length, version.manifests.length);
      }
    }
    await this.#compareListing();
    const visible = KEYS.filter((name) => this.model.current(name) !== undefined);
    const list = { ...this.#place, limit: 100 };
    const page = await this.machine.query({ case: "listObjects", value: list });
    assert.deepEqual(
      page.entries.map((entry) => Buffer.from(entry.key).toString("latin1")),
      visible.sort(),
    );
  }

  async #compareListing(): Promise<void> {
    const shown: string[] = [];
    let markers = { keyMarker: new Uint8Array(0), versionIdMarker: new Uint8Array(0) };
    for (;;) {
      const value = { ...this.#place, ...markers, limit: 2, withDetails: true };
      const page = await this.machine.query({ case: "listVersions", value });
      for (const { key: name, version, isLatest } of page.entries) {
        const isHeld = version?.lock?.legalHold === true;
        shown.push(
          `${Buffer.from(name).toString("latin1")} ${version?.etag} ${isLatest} ${isHeld}`,
        );
      }
      if (!page.truncated) break;
      markers = {
        keyMarker: Buffer.from(page.nextKeyMarker),
        versionIdMarker: Buffer.from(page.nextVersionIdMarker),
      };
    }
    const expected = KEYS.toSorted().flatMap((name) =>
      this.model
        .versions(name)
        .map(({ etag, isHeld }, at) => `${name} ${etag} ${at === 0} ${isHeld}`),
    );
    assert.deepEqual(shown, expected);
  }

  /** Nothing lost, nothing twice: what is named plus what is garbage is what was ever committed. */
  async #compareShards(): Promise<void> {
    const scan = await this.machine.query({ case: "scanManifests", value: { limit: 10_000 } });
    const named = scan.entries.flatMap(({ manifest }) =>
      manifest === undefined ? [] : placesOf(manifest),
    );
    assert.deepEqual(named.sort(), this.model.referenced().flatMap(placesOf).sort());
    const garbage = (await this.#garbage()).flatMap(({ shards }) =>
      shards.map(
        ({ chunkId, shardIndex, diskId }) =>
          `${Buffer.from(chunkId).toString("hex")}/${shardIndex}@${diskId}`,
      ),
    );
    assert.deepEqual(garbage.sort(), [...this.model.garbage].sort());
  }
}

const dice = fc.nat({ max: 10_000 });
const program = fc.array(fc.tuple(dice, dice, dice, dice), { minLength: 20, maxLength: 90 });

test("random commands leave the state that the model says", async (t) => {
  await fc.assert(
    fc.asyncProperty(program, async (steps) => {
      const run = new Run(await Machine.open(t), 1);
      for (const step of steps) await run.step(step);
      await run.compare();
      await compareRecount(run.machine, run.model, 1);
    }),
    { numRuns: 40, endOnFailure: true },
  );
});
