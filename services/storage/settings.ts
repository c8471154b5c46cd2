// What an operator may set on a storage node's disks, with the values that fit a large disk.

export interface ShardStoreSettings {
  /** Segments are closed at this length; a shard that is longer gets a segment of its own. */
  readonly segmentBytes: number;
  /**
   * Shards being written at once, per disk. Each holds at most two cells in memory while they are
   * written, and next to nothing while its client is slow: as many may be open as there are slow
   * clients, or they would keep the others out.
   */
  readonly openWritesMax: number;
  /** Shards being read at once, per disk; each holds at most two cells in memory ... */
  readonly openReadsMax: number;
  /** ... and all together so many bytes more, read in larger pieces. */
  readonly readAheadBytesMax: number;
  /** Writers, and readers, that may wait for their turn; past it they are told "exhausted". */
  readonly waitingMax: number;
  /** Free space that writers leave: this share of the disk, at most `reserveBytesMax`. */
  readonly reserveFraction: number;
  readonly reserveBytesMax: number;
  /** Bytes held in a file of their own and given up so that deletes work on a full disk. */
  readonly spareBytes: number;
  /** A checkpoint of the index is taken after so many changes ... */
  readonly checkpointOperations: number;
  /** ... and so many milliseconds after a change. */
  readonly checkpointMs: number;
  /** Open segment files per disk. */
  readonly openFilesMax: number;
  /** Read errors after which a disk counts as failed. */
  readonly readErrorsMax: number;
  /** Bytes a second the scrubber reads. */
  readonly scrubBytesPerSecond: number;
  /**
   * A pass takes at least so many milliseconds: an empty or small disk is not walked without pause.
   */
  readonly scrubPassMsMin: number;
  /** Shards that one compaction copies at once. */
  readonly compactionWidth: number;
  /** Bytes a second that compaction copies; a full disk is compacted as fast as it goes. */
  readonly compactionBytesPerSecond: number;
  /** A failed disk is tried again after so many milliseconds, longer and longer ... */
  readonly failedRetryMsMin: number;
  /** ... up to this; one that stays up for so long starts from the beginning. */
  readonly failedRetryMsMax: number;
}

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;

export const DEFAULT_SETTINGS: ShardStoreSettings = {
  segmentBytes: 256 * MIB,
  openWritesMax: 4096,
  openReadsMax: 512,
  readAheadBytesMax: 32 * MIB,
  waitingMax: 1024,
  reserveFraction: 0.05,
  reserveBytesMax: 64 * GIB,
  spareBytes: 4 * MIB,
  checkpointOperations: 4096,
  checkpointMs: 5000,
  openFilesMax: 256,
  readErrorsMax: 32,
  scrubBytesPerSecond: 16 * MIB,
  scrubPassMsMin: 60_000,
  compactionWidth: 16,
  compactionBytesPerSecond: 64 * MIB,
  failedRetryMsMin: 5000,
  failedRetryMsMax: 600_000,
};
