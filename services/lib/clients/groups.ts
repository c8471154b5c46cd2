// Numbers of the Raft groups. The root group holds the cluster map, buckets and leases; index
// groups hold versions, uploads and garbage, and are numbered from FIRST_INDEX_GROUP.

export const ROOT_GROUP = 1;
export const FIRST_INDEX_GROUP = 2;
