// A plain model of an index group: versions per key as a list, uploads as maps, and for every shard
// ever committed where it must be: named by a manifest, or waiting as garbage, exactly once.
import { Versioning } from "../../../services/lib/gen/dolium/record/v1/cluster_pb.ts";
import { Outcome } from "../../../services/lib/gen/dolium/record/v1/command_pb.ts";
import type { Manifest } from "../../../services/lib/gen/dolium/record/v1/object_pb.ts";

export interface ModelVersion {
  /** Hex; filled in when the reply came. */
  id: string;
  readonly isNull: boolean;
  readonly isMarker: boolean;
  etag: string;
  size: number;
  readonly manifests: Manifest[];
  /** Deleting it is refused until it is lifted. */
  isHeld: boolean;
}

export interface ModelUpload {
  readonly key: string;
  readonly parts: Map<number, Manifest>;
}

const place = (chunkId: Uint8Array, index: number, diskId: number): string =>
  `${Buffer.from(chunkId).toString("hex")}/${index}@${diskId}`;

/** Places of a manifest's durable shards. */
export function placesOf(manifest: Manifest): string[] {
  return manifest.chunks.flatMap(({ chunkId, diskIds }) =>
    diskIds.flatMap((diskId, index) => (diskId === 0 ? [] : [place(chunkId, index, diskId)])),
  );
}

export class Model {
  readonly keys = new Map<string, ModelVersion[]>();
  readonly uploads = new Map<string, ModelUpload>();
  readonly completed = new Map<string, string>();
  /** Places that wait as garbage, each as often as it was freed. */
  garbage: string[] = [];

  versions(name: string): ModelVersion[] {
    const known = this.keys.get(name);
    if (known !== undefined) return known;
    const fresh: ModelVersion[] = [];
    this.keys.set(name, fresh);
    return fresh;
  }

  current(name: string): ModelVersion | undefined {
    const [head] = this.versions(name);
    return head === undefined || head.isMarker ? undefined : head;
  }

  /** Makes a version current, replacing the null one when it is null itself. */
  push(name: string, version: ModelVersion): void {
    const versions = this.versions(name);
    if (version.isNull) {
      const at = versions.findIndex(({ isNull }) => isNull);
      if (at >= 0) this.free(versions.splice(at, 1)[0]?.manifests ?? []);
    }
    versions.unshift(version);
  }

  put(
    name: string,
    version: ModelVersion,
    condition: { readonly ifAbsent?: boolean; readonly ifMatch?: string } = {},
  ): Outcome {
    const current = this.current(name);
    const { ifAbsent, ifMatch } = condition;
    if (ifMatch !== undefined && current === undefined) return Outcome.NO_SUCH_KEY;
    if (ifMatch !== undefined && current?.etag !== ifMatch) return Outcome.PRECONDITION_FAILED;
    if (ifAbsent === true && current !== undefined) return Outcome.PRECONDITION_FAILED;
    if (version.isNull && this.isNullHeld(name)) return Outcome.LOCKED;
    this.push(name, version);
    return Outcome.OK;
  }

  isNullHeld(name: string): boolean {
    return this.versions(name).some(({ isNull, isHeld }) => isNull && isHeld);
  }

  /** Deletes the current version; the marker that was laid, if one was. */
  delete(name: string, versioning: Versioning): ModelVersion | "locked" | undefined {
    const versions = this.versions(name);
    const [head] = versions;
    if (versioning !== Versioning.ENABLED && this.isNullHeld(name)) return "locked";
    if (versioning === Versioning.OFF && (head === undefined || head.isNull)) {
      this.free(versions.shift()?.manifests ?? []);
      return undefined;
    }
    const isNull = versioning !== Versioning.ENABLED;
    const marker = {
      id: "",
      isNull,
      isMarker: true,
      etag: "",
      size: 0,
      manifests: [],
      isHeld: false,
    };
    this.push(name, marker);
    return marker;
  }

  /** False, and nothing is changed, when it is held. */
  deleteVersion(name: string, version: ModelVersion): boolean {
    if (version.isHeld) return false;
    const versions = this.versions(name);
    versions.splice(versions.indexOf(version), 1);
    this.free(version.manifests);
    return true;
  }

  /** Gives the current version of one key to another; only where nothing has other versions. */
  rename(from: string, to: string): Outcome {
    const [source] = this.versions(from);
    if (source === undefined || source.isMarker) return Outcome.NO_SUCH_KEY;
    this.versions(from).shift();
    for (const replaced of this.versions(to).splice(0)) this.free(replaced.manifests);
    this.versions(to).push(source);
    return Outcome.OK;
  }

  free(manifests: readonly Manifest[]): void {
    for (const manifest of manifests) this.garbage.push(...placesOf(manifest));
  }

  /** Every manifest that something refers to. */
  referenced(): Manifest[] {
    const ofVersions = [...this.keys.values()].flat().flatMap(({ manifests }) => manifests);
    const ofParts = [...this.uploads.values()].flatMap(({ parts }) => [...parts.values()]);
    return [...ofVersions, ...ofParts];
  }

  /** What a bucket of these keys and uploads holds, counted anew. */
  usage() {
    const versions = [...this.keys.values()].flat();
    const heads = [...this.keys.values()].map(([head]) => head);
    const parts = [...this.uploads.values()].flatMap(({ parts: some }) => [...some.values()]);
    return {
      objects: BigInt(heads.filter((head) => head?.isMarker === false).length),
      versions: BigInt(versions.length),
      bytes: BigInt(versions.reduce((sum, { size }) => sum + size, 0)),
      uploadBytes: parts.reduce((sum, { size }) => sum + size, 0n),
    };
  }

  relocate(manifest: Manifest, index: number, toDiskId: number): void {
    const chunk = manifest.chunks[0];
    const from = chunk?.diskIds[index];
    if (chunk === undefined || from === undefined) throw new Error("model: no such shard");
    if (from !== 0 && from !== toDiskId) this.garbage.push(place(chunk.chunkId, index, from));
    chunk.diskIds[index] = toDiskId;
  }
}
