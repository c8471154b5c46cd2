// Every bound of the system that is not a setting. Bytes, counts and milliseconds, by name.

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;

/** Amazon S3 user guide, "Amazon S3 multipart upload limits". */
export const OBJECT_BYTES_MAX = 5 * 1024 * GIB;
export const PUT_BODY_BYTES_MAX = 5 * GIB;
export const PART_BYTES_MIN = 5 * MIB;
export const PART_BYTES_MAX = 5 * GIB;
export const PART_NUMBER_MAX = 10_000;
export const LIST_KEYS_MAX = 1000;
export const KEY_BYTES_MAX = 1024;
export const USER_METADATA_BYTES_MAX = 2 * KIB;
export const DELETE_KEYS_MAX = 1000;

/** A body is cut into chunks of this size; each is coded and placed on its own. */
export const CHUNK_BYTES_MAX = 32 * MIB;
/** A stripe is k cells of data and m of parity; a cell is at most this. */
export const CELL_BYTES_MAX = 256 * KIB;
/** Bodies up to this size live in the version record (the setting may be lower). */
export const INLINE_BYTES_MAX = 64 * KIB;
export const DATA_SHARDS_MAX = 16;
export const PARITY_SHARDS_MAX = 8;

/** gRPC refuses messages over 4 MiB by default; ours stay far below. */
export const RPC_MESSAGE_BYTES_MAX = 4 * MIB;
export const RPC_PAYLOAD_BYTES_MAX = MIB;

/** HTTP and XML bounds of the gateway. */
export const HEADER_BYTES_MAX = 32 * KIB;
export const XML_BYTES_MAX = 1 * MIB;
export const COMPLETE_XML_BYTES_MAX = 4 * MIB;
export const XML_DEPTH_MAX = 20;
/** Documents of all settings of a bucket together. */
export const BUCKET_SETTINGS_BYTES_MAX = 512 * KIB;
/** Ranges of a bucket, and the keys at their borders: with all settings they fit a message. */
export const RANGES_MAX = 1000;
export const RANGES_BYTES_MAX = 128 * KIB;
export const CHUNK_HEADER_BYTES_MAX = 8 * KIB;
